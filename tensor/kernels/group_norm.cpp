#include "tensor/kernels/group_norm.h"

#include "tensor/kernels/norm_sums.h"

namespace vitrail::kernels {
namespace {

using namespace detail;  // NOLINT: the sums of all norms

template <class T>
void forward_row(const GroupSizes& s, const T* x, const T* w, const T* b, T* y, double eps, double* mean, double* rstd) {
  const double n = static_cast<double>(s.row());
  *mean = x[0] + sum_deviations(x, s.row(), x[0]) / n;
  *rstd = reciprocal_deviation(sum_squared_deviations(x, s.row(), *mean) / n, eps);
  const Centre<T> centre(*mean);
  const T scale = static_cast<T>(*rstd);
  for (int64_t c = 0; c < s.group_channels; ++c, x += s.plane, y += s.plane) {
    const T weight = w[c], bias = b[c];
#pragma omp simd
    for (int64_t i = 0; i < s.plane; ++i) y[i] = centre(x[i]) * scale * weight + bias;
  }
}

// dx = rstd (g - mean(g) - h mean(g h)) with g = dy w; dw[c] = sum dy h and db[c] = sum dy are this image's contributions.
template <class T>
void backward_row(const GroupSizes& s, const T* dy, const T* x, const T* w, T* dx, double mean, double rstd, double* dw,
                  double* db) {
  const Centre<T> centre(mean);
  const T scale = static_cast<T>(rstd);
  double sum_g = 0, sum_gh = 0;
  for (int64_t c = 0; c < s.group_channels; ++c) {
    const T *g = dy + c * s.plane, *in = x + c * s.plane;
    db[c] = sum_deviations(g, s.plane, 0);
    dw[c] = simd_sum(s.plane, [=](auto at) { return widen(at(g) * (centre(at(in)) * scale)); });
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

void group_norm(const GroupSizes& s, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y,
                Tensor mean, Tensor rstd) {
  if (x.numel() == 0) return;
  dispatch_float("group_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x), wc = or_constant(weight, s.channels, 1, x.dtype()),
                 bc = or_constant(bias, s.channels, 0, x.dtype());
    const T *in = xc.data<T>(), *w = wc.data<T>(), *b = bc.data<T>();
    T* to = y.mutable_data<T>();
    double *m = mean.mutable_data<double>(), *rs = rstd.mutable_data<double>();
    parallel_for(s.batch * s.groups, row_grain(s.row()), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t channel = r % s.groups * s.group_channels;
        forward_row(s, in + r * s.row(), w + channel, b + channel, to + r * s.row(), eps, m + r, rs + r);
      }
    });
  });
}

void group_norm_backward(const GroupSizes& s, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, Tensor dx, Tensor& dweight, Tensor& dbias) {
  std::vector<double> dw(s.batch * s.channels, 0.0), db(dw.size(), 0.0);
  dispatch_float("group_norm backward", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = or_constant(weight, s.channels, 1, x.dtype()),
                 mc = contiguous(mean), rc = contiguous(rstd);
    const T *g = dyc.data<T>(), *in = xc.data<T>(), *w = wc.data<T>();
    const double *m = mc.data<double>(), *rs = rc.data<double>();
    T* to = dx.mutable_data<T>();
    parallel_for(s.batch * s.groups, row_grain(s.row()), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const int64_t at = r * s.row(), share = r * s.group_channels;  // rows of (image, group) are rows of (image, channel)
        backward_row(s, g + at, in + at, w + r % s.groups * s.group_channels, to + at, m[r], rs[r], &dw[share], &db[share]);
      }
    });
  });
  if (!weight.defined()) return;
  dweight = combine_chunks(dw, s.batch, s.channels, x.dtype());
  dbias = combine_chunks(db, s.batch, s.channels, x.dtype());
}

}  // namespace vitrail::kernels
