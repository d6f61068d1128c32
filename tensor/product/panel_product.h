// Small products on the calling thread, by the micro-kernels of tensor/product/, for operands that several products share: each
// is rearranged once and read in order ever after. For the products inside one attention head this beats gemm_serial, which
// packs B in every call or reads it with long strides.
//
// With Precision::kBf16 both operands are rounded to bf16 (round to nearest, ties to even), as in detail::product(); sums are
// f32. Elements are four bytes: a float, or a pair of bf16 that are neighbours along the depth.
#pragma once

#include <cstdint>

#include "tensor/product/micro_kernel.h"
#include "tensor/product/pack.h"

namespace vitrail::detail {

// Rows that are written in whole vectors whatever the kernel: N filled up to a multiple of 16.
constexpr int64_t padded_cols(int64_t cols) { return round_up(cols, 16); }

// Rows that will be read soon, of whatever numbers.
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
  // What the kernels of this precision need. There must be some (has_product_kernels()).
  explicit PanelProduct(Precision precision);

  Precision precision() const { return precision_; }

  // Elements that B [K, N] takes when packed: its columns are filled up to whole panels with zeros. The last panel may be
  // narrower than the others.
  int64_t packed_size(int64_t rows, int64_t cols) const;
  // The rows or the columns of B lie in memory without gaps: one of its strides is 1. Stored bf16 are for Precision::kBf16.
  void pack(const Operand& b, uint32_t* panels) const;

  // Elements of scratch that left() uses at most.
  int64_t left_size(int64_t rows, int64_t depth) const;
  // A, whose rows lie in memory without gaps: where it is, or rounded into scratch.
  LeftOperand left(const Operand& a, uint32_t* scratch) const;

  // C = A B, or C += A B with `add`, for B [K, N] packed and C [M, N] or [M, padded_cols(N)], whose further columns
  // then are zero. Every element of C is one sum over k in ascending order, so its bits depend neither on the strides nor
  // on M and N. K = 0 gives zeros. Does not count its FLOPs: the caller does, once for all.
  // `soon`: what will be read next. A few of its rows are prefetched between two tiles, whose operands are in the cache, so
  // that the loads overlap with arithmetic.
  void multiply(const LeftOperand& a, const uint32_t* panels, int64_t cols, const MatrixView<float>& c, bool add = false,
                const ReadSoon& soon = {}) const;

 private:
  Precision precision_;
  const MicroKernel& kernel_;
};

}  // namespace vitrail::detail
