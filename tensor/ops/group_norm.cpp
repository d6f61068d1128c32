// Group normalisation over groups of channels and space.
#include "tensor/kernels/group_norm.h"

#include "tensor/ops/norm_checks.h"

namespace vitrail {
namespace {

using kernels::GroupSizes;

GroupSizes sizes_of(const char* op, const Tensor& x, int64_t groups) {
  const int64_t plane = detail::channel_plane(op, x);
  check(groups >= 1 && x.size(1) % groups == 0, ErrorKind::kValue, op, "groups must divide the channels: x is ", x.shape(),
        " (C = ", x.size(1), "), groups is ", groups, ".");
  return {x.size(0), x.size(1), plane, groups, x.size(1) / groups};
}

}  // namespace

GroupNormResult group_norm_forward(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps) {
  const GroupSizes s = sizes_of("group_norm", x, groups);
  detail::check_norm_arguments("group_norm", x, weight, bias, s.channels, eps);
  const Shape rows{s.batch, groups};
  GroupNormResult result{empty(x.shape(), x.dtype()), zeros(rows, Dtype::f64), zeros(rows, Dtype::f64)};
  kernels::group_norm(s, x, weight, bias, eps, result.output, result.mean, result.rstd);
  return result;
}

NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& mean,
                                  const Tensor& rstd) {
  const char* op = "group_norm backward";
  const GroupSizes s = sizes_of(op, x, groups);
  detail::check_norm_arguments(op, x, weight, {}, s.channels, 0);
  detail::check_norm_backward(op, dy, x, mean, "mean", {s.batch, groups});
  detail::check_norm_backward(op, dy, x, rstd, "rstd", {s.batch, groups});
  NormGradients d{empty(x.shape(), x.dtype()), {}, {}};
  kernels::group_norm_backward(s, dy, x, weight, mean, rstd, d.dx, d.dweight, d.dbias);
  return d;
}

}  // namespace vitrail
