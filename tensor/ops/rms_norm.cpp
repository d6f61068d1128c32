// RMS normalisation: layer normalisation without the mean.
#include "tensor/kernels/rms_norm.h"

#include "tensor/ops/norm_checks.h"
#include "tensor/plain.h"
#include "tensor/reference/norm.h"

namespace vitrail {

RmsNormResult rms_norm_forward(const Tensor& x, const Tensor& weight, double eps) {
  const Shape row_shape = detail::without_last_axis("rms_norm", x);
  const int64_t n = x.shape().back();
  detail::check_norm_arguments("rms_norm", x, weight, {}, n, eps);
  RmsNormResult result{empty(x.shape(), x.dtype()), zeros(row_shape, Dtype::f64)};
  if (runs_plain(PlainOp::kRmsNorm)) {
    reference::rms_norm(x, weight, eps, result.output, result.rrms);
    return result;
  }
  kernels::rms_norm(x, weight, eps, result.output, result.rrms);
  return result;
}

NormGradients rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms) {
  const Shape row_shape = detail::without_last_axis("rms_norm backward", x);
  const int64_t n = x.shape().back();
  detail::check_norm_arguments("rms_norm backward", x, weight, {}, n, 0);
  detail::check_norm_backward("rms_norm backward", dy, x, rrms, "rrms", row_shape);
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  if (runs_plain(PlainOp::kRmsNorm)) {
    if (weight.defined()) d.dweight = empty({n}, x.dtype()), d.dbias = empty({n}, x.dtype());
    reference::rms_norm_backward(dy, x, weight, rrms, d.dx, d.dweight, d.dbias);
    return d;
  }
  kernels::rms_norm_backward(dy, x, weight, rrms, d.dx, d.dweight, d.dbias);
  return d;
}

}  // namespace vitrail
