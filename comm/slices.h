// For the algorithms of comm/: parts of an array, and their sum in the order of the tree.
#pragma once

#include <vector>

#include "comm/all_reduce.h"

namespace vitrail {

template <class T>
std::span<T> stretch(std::span<T> values, int64_t begin, int64_t end) {
  return values.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
}
template <class T>
std::span<T> slice_of(std::span<T> values, const Slices& slices, int rank) {
  return stretch(values, slices.begin[static_cast<size_t>(rank)], slices.end[static_cast<size_t>(rank)]);
}

// a += b. Which of the two is the left summand makes no difference to a sum of two.
template <class T>
void add_to(std::span<T> a, const T* b) {
  T* const p = a.data();
  const auto n = static_cast<int64_t>(a.size());
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) p[i] += b[i];
}

// parts[r]: the same stretch of rank r. The sum is left in parts[0]; the others are changed.
template <class T>
void add_in_tree(std::vector<std::span<T>>& parts) {
  for (size_t distance = 1; distance < parts.size(); distance *= 2)
    for (size_t r = 0; r + distance < parts.size(); r += 2 * distance) add_to(parts[r], parts[r + distance].data());
}

}  // namespace vitrail
