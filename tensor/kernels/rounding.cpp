#include "tensor/kernels/rounding.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "tensor/kernels/norm_sums.h"
#include "tensor/machine/bf16.h"
#include "tensor/machine/parallel.h"

namespace vitrail::kernels {
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

constexpr int kStrip = 8;

// Rounds a strip of rows and adds up its columns; the strip stays in the first-level cache between the two.
template <class T>
void round_and_add(const T* x, int64_t rows, int64_t n, Bf16* out, double* sums) {
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

// One factor for every `rows` rows of a matrix; no factors if `data` is null.
struct RowFactors {
  const float* data = nullptr;
  int64_t rows = 1;
};

// The same for rows first, first + 1, ... of a matrix, after multiplying each by its factor.
void scale_round_and_add(const float* x, int64_t first, int64_t rows, int64_t n, const RowFactors& factors, Bf16* out,
                         double* sums) {
  std::vector<float> scaled(static_cast<size_t>(kStrip * n));
  for (int64_t r = 0; r < rows; r += kStrip) {
    const int64_t count = std::min<int64_t>(kStrip, rows - r);
    for (int64_t k = 0; k < count; ++k) {
      const float factor = factors.data[(first + r + k) / factors.rows];
      const float* from = x + (r + k) * n;
      float* to = scaled.data() + k * n;
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) to[j] = from[j] * factor;
    }
    round_and_add(scaled.data(), count, n, out + r * n, sums);
  }
}

template <class T>
void round_matrix(const T* x, int64_t rows, int64_t n, Bf16* out, Tensor* column_sums, const RowFactors& factors = {}) {
  // At least 32 rows in a chunk, so that the partial sums are small beside x.
  const int64_t grain = detail::row_grain(n, column_sums ? 32 : 1), length = chunk_length(rows, grain);
  const int64_t chunks = ceil_div(rows, length);
  std::vector<double> sums(column_sums ? chunks * n : 0);
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    double* const own_sums = column_sums ? sums.data() + begin / length * n : nullptr;
    if constexpr (std::is_same_v<T, float>) {
      if (factors.data) return scale_round_and_add(x + begin * n, begin, end - begin, n, factors, out + begin * n, own_sums);
    }
    round_and_add(x + begin * n, end - begin, n, out + begin * n, own_sums);
  });
  if (column_sums) *column_sums = detail::combine_chunks(sums, chunks, n, Dtype::f32);
}

}  // namespace

void round_to_bf16(const Tensor& x, Tensor out, Tensor* column_sums, const Tensor* samples) {
  const int64_t n = x.dim() == 0 ? 1 : x.size(-1), rows = n == 0 ? 0 : x.numel() / n;
  if (x.dtype() == Dtype::bf16) {
    if (column_sums) round_matrix(x.data<Bf16>(), rows, n, static_cast<Bf16*>(nullptr), column_sums);
    return;
  }
  RowFactors per_row;
  if (samples && rows > 0) per_row = {samples->data<float>(), rows / x.size(0)};
  round_matrix(x.data<float>(), rows, n, out.mutable_data<Bf16>(), column_sums, per_row);
}

void widen_bf16(const Tensor& x, Tensor out) {
  const Bf16* from = x.data<Bf16>();
  float* to = out.mutable_data<float>();
  parallel_for(x.numel(), kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = value_of(from[i]);
  });
}

}  // namespace vitrail::kernels
