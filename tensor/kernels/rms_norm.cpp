#include "tensor/kernels/rms_norm.h"

#include "tensor/kernels/norm_sums.h"

namespace vitrail::kernels {
namespace {

using namespace detail;  // NOLINT: the sums of all norms

template <class T>
void forward_rows(const T* x, const T* w, T* y, double* rrms, int64_t rows, int64_t n, double eps) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    rrms[r] = reciprocal_deviation(sum_squared_deviations(x, n, 0) / static_cast<double>(n), eps);
    const T scale = static_cast<T>(rrms[r]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * scale * w[i];
  }
}

// With h = x rrms and g = dy w: dx = rrms (g - h mean(g h)); dw += dy h, db += dy.
template <class T>
void backward_rows(const T* dy, const T* x, const T* w, T* dx, const double* rrms, double* dw, double* db, int64_t rows,
                   int64_t n) {
  for (int64_t r = 0; r < rows; ++r, dy += n, x += n, dx += n) {
    const T scale = static_cast<T>(rrms[r]);
    const double sum = simd_sum(n, [=](auto at) { return widen(at(dy) * at(w) * (at(x) * scale)); });
    const T mean_gh = static_cast<T>(sum / static_cast<double>(n));
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) dx[i] = scale * (dy[i] * w[i] - x[i] * scale * mean_gh);
    if (!dw) continue;
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      dw[i] += static_cast<double>(dy[i] * (x[i] * scale));
      db[i] += static_cast<double>(dy[i]);
    }
  }
}

}  // namespace

void rms_norm(const Tensor& x, const Tensor& weight, double eps, Tensor y, Tensor rrms) {
  if (x.numel() == 0) return;
  const int64_t n = x.size(-1);
  dispatch_float("rms_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x), wc = or_constant(weight, n, 1, x.dtype());
    const T *xs = xc.data<T>(), *w = wc.data<T>();
    T* to = y.mutable_data<T>();
    double* s = rrms.mutable_data<double>();
    parallel_for(x.numel() / n, row_grain(n), [&](int64_t begin, int64_t end) {
      forward_rows(xs + begin * n, w, to + begin * n, s + begin, end - begin, n, eps);
    });
  });
}

void rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms, Tensor dx, Tensor& dweight,
                       Tensor& dbias) {
  const int64_t n = x.size(-1), rows = rrms.numel();
  ChunkSums sums(rows, n, row_grain(n, 8), weight.defined());
  dispatch_float("rms_norm backward", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = or_constant(weight, n, 1, x.dtype()), rc = contiguous(rrms);
    const T *dys = dyc.data<T>(), *xs = xc.data<T>(), *w = wc.data<T>();
    const double* s = rc.data<double>();
    T* to = dx.mutable_data<T>();
    parallel_for(rows, sums.grain, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * n;
      backward_rows(dys + at, xs + at, w, to + at, s + begin, sums.weights(begin), sums.biases(begin), end - begin, n);
    });
  });
  sums.combine(x.dtype(), dweight, dbias);
}

}  // namespace vitrail::kernels
