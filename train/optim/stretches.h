// One pass over many arrays: cut into stretches of one list, so that a hundred biases cost no more than one weight matrix of
// their size, and a large matrix is shared by all threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tensor/machine/parallel.h"

namespace vitrail {

// Elements of one stretch: the working set of an update (weights, gradients, two states) stays in the L2 cache.
constexpr int64_t kStretchElements = 16384;

// Norms of a parameter of n elements are sums over chunks of this length, added in their order: the length follows from n
// alone, so that several processes, each of which knows some of the chunks, can add up the same numbers in the same order.
inline int64_t norm_chunk(int64_t n) { return chunk_length(n, kElementwiseGrain); }

// Calls fn(array, begin, end) for stretches of arrays of the given lengths, in parallel. For elementwise work: how it is split
// cannot be seen in the result.
template <class Fn>
void for_each_stretch(const std::vector<int64_t>& lengths, Fn&& fn) {
  struct Stretch {
    int64_t array, begin, end;
  };
  std::vector<Stretch> stretches;
  int64_t elements = 1;
  for (size_t i = 0; i < lengths.size(); ++i) {
    elements += lengths[i];
    for (int64_t begin = 0; begin < lengths[i]; begin += kStretchElements)
      stretches.push_back({static_cast<int64_t>(i), begin, std::min(begin + kStretchElements, lengths[i])});
  }
  // As many together as make up the usual grain: a few small arrays are not worth a parallel region.
  const int64_t count = static_cast<int64_t>(stretches.size());
  parallel_for(count, count * kStretchElements / elements, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) fn(stretches[i].array, stretches[i].begin, stretches[i].end);
  });
}

}  // namespace vitrail
