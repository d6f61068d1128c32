// Parts that the forward and the backward pass of tiled attention share.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "tensor/ops/attention_detail.h"
#include "tensor/product/panel_product.h"
#include "tensor/simd.h"

namespace vitrail::detail {

// Queries that are worked on at once: their scores stay in the cache from Q K^T to the last product that reads them.
constexpr int64_t kTileQueries = 96;

// Multiply-adds below which a head is not worth a parallel region of its own.
constexpr int64_t kHeadGrain = int64_t{1} << 16;

// A row of scores in a tile: whole vectors, an odd number of them, so that a walk down a column visits many cache sets.
inline int64_t tile_stride(int64_t keys) {
  return padded_cols(keys) / 16 % 2 == 0 ? padded_cols(keys) + 16 : padded_cols(keys);
}

// Calls tile(first query, count) for [begin, end) in tiles of nearly equal height; once, with none, for an empty range.
template <class Fn>
void for_each_tile(int64_t begin, int64_t end, Fn&& tile) {
  const int64_t count = end - begin, tiles = std::max<int64_t>(1, (count + kTileQueries - 1) / kTileQueries);
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t first = begin + count * t / tiles;
    tile(first, begin + count * (t + 1) / tiles - first);
  }
}

// Memory for one piece of parallel work: blocks of so many floats or pairs, in one allocation.
class Scratch {
 public:
  explicit Scratch(std::initializer_list<int64_t> sizes) : ends_(sizes), storage_(4 * add_up(ends_)) {}
  uint32_t* elements(size_t block) const {
    return static_cast<uint32_t*>(storage_.data()) + (block == 0 ? 0 : ends_[block - 1]);
  }
  float* floats(size_t block) const { return reinterpret_cast<float*>(elements(block)); }

 private:
  static int64_t add_up(std::vector<int64_t>& sizes) {
    int64_t end = 0;
    for (int64_t& size : sizes) size = end += padded_cols(size);  // each on a cache line of its own
    return end;
  }
  std::vector<int64_t> ends_;
  Storage storage_;
};

inline MatrixView<const float> rows_of(MatrixView<const float> x, int64_t first, int64_t count) {
  return x.block(first, count, 0, x.cols);
}
inline MatrixView<float> rows_of(MatrixView<float> x, int64_t first, int64_t count) { return x.block(first, count, 0, x.cols); }

// The tile after this one: of the same head, or the first of the next; or none.
struct NextTile {
  int64_t b = 0, h = 0, first = 0, count = 0;
  bool opens_head() const { return count > 0 && first == 0; }
  // Its rows of x.
  MatrixView<const float> rows(const Tensor& x) const {
    return count > 0 ? rows_of(head<float>(x, b, h), first, count) : MatrixView<const float>();
  }
};

inline void prefetch_rows(MatrixView<const float> x) {
  for (int64_t i = 0; i < x.rows; ++i) simd::prefetch(x.data + i * x.row_stride, x.cols);
}

}  // namespace vitrail::detail
