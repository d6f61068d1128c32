// Parts that the forward and the backward pass of tiled attention share.
#pragma once

#include <algorithm>

#include "tensor/ops/attention_detail.h"
#include "tensor/panel_product.h"
#include "tensor/simd.h"

namespace vitrail::detail {

// Queries that are worked on at once: their scores stay in the cache from Q K^T to the last product that reads them.
constexpr int64_t kTileQueries = 96;

// Multiply-adds below which a head is not worth a parallel region of its own.
constexpr int64_t kHeadGrain = int64_t{1} << 16;

// A row of scores in a tile: whole vectors, an odd number of them, so that a walk down a column visits many cache sets.
inline int64_t tile_stride(int64_t keys) {
  const int64_t cols = packed_cols(keys);
  return cols / simd::kLanes % 2 == 0 ? cols + simd::kLanes : cols;
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

// Memory for one piece of parallel work.
class Scratch {
 public:
  explicit Scratch(int64_t floats) : storage_(floats * static_cast<int64_t>(sizeof(float))) {}
  float* data() const { return static_cast<float*>(storage_.data()); }

 private:
  Storage storage_;
};

inline MatrixView<const float> constant(MatrixView<float> x) { return {x.data, x.rows, x.cols, x.row_stride, x.col_stride}; }
inline MatrixView<const float> rows_of(MatrixView<const float> x, int64_t first, int64_t count) {
  return x.block(first, count, 0, x.cols);
}
inline MatrixView<float> rows_of(MatrixView<float> x, int64_t first, int64_t count) { return x.block(first, count, 0, x.cols); }

inline void prefetch_rows(MatrixView<const float> x) {
  for (int64_t i = 0; i < x.rows; ++i) simd::prefetch(x.data + i * x.row_stride, x.cols);
}

// s = e^(s - shift) for whole vectors, where no s is above shift; the sum.
inline float exponentials(float* s, int64_t filled, float shift) {
  simd::Vector total = {};
  for (int64_t j = 0; j < filled; j += simd::kLanes) {
    const simd::Vector e = simd::exp_nonpositive(simd::load(s + j) - shift);
    simd::store(s + j, e);
    total += e;
  }
  return simd::sum_of(total);
}

}  // namespace vitrail::detail
