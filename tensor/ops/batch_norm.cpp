// Batch normalisation: statistics of one channel over batch and space.
#include "tensor/kernels/batch_norm.h"

#include "tensor/ops/norm_checks.h"

namespace vitrail {
namespace {

using kernels::ChannelSizes;

ChannelSizes sizes_of(const char* op, const Tensor& x) {
  const int64_t plane = detail::channel_plane(op, x);
  return {x.size(0), x.size(1), plane};
}

}  // namespace

BatchNormResult batch_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const ChannelSizes s = sizes_of("batch_norm", x);
  detail::check_norm_arguments("batch_norm", x, weight, bias, s.channels, eps);
  check(s.count() != 1 || s.channels == 0, ErrorKind::kValue, "batch_norm",
        "training needs more than one value a channel, one value minus its own mean is 0: x is ", x.shape(),
        ". Hint: larger batches or images, or the layer in evaluation, eval(), where it uses its running statistics.");
  BatchNormResult result{empty(x.shape(), x.dtype()), zeros({s.channels}, Dtype::f64), zeros({s.channels}, Dtype::f64)};
  kernels::batch_norm(s, x, weight, bias, eps, result.output, result.mean, result.var);
  return result;
}

NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& var, double eps) {
  const char* op = "batch_norm backward";
  const ChannelSizes s = sizes_of(op, x);
  detail::check_norm_arguments(op, x, weight, {}, s.channels, eps);
  detail::check_norm_backward(op, dy, x, mean, "mean", {s.channels});
  detail::check_norm_backward(op, dy, x, var, "var", {s.channels});
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  kernels::batch_norm_backward(s, dy, x, weight, mean, var, eps, d.dx, d.dweight, d.dbias);
  return d;
}

}  // namespace vitrail
