// Layer normalisation over the last axis.
#include "tensor/kernels/layer_norm.h"

#include "tensor/ops/norm_checks.h"
#include "tensor/ops/rounding.h"
#include "tensor/plain.h"
#include "tensor/reference/norm.h"

namespace vitrail {

LayerNormResult layer_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, bool rounded) {
  const Shape row_shape = detail::without_last_axis("layer_norm", x);
  const int64_t n = x.shape().back();
  detail::check_norm_arguments("layer_norm", x, weight, bias, n, eps);
  check(!rounded || x.dtype() == Dtype::f32, ErrorKind::kValue, "layer_norm", "only f32 is rounded to bf16: dtype is ",
        name_of(x.dtype()));
  LayerNormResult result{empty(x.shape(), rounded ? Dtype::bf16 : x.dtype()), zeros(row_shape, Dtype::f64),
                         zeros(row_shape, Dtype::f64)};
  if (runs_plain(PlainOp::kLayerNorm)) {
    const Tensor y = rounded ? empty(x.shape(), x.dtype()) : result.output;
    reference::layer_norm(x, weight, bias, eps, y, result.mean, result.rstd);
    if (rounded) result.output = round_to_bf16(y);
    return result;
  }
  kernels::layer_norm(x, weight, bias, eps, result.output, result.mean, result.rstd);
  return result;
}

NormGradients layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& rstd) {
  const Shape row_shape = detail::without_last_axis("layer_norm backward", x);
  const int64_t n = x.shape().back();
  detail::check_norm_arguments("layer_norm backward", x, weight, {}, n, 0);
  detail::check_norm_backward("layer_norm backward", dy, x, mean, "mean", row_shape);
  detail::check_norm_backward("layer_norm backward", dy, x, rstd, "rstd", row_shape);
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  if (runs_plain(PlainOp::kLayerNorm)) {
    if (weight.defined()) d.dweight = empty({n}, x.dtype()), d.dbias = empty({n}, x.dtype());
    reference::layer_norm_backward(dy, x, weight, mean, rstd, d.dx, d.dweight, d.dbias);
    return d;
  }
  kernels::layer_norm_backward(dy, x, weight, mean, rstd, d.dx, d.dweight, d.dbias);
  return d;
}

}  // namespace vitrail
