#include "data/sets/content_hash.h"

namespace vitrail {

uint64_t content_hash(std::span<const uint8_t> bytes) {
  constexpr uint64_t kOffset = 0xcbf29ce484222325u, kPrime = 0x100000001b3u;
  uint64_t hash = kOffset;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * kPrime;
  return hash;
}

}  // namespace vitrail
