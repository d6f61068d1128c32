// Group normalisation: the channels of one group of one image lie side by side, so its statistics are those of a row.
#include "tensor/kernels/norm_detail.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

using detail::Centre;

struct Sizes {
  int64_t batch, channels, plane, groups, group_channels;
  int64_t row() const { return group_channels * plane; }  // elements behind one mean
};

Sizes sizes_of(const char* op, const Tensor& x, int64_t groups) {
  const int64_t plane = detail::channel_plane(op, x);
  check(groups >= 1 && x.size(1) % groups == 0, ErrorKind::kValue, op, "groups must divide the channels: x is ", x.shape(),
        " (C = ", x.size(1), "), groups is ", groups, ".");
  return {x.size(0), x.size(1), plane, groups, x.size(1) / groups};
}

template <class T>
void forward_row(const Sizes& s, const T* x, const T* w, const T* b, T* y, double eps, double* mean, double* rstd) {
  const double n = static_cast<double>(s.row());
  *mean = x[0] + detail::sum_deviations(x, s.row(), x[0]) / n;
  *rstd = detail::reciprocal_deviation(detail::sum_squared_deviations(x, s.row(), *mean) / n, eps);
  const Centre<T> centre(*mean);
  const T scale = static_cast<T>(*rstd);
  for (int64_t c = 0; c < s.group_channels; ++c, x += s.plane, y += s.plane) {
    const T weight = w[c], bias = b[c];
#pragma omp simd
    for (int64_t i = 0; i < s.plane; ++i) y[i] = centre(x[i]) * scale * weight + bias;
  }
}

// dx = rstd (g - mean(g) - h mean(g h)) with g = dy w; dw[c] = sum dy h and db[c] = sum dy are this image's share.
template <class T>
void backward_row(const Sizes& s, const T* dy, const T* x, const T* w, T* dx, double mean, double rstd, double* dw,
                  double* db) {
  const Centre<T> centre(mean);
  const T scale = static_cast<T>(rstd);
  double sum_g = 0, sum_gh = 0;
  for (int64_t c = 0; c < s.group_channels; ++c) {
    const T *g = dy + c * s.plane, *in = x + c * s.plane;
    db[c] = detail::sum_deviations(g, s.plane, 0);
    dw[c] = detail::simd_sum(s.plane, [=](auto at) { return detail::widen(at(g) * (centre(at(in)) * scale)); });
    sum_g += db[c] * static_cast<double>(w[c]);
    sum_gh += dw[c] * static_cast<double>(w[c]);
  }
  const T mean_g = static_cast<T>(sum_g / static_cast<double>(s.row()));
  const T mean_gh = static_cast<T>(sum_gh / static_cast<double>(s.row()));
  for (int64_t c = 0; c < s.group_channels; ++c, dy += s.plane, x += s.plane, dx += s.plane) {
    const T weight = w[c];
#pragma omp simd
    for (int64_t i = 0; i < s.plane; ++i) dx[i] = scale * (dy[i] * weight - mean_g - centre(x[i]) * scale * mean_gh);
  }
}

}  // namespace

GroupNormResult group_norm_forward(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  const Sizes s = sizes_of("group_norm", x, groups);
  detail::check_norm_arguments("group_norm", x, weight, bias, s.channels, eps);
  const Shape rows{s.batch, groups};
  GroupNormResult result{empty(x.shape(), x.dtype()), zeros(rows, Dtype::f64), zeros(rows, Dtype::f64)};
  dispatch_float("group_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor xc = contiguous(x), wc = detail::or_constant(weight, s.channels, 1, x.dtype()),
                 bc = detail::or_constant(bias, s.channels, 0, x.dtype());
    const T *in = xc.data<T>(), *w = wc.data<T>(), *b = bc.data<T>();
    T* y = result.output.mutable_data<T>();
    double *mean = result.mean.mutable_data<double>(), *rstd = result.rstd.mutable_data<double>();
    parallel_for(s.batch * groups, detail::row_grain(s.row()), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t channel = r % groups * s.group_channels;
        forward_row(s, in + r * s.row(), w + channel, b + channel, y + r * s.row(), eps, mean + r, rstd + r);
      }
    });
  });
  return result;
}

NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& mean,
                                  const Tensor& rstd) {
  const char* op = "group_norm backward";
  const Sizes s = sizes_of(op, x, groups);
  detail::check_norm_arguments(op, x, weight, {}, s.channels, 0);
  detail::check_norm_backward(op, dy, x, mean, "mean", {s.batch, groups});
  detail::check_norm_backward(op, dy, x, rstd, "rstd", {s.batch, groups});
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  std::vector<double> dw(s.batch * s.channels, 0.0), db(dw.size(), 0.0);
  dispatch_float(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = detail::or_constant(weight, s.channels, 1, x.dtype()),
                 mc = contiguous(mean), rc = contiguous(rstd);
    const T *g = dyc.data<T>(), *in = xc.data<T>(), *w = wc.data<T>();
    const double *m = mc.data<double>(), *rs = rc.data<double>();
    T* dx = d.dx.mutable_data<T>();
    parallel_for(s.batch * groups, detail::row_grain(s.row()), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t at = r * s.row(), share = r * s.group_channels;  // rows of (image, group) are rows of (image, channel)
        backward_row(s, g + at, in + at, w + r % groups * s.group_channels, dx + at, m[r], rs[r], &dw[share], &db[share]);
      }
    });
  });
  if (weight.defined()) {
    d.dweight = detail::combine_chunks(dw, s.batch, s.channels, x.dtype());
    d.dbias = detail::combine_chunks(db, s.batch, s.channels, x.dtype());
  }
  return d;
}

}  // namespace vitrail
