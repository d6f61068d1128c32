// RMS normalisation: layer normalisation without the mean.
#include "tensor/kernels/norm_detail.h"
#include "tensor/machine/parallel.h"
#include "tensor/plain.h"
#include "tensor/reference/norm.h"

namespace vitrail {
namespace {

template <class T>
void forward_rows(const T* x, const T* w, T* y, double* rrms, int64_t rows, int64_t n, double eps) {
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    rrms[r] = detail::reciprocal_deviation(detail::sum_squared_deviations(x, n, 0) / static_cast<double>(n), eps);
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
    const double sum = detail::simd_sum(n, [=](auto at) { return detail::widen(at(dy) * at(w) * (at(x) * scale)); });
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

RmsNormResult rms_norm_forward(const Tensor& x, const Tensor& weight, double eps) {
  const Shape row_shape = detail::without_last_axis("rms_norm", x);
  const int64_t n = x.shape().back();
  detail::check_norm_arguments("rms_norm", x, weight, {}, n, eps);
  RmsNormResult result{empty(x.shape(), x.dtype()), zeros(row_shape, Dtype::f64)};
  if (runs_plain(PlainOp::kRmsNorm)) {
    reference::rms_norm(x, weight, eps, result.output, result.rrms);
    return result;
  }
  dispatch_float("rms_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor xc = contiguous(x), wc = detail::or_constant(weight, n, 1, x.dtype());
    const T *xs = xc.data<T>(), *w = wc.data<T>();
    T* y = result.output.mutable_data<T>();
    double* rrms = result.rrms.mutable_data<double>();
    parallel_for(x.numel() / n, detail::row_grain(n), [&](int64_t begin, int64_t end) {
      forward_rows(xs + begin * n, w, y + begin * n, rrms + begin, end - begin, n, eps);
    });
  });
  return result;
}

NormGradients rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms) {
  const Shape row_shape = detail::without_last_axis("rms_norm backward", x);
  const int64_t n = x.shape().back(), rows = rrms.numel();
  detail::check_norm_arguments("rms_norm backward", x, weight, {}, n, 0);
  detail::check_norm_backward("rms_norm backward", dy, x, rrms, "rrms", row_shape);
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  if (runs_plain(PlainOp::kRmsNorm)) {
    if (weight.defined()) d.dweight = empty({n}, x.dtype()), d.dbias = empty({n}, x.dtype());
    reference::rms_norm_backward(dy, x, weight, rrms, d.dx, d.dweight, d.dbias);
    return d;
  }
  const int64_t grain = detail::row_grain(n, 8), length = chunk_length(rows, grain), chunks = ceil_div(rows, length);
  std::vector<double> dw(weight.defined() ? chunks * n : 0), db(dw.size());
  dispatch_float("rms_norm backward", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = detail::or_constant(weight, n, 1, x.dtype()),
                 rc = contiguous(rrms);
    const T *dys = dyc.data<T>(), *xs = xc.data<T>(), *w = wc.data<T>();
    const double* s = rc.data<double>();
    T* dx = d.dx.mutable_data<T>();
    parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
      const int64_t at = begin * n, chunk = begin / length * n;
      backward_rows(dys + at, xs + at, w, dx + at, s + begin, dw.empty() ? nullptr : dw.data() + chunk,
                    db.empty() ? nullptr : db.data() + chunk, end - begin, n);
    });
  });
  if (weight.defined()) {
    d.dweight = detail::combine_chunks(dw, chunks, n, x.dtype());
    d.dbias = detail::combine_chunks(db, chunks, n, x.dtype());
  }
  return d;
}

}  // namespace vitrail
