#include "tensor/ops/rounding.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "tensor/kernels/norm_sums.h"
#include "tensor/machine/bf16.h"
#include "tensor/machine/parallel.h"
#include "tensor/plain.h"
#include "tensor/reference/linear.h"
#include "tensor/reference/rounding.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

float value_of(float x) { return x; }
using detail::value_of;

// sums[j] += the sum of kRows rows; few enough to add in f32 first.
template <int kRows, class T>
void add_rows(const T* x, int64_t n, double* sums) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    float sum = 0;
    for (int r = 0; r < kRows; ++r) sum += value_of(x[r * n + j]);
    sums[j] += static_cast<double>(sum);
  }
}

// A strip of rows stays in the first-level cache between its two uses.
template <class T>
void round_and_add(const T* x, int64_t rows, int64_t n, Bf16* out, double* sums) {
  constexpr int kStrip = 8;
  for (int64_t r = 0; r < rows; r += kStrip) {
    const int64_t count = std::min<int64_t>(kStrip, rows - r);
    if (sums && count == kStrip) {
      add_rows<kStrip>(x + r * n, n, sums);
    } else if (sums) {
      for (int64_t k = r; k < r + count; ++k) add_rows<1>(x + k * n, n, sums);
    }
    if constexpr (std::is_same_v<T, float>) detail::round_row(x + r * n, count * n, out + r * n);
  }
}

template <class T>
void round_matrix(const T* x, int64_t rows, int64_t n, Bf16* out, Tensor* column_sums) {
  // At least 32 rows a chunk: the partial sums are then a small part of x.
  const int64_t grain = detail::row_grain(n, column_sums ? 32 : 1), length = chunk_length(rows, grain);
  const int64_t chunks = ceil_div(rows, length);
  std::vector<double> sums(column_sums ? chunks * n : 0);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    round_and_add(x + begin * n, end - begin, n, out + begin * n, column_sums ? sums.data() + begin / length * n : nullptr);
  });
  if (column_sums) *column_sums = detail::combine_chunks(sums, chunks, n, Dtype::f32);
}

}  // namespace

Tensor round_to_bf16(const Tensor& x, Tensor* column_sums) {
  check(x.dtype() == Dtype::f32 || x.dtype() == Dtype::bf16, ErrorKind::kValue, "round_to_bf16", "x is f32: dtype is ",
        name_of(x.dtype()));
  check(!column_sums || x.dim() >= 1, ErrorKind::kShape, "round_to_bf16", "a scalar has no columns");
  const int64_t n = x.dim() == 0 ? 1 : x.size(-1), rows = n == 0 ? 0 : x.numel() / n;
  if (runs_plain(PlainOp::kRounding)) {
    if (column_sums) {
      *column_sums = empty({n}, Dtype::f32, "round_to_bf16");
      reference::linear_backward_bias(x, *column_sums);
    }
    if (x.dtype() == Dtype::bf16) return x;
    const Tensor out = empty(x.shape(), Dtype::bf16, "round_to_bf16");
    reference::round_to_bf16(x, out);
    return out;
  }
  if (x.dtype() == Dtype::bf16) {
    check(x.is_contiguous(), ErrorKind::kValue, "round_to_bf16", "rounded numbers must be contiguous");
    if (column_sums) round_matrix(x.data<Bf16>(), rows, n, static_cast<Bf16*>(nullptr), column_sums);
    return x;
  }
  const Tensor from = contiguous(x);
  Tensor out = empty(x.shape(), Dtype::bf16, "round_to_bf16");
  round_matrix(from.data<float>(), rows, n, out.mutable_data<Bf16>(), column_sums);
  return out;
}

Tensor widen_bf16(const Tensor& x) {
  check(x.is_contiguous(), ErrorKind::kValue, "widen_bf16", "rounded numbers must be contiguous");
  Tensor out = empty(x.shape(), Dtype::f32, "widen_bf16");
  if (runs_plain(PlainOp::kRounding)) {
    reference::widen_bf16(x, out);
    return out;
  }
  const Bf16* from = x.data<Bf16>();
  float* to = out.mutable_data<float>();
  parallel_for(x.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = value_of(from[i]);
  });
  return out;
}

}  // namespace vitrail
