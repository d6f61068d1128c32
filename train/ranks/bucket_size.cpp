#include "train/ranks/bucket_size.h"

#include <algorithm>

#include "comm/measure.h"

namespace vitrail {

int64_t measured_bucket_bytes(Communicator& comm, int64_t bytes) {
  constexpr int64_t kMebibyte = int64_t{1} << 20;
  constexpr double kGoodEnough = 0.85;
  struct Measured {
    int64_t bytes;
    double rate;
  };
  std::vector<Measured> all;
  double best = 0;
  for (const int64_t size : {kMebibyte, 4 * kMebibyte, 16 * kMebibyte}) {
    if (4 * size > bytes) break;
    all.push_back({size, static_cast<double>(size) / time_all_reduce(comm, size, size, 1)});
    best = std::max(best, all.back().rate);
  }
  for (const auto& [size, rate] : all)
    if (rate >= kGoodEnough * best) return size;
  return kMebibyte;
}

}  // namespace vitrail
