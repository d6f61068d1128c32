// The hash of a file's content: by it a set is split and equal files are found, whatever their names are.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace vitrail {

// FNV-1a with 64 bits (G. Fowler, L. Noll, K.-P. Vo, D. Eastlake, RFC 9923). Of n files by chance two have one hash with a
// probability of n^2 / 2^65: 3e-10 for 100,000 files. It is no protection against files that somebody made to collide.
uint64_t content_hash(std::span<const uint8_t> bytes);

}  // namespace vitrail
