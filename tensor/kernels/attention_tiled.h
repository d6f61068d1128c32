// Parts that the forward and the backward pass of tiled attention share.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "tensor/kernels/attention_detail.h"
#include "tensor/machine/bf16.h"
#include "tensor/machine/simd.h"
#include "tensor/product/panel_product.h"

namespace vitrail::detail {

// The number of queries in a tile: their scores stay in the cache from Q K^T to the last product that reads them.
constexpr int64_t kTileQueries = 96;

// Multiply-adds below which a head is not worth a parallel region of its own.
constexpr int64_t kHeadGrain = int64_t{1} << 16;

// The distance between the rows of a tile of scores: an odd number of vectors, so that the elements of a column fall into many
// cache sets.
inline int64_t tile_stride(int64_t keys) {
  return padded_cols(keys) / 16 % 2 == 0 ? padded_cols(keys) + 16 : padded_cols(keys);
}

// Calls tile(first query, count) for tiles of nearly equal height that cover [begin, end); once, with count 0, for an empty
// range.
template <class Fn>
void for_each_tile(int64_t begin, int64_t end, Fn&& tile) {
  const int64_t count = end - begin, tiles = std::max<int64_t>(1, ceil_div(count, kTileQueries));
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t first = begin + count * t / tiles;
    tile(first, begin + count * (t + 1) / tiles - first);
  }
}

// Memory for one piece of parallel work: blocks of the given numbers of floats (or bf16 pairs), in one allocation.
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
    for (int64_t& size : sizes) size = end += padded_cols(size);  // each block starts on a cache line
    return end;
  }
  std::vector<int64_t> ends_;
  Storage storage_;
};

template <class T>
MatrixView<T> rows_of(const MatrixView<T>& x, int64_t first, int64_t count) {
  return x.block(first, count, 0, x.cols);
}

// The tile after the current one, for prefetching: in the same head, or the first of the next head. count = 0 if there is none.
struct NextTile {
  int64_t b = 0, h = 0, first = 0, count = 0;
  bool opens_head() const { return count > 0 && first == 0; }
  // The rows of x that it will read.
  template <class T>
  ReadSoon rows(const Tensor& x) const {
    return count > 0 ? ReadSoon(rows_of(head<T>(x, b, h), first, count)) : ReadSoon();
  }
};

// Where the f32 sums for `out` are accumulated: in `out` itself, or, if that is bf16, in scratch memory until finish() rounds
// them.
inline MatrixView<float> sums_of(const MatrixView<float>& out, float*) { return out; }
inline MatrixView<float> sums_of(const MatrixView<Bf16>& out, float* scratch) {
  const int64_t filled = padded_cols(out.cols);
  return {scratch, out.rows, filled, filled, 1};
}
inline void finish(const MatrixView<float>&, const MatrixView<float>&) {}
inline void finish(const MatrixView<float>& sums, const MatrixView<Bf16>& out) {
  for (int64_t i = 0; i < out.rows; ++i) round_row(sums.data + i * sums.row_stride, out.cols, out.data + i * out.row_stride);
}
// The number of floats of scratch memory that sums_of() needs.
template <class T>
int64_t sums_size(int64_t rows, int64_t cols) {
  return std::is_same_v<T, Bf16> ? rows * padded_cols(cols) : 0;
}

}  // namespace vitrail::detail
