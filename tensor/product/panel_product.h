// Small products on the calling thread by the micro-kernels, for operands that several products share: each operand is packed
// once and then read in order by all of them. For the products inside one attention head this is faster than gemm_serial, which
// packs B in every call or reads it with long strides.
//
// With Precision::kBf16 both operands are rounded to bf16 (round to nearest, ties to even), as in detail::product(); sums are
// f32. Elements are four bytes: a float, or a pair of bf16 that are neighbours along the depth.
#pragma once

#include <cstdint>

#include "tensor/product/micro_kernel.h"
#include "tensor/product/pack.h"

namespace vitrail::detail {

// N rounded up to a multiple of 16: rows of this length can be written in whole vectors by any kernel.
constexpr int64_t padded_cols(int64_t cols) { return round_up(cols, 16); }

// Rows that will be read soon, of any type, for prefetching.
struct ReadSoon {
  ReadSoon() = default;
  template <class T>
  ReadSoon(const MatrixView<const T>& x)  // NOLINT
      : first(reinterpret_cast<const char*>(x.data)),
        rows(x.rows),
        row_bytes(x.cols * static_cast<int64_t>(sizeof(T))),
        step_bytes(x.row_stride * static_cast<int64_t>(sizeof(T))) {}
  void prefetch(int64_t row) const {
    for (int64_t at = 0; at < row_bytes; at += 64) __builtin_prefetch(first + row * step_bytes + at);
  }
  const char* first = nullptr;
  int64_t rows = 0, row_bytes = 0, step_bytes = 0;
};

class PanelProduct {
 public:
  // Uses the kernels of this precision. Requires has_product_kernels().
  explicit PanelProduct(Precision precision);

  Precision precision() const { return precision_; }

  // The number of elements of B [K, N] when packed: its columns are padded with zeros to whole panels. The last panel may be
  // narrower than the others.
  int64_t packed_size(int64_t rows, int64_t cols) const;
  // Packs B. One stride of B must be 1. B stored in bf16 needs Precision::kBf16.
  void pack(const Operand& b, uint32_t* panels) const;

  // The most elements of scratch that left() uses.
  int64_t left_size(int64_t rows, int64_t depth) const;
  // Prepares A, whose rows must be contiguous: it is read in place, or rounded into scratch.
  LeftOperand left(const Operand& a, uint32_t* scratch) const;

  // C = A B, or C += A B with `add`, for packed B [K, N] and C [M, N], or C [M, padded_cols(N)], whose additional columns
  // become zero. Every element of C is one sum over k in ascending order, so its bits depend neither on the strides nor on M
  // and N. K = 0 gives zeros. Does not count its FLOPs; the caller does, once for all products.
  // `soon`: the rows that will be read next. A few of them are prefetched between two tiles, so that the loads overlap with
  // arithmetic on operands in the cache.
  void multiply(const LeftOperand& a, const uint32_t* panels, int64_t cols, const MatrixView<float>& c, bool add = false,
                const ReadSoon& soon = {}) const;

 private:
  Precision precision_;
  const MicroKernel& kernel_;
};

}  // namespace vitrail::detail
