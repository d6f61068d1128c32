#include "tensor/kernels/batch_norm.h"

#include "tensor/kernels/norm_sums.h"

namespace vitrail::kernels {
namespace {

using namespace detail;  // NOLINT: the sums of all norms

int64_t grain_of(const ChannelSizes& s) { return row_grain(s.count()); }

// Sums term(first element of the channel's plane) over the images of the batch.
template <class Term>
double sum_over_batch(const ChannelSizes& s, int64_t channel, const Term& term) {
  double sum = 0;
  for (int64_t b = 0; b < s.batch; ++b) sum += term(s.at(b, channel));
  return sum;
}

// y = (x - mean) scale w + b for one channel.
template <class T>
void normalise_channel(const ChannelSizes& s, int64_t channel, const T* x, T* y, double mean, double rstd, T weight, T bias) {
  const Centre<T> centre(mean);
  const T scale = static_cast<T>(rstd);
  for (int64_t b = 0; b < s.batch; ++b) {
    const T* in = x + s.at(b, channel);
    T* out = y + s.at(b, channel);
#pragma omp simd
    for (int64_t i = 0; i < s.plane; ++i) out[i] = centre(in[i]) * scale * weight + bias;
  }
}

// With h = (x - mean) rstd: dx = w rstd (dy - mean(dy) - h mean(dy h)), dw = sum dy h, db = sum dy for one channel.
template <class T>
void backward_channel(const ChannelSizes& s, int64_t channel, const T* dy, const T* x, T weight, double mean, double rstd,
                      T* dx, double* dw, double* db) {
  const Centre<T> centre(mean);
  const T scale = static_cast<T>(rstd);
  *db = sum_over_batch(s, channel, [&](int64_t at) { return sum_deviations(dy + at, s.plane, 0); });
  *dw = sum_over_batch(s, channel, [&](int64_t at) {
    return simd_sum(s.plane, [=](auto i) { return widen(i(dy + at) * (centre(i(x + at)) * scale)); });
  });
  const T mean_g = static_cast<T>(*db / static_cast<double>(s.count()));
  const T mean_gh = static_cast<T>(*dw / static_cast<double>(s.count()));
  for (int64_t b = 0; b < s.batch; ++b) {
    const T *g = dy + s.at(b, channel), *in = x + s.at(b, channel);
    T* out = dx + s.at(b, channel);
#pragma omp simd
    for (int64_t i = 0; i < s.plane; ++i) out[i] = weight * scale * (g[i] - mean_g - centre(in[i]) * scale * mean_gh);
  }
}

}  // namespace

void batch_norm(const ChannelSizes& s, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y,
                Tensor mean, Tensor var) {
  if (x.numel() == 0) return;
  dispatch_float("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Tensor xc = contiguous(x), wc = or_constant(weight, s.channels, 1, x.dtype()),
                 bc = or_constant(bias, s.channels, 0, x.dtype());
    const T *in = xc.data<T>(), *w = wc.data<T>(), *b = bc.data<T>();
    T* to = y.mutable_data<T>();
    double *m = mean.mutable_data<double>(), *v = var.mutable_data<double>();
    const double count = static_cast<double>(s.count());
    parallel_for(s.channels, grain_of(s), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        const double first = in[s.at(0, c)];  // subtracted, so that a constant channel has variance zero
        m[c] = first + sum_over_batch(s, c, [&](int64_t at) { return sum_deviations(in + at, s.plane, first); }) / count;
        v[c] = sum_over_batch(s, c, [&](int64_t at) { return sum_squared_deviations(in + at, s.plane, m[c]); }) / count;
        normalise_channel(s, c, in, to, m[c], reciprocal_deviation(v[c], eps), w[c], b[c]);
      }
    });
  });
}

void batch_norm_backward(const ChannelSizes& s, const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& var, double eps, Tensor dx, Tensor& dweight, Tensor& dbias) {
  std::vector<double> dw(s.channels, 0.0), db(s.channels, 0.0);
  dispatch_float("batch_norm backward", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = or_constant(weight, s.channels, 1, x.dtype()),
                 mc = contiguous(mean), vc = contiguous(var);
    const T *g = dyc.data<T>(), *in = xc.data<T>(), *w = wc.data<T>();
    const double *m = mc.data<double>(), *v = vc.data<double>();
    T* to = dx.mutable_data<T>();
    parallel_for(s.channels, grain_of(s), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c)
        backward_channel(s, c, g, in, w[c], m[c], reciprocal_deviation(v[c], eps), to, &dw[c], &db[c]);
    });
  });
  if (!weight.defined()) return;
  dweight = combine_chunks(dw, 1, s.channels, x.dtype());
  dbias = combine_chunks(db, 1, s.channels, x.dtype());
}

}  // namespace vitrail::kernels
