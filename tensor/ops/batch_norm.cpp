// Batch normalisation: statistics of one channel over batch and space. Each channel is one thread's, from its sums to its
// gradient, so the order of its additions does not depend on the number of threads.
#include "tensor/kernels/norm_detail.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

using detail::Centre;

struct Sizes {
  int64_t batch, channels, plane;
  int64_t count() const { return batch * plane; }  // values of one channel
  int64_t at(int64_t b, int64_t c) const { return (b * channels + c) * plane; }
  int64_t grain() const { return detail::row_grain(count()); }
};

Sizes sizes_of(const char* op, const Tensor& x) {
  const int64_t plane = detail::channel_plane(op, x);
  return {x.size(0), x.size(1), plane};
}

// Sums term(x + plane of image b) over the batch.
template <class Term>
double sum_over_batch(const Sizes& s, int64_t channel, const Term& term) {
  double sum = 0;
  for (int64_t b = 0; b < s.batch; ++b) sum += term(s.at(b, channel));
  return sum;
}

// y = (x - mean) scale w + b for one channel.
template <class T>
void normalise_channel(const Sizes& s, int64_t channel, const T* x, T* y, double mean, double rstd, T weight, T bias) {
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
void backward_channel(const Sizes& s, int64_t channel, const T* dy, const T* x, T weight, double mean, double rstd, T* dx,
                      double* dw, double* db) {
  const Centre<T> centre(mean);
  const T scale = static_cast<T>(rstd);
  *db = sum_over_batch(s, channel, [&](int64_t at) { return detail::sum_deviations(dy + at, s.plane, 0); });
  *dw = sum_over_batch(s, channel, [&](int64_t at) {
    return detail::simd_sum(s.plane, [=](auto i) { return detail::widen(i(dy + at) * (centre(i(x + at)) * scale)); });
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

BatchNormResult batch_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const Sizes s = sizes_of("batch_norm", x);
  detail::check_norm_arguments("batch_norm", x, weight, bias, s.channels, eps);
  check(s.count() != 1 || s.channels == 0, ErrorKind::kValue, "batch_norm",
        "training needs more than one value a channel, one value minus its own mean is 0: x is ", x.shape(),
        ". Hint: larger batches or images, or the layer in evaluation, eval(), where it uses its running statistics.");
  BatchNormResult result{empty(x.shape(), x.dtype()), zeros({s.channels}, Dtype::f64), zeros({s.channels}, Dtype::f64)};
  dispatch_float("batch_norm", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor xc = contiguous(x), wc = detail::or_constant(weight, s.channels, 1, x.dtype()),
                 bc = detail::or_constant(bias, s.channels, 0, x.dtype());
    const T *in = xc.data<T>(), *w = wc.data<T>(), *b = bc.data<T>();
    T* y = result.output.mutable_data<T>();
    double *mean = result.mean.mutable_data<double>(), *var = result.var.mutable_data<double>();
    const double count = static_cast<double>(s.count());
    parallel_for(s.channels, s.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        const double first = in[s.at(0, c)];  // subtracted, so that a constant channel has variance zero
        mean[c] =
            first + sum_over_batch(s, c, [&](int64_t at) { return detail::sum_deviations(in + at, s.plane, first); }) / count;
        var[c] =
            sum_over_batch(s, c, [&](int64_t at) { return detail::sum_squared_deviations(in + at, s.plane, mean[c]); }) / count;
        normalise_channel(s, c, in, y, mean[c], detail::reciprocal_deviation(var[c], eps), w[c], b[c]);
      }
    });
  });
  return result;
}

NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& var, double eps) {
  const char* op = "batch_norm backward";
  const Sizes s = sizes_of(op, x);
  detail::check_norm_arguments(op, x, weight, {}, s.channels, eps);
  detail::check_norm_backward(op, dy, x, mean, "mean", {s.channels});
  detail::check_norm_backward(op, dy, x, var, "var", {s.channels});
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  std::vector<double> dw(s.channels, 0.0), db(s.channels, 0.0);
  dispatch_float(op, x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (x.numel() == 0) return;
    const Tensor dyc = contiguous(dy), xc = contiguous(x), wc = detail::or_constant(weight, s.channels, 1, x.dtype()),
                 mc = contiguous(mean), vc = contiguous(var);
    const T *g = dyc.data<T>(), *in = xc.data<T>(), *w = wc.data<T>();
    const double *m = mc.data<double>(), *v = vc.data<double>();
    T* dx = d.dx.mutable_data<T>();
    parallel_for(s.channels, s.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) {
        backward_channel(s, c, g, in, w[c], m[c], detail::reciprocal_deviation(v[c], eps), dx, &dw[c], &db[c]);
      }
    });
  });
  if (weight.defined()) {
    d.dweight = detail::combine_chunks(dw, 1, s.channels, x.dtype());
    d.dbias = detail::combine_chunks(db, 1, s.channels, x.dtype());
  }
  return d;
}

}  // namespace vitrail
