#include "tensor/kernels/layer_norm.h"

#include <utility>

#include "tensor/kernels/norm_sums.h"
#include "tensor/machine/bf16.h"

namespace vitrail::kernels {
namespace {

using namespace detail;  // NOLINT: the sums of all norms

// mean = x0 + mean(x - x0): exact for a constant row.
template <class T>
void row_statistics(const T* x, int64_t n, double eps, double* mean, double* rstd) {
  *mean = x[0] + sum_deviations(x, n, x[0]) / static_cast<double>(n);
  *rstd = reciprocal_deviation(sum_squared_deviations(x, n, *mean) / static_cast<double>(n), eps);
}

template <class T>
void forward_row(const T* x, const T* w, const T* b, T* y, int64_t n, double eps, double* mean, double* rstd) {
  row_statistics(x, n, eps, mean, rstd);
  const Centre<T> centre(*mean);
  const T scale = static_cast<T>(*rstd);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = centre(x[i]) * scale * w[i] + b[i];
}

// Out is T, or Bf16 for a y that is stored in bf16.
template <class T, class Out>
void forward_rows(const T* x, const T* w, const T* b, Out* y, double* mean, double* rstd, int64_t rows, int64_t n, double eps) {
  if constexpr (std::is_same_v<T, Out>) {
    for (int64_t r = 0; r < rows; ++r) forward_row(x + r * n, w, b, y + r * n, n, eps, mean + r, rstd + r);
  } else if constexpr (std::is_same_v<T, float>) {
    std::vector<float> row(static_cast<size_t>(n));
    for (int64_t r = 0; r < rows; ++r) {
      forward_row(x + r * n, w, b, row.data(), n, eps, mean + r, rstd + r);
      round_row(row.data(), n, y + r * n);
    }
  }
}

// sum(g) and sum(g h) of one row, in T: 16 partial sums of each, so that each has few additions and a small error.
template <class T>
std::pair<double, double> row_sums(const T* dy, const T* x, const T* w, Centre<T> centre, T scale, int64_t n) {
  constexpr int64_t kLanes = 8;
  simd::Vector<T, kLanes> g_sum[2] = {}, gh_sum[2] = {};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (int half = 0; half < 2; ++half) {
      const Eight at{i + half * kLanes};
      const auto g = at(dy) * at(w);
      g_sum[half] += g;
      gh_sum[half] += g * (centre(at(x)) * scale);
    }
  }
  const auto g_lanes = widen(g_sum[0]) + widen(g_sum[1]);
  const auto gh_lanes = widen(gh_sum[0]) + widen(gh_sum[1]);
  double g = 0, gh = 0;
  for (int64_t lane = 0; lane < kLanes; ++lane) g += g_lanes[lane], gh += gh_lanes[lane];
  for (; i < n; ++i) {
    const T rest = dy[i] * w[i];
    g += static_cast<double>(rest);
    gh += static_cast<double>(rest * (centre(x[i]) * scale));
  }
  return {g, gh};
}

// dx = rstd (g - mean(g) - h mean(g h)) of one row, with g = dy w.
template <class T>
void backward_row(const T* dy, const T* x, const T* w, T* dx, double mean, double rstd, int64_t n) {
  const Centre<T> centre(mean);
  const T scale = static_cast<T>(rstd);
  const auto [sum_g, sum_gh] = row_sums(dy, x, w, centre, scale, n);
  const T mean_g = static_cast<T>(sum_g / static_cast<double>(n)), mean_gh = static_cast<T>(sum_gh / static_cast<double>(n));
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) dx[i] = scale * (dy[i] * w[i] - mean_g - centre(x[i]) * scale * mean_gh);
}

// dw += sum over kRows rows of dy h, db += sum of dy. Several rows at a time, so that dw and db are read and written once for
// all of them; few enough to add them in T.
template <int kRows, class T>
void add_parameter_rows(const T* dy, const T* x, const double* mean, const double* rstd, double* dw, double* db, int64_t n) {
  T high[kRows], low[kRows], scale[kRows];
  for (int r = 0; r < kRows; ++r) {
    const Centre<T> centre(mean[r]);
    high[r] = centre.high, low[r] = centre.low, scale[r] = static_cast<T>(rstd[r]);
  }
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    T sum = 0, sum_h = 0;
    for (int r = 0; r < kRows; ++r) {
      const T g = dy[r * n + i];
      sum += g;
      sum_h += g * (((x[r * n + i] - high[r]) - low[r]) * scale[r]);
    }
    dw[i] += static_cast<double>(sum_h);
    db[i] += static_cast<double>(sum);
  }
}

template <class T>
void backward_rows(const T* dy, const T* x, const T* w, T* dx, const double* mean, const double* rstd, double* dw, double* db,
                   int64_t rows, int64_t n) {
  constexpr int kBlock = 4;  // rows whose dy and x stay in the first-level cache between their two uses
  for (int64_t r = 0; r < rows; r += kBlock) {
    const int64_t block = std::min<int64_t>(kBlock, rows - r);
    for (int64_t k = r; k < r + block; ++k) backward_row(dy + k * n, x + k * n, w, dx + k * n, mean[k], rstd[k], n);
    if (!dw) continue;
    if (block == kBlock) {
      add_parameter_rows<kBlock>(dy + r * n, x + r * n, mean + r, rstd + r, dw, db, n);
    } else {
      for (int64_t k = r; k < r + block; ++k) add_parameter_rows<1>(dy + k * n, x + k * n, mean + k, rstd + k, dw, db, n);
    }
  }
}

}  // namespace

void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y, Tensor mean, Tensor rstd) {
  if (x.numel() == 0) return;
  const int64_t n = x.size(-1);
  dispatch_float("layer_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x), wc = or_constant(weight, n, 1, x.dtype()), bc = or_constant(bias, n, 0, x.dtype());
    const T *xs = xc.data<T>(), *w = wc.data<T>(), *b = bc.data<T>();
    double *m = mean.mutable_data<double>(), *s = rstd.mutable_data<double>();
    const auto run = [&](auto* to) {
      parallel_for(x.numel() / n, row_grain(n), [&](int64_t begin, int64_t end) {
        forward_rows(xs + begin * n, w, b, to + begin * n, m + begin, s + begin, end - begin, n, eps);
      });
    };
    y.dtype() == Dtype::bf16 ? run(y.mutable_data<Bf16>()) : run(y.mutable_data<T>());
  });
}

void layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                         Tensor dx, Tensor& dweight, Tensor& dbias) {
  const int64_t n = x.size(-1), rows = mean.numel();
  // At least 32 rows in a chunk, so that the partial sums (two doubles for each column) take at most an eighth of the memory of
  // x.
  ChunkSums sums(rows, n, row_grain(n, 32), weight.defined());
  dispatch_float("layer_norm backward", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = or_constant(weight, n, 1, x.dtype()), mc = contiguous(mean),
                 rc = contiguous(rstd);
    const T *dys = dyc.data<T>(), *xs = xc.data<T>(), *w = wc.data<T>();
    const double *m = mc.data<double>(), *s = rc.data<double>();
    T* to = dx.mutable_data<T>();
    parallel_for(rows, sums.grain, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * n;
      backward_rows(dys + at, xs + at, w, to + at, m + begin, s + begin, sums.weights(begin), sums.biases(begin), end - begin,
                    n);
    });
  });
  sums.combine(x.dtype(), dweight, dbias);
}

}  // namespace vitrail::kernels
