#include "tensor/ops/norm_checks.h"

#include <cmath>

namespace vitrail::detail {
namespace {

void check_vector(const char* op, const char* name, const Tensor& t, const Tensor& x, int64_t extent) {
  if (!t.defined()) return;
  check(t.dim() == 1 && t.shape()[0] == extent, ErrorKind::kShape, op, name, " must be [", extent, "]: x is ", x.shape(), ", ",
        name, " is ", t.shape(), ".");
  check(t.dtype() == x.dtype(), ErrorKind::kValue, op, "dtypes differ: x is ", name_of(x.dtype()), ", ", name, " is ",
        name_of(t.dtype()), ". Hint: convert with to(", name, ", x.dtype()).");
}

}  // namespace

Shape without_last_axis(const char* op, const Tensor& x) {
  check(x.dim() >= 1, ErrorKind::kShape, op, "needs at least one axis: x is ", x.shape(), ".");
  Shape rows = x.shape();
  rows.erase(rows.size() - 1);
  return rows;
}

int64_t channel_plane(const char* op, const Tensor& x) {
  check(x.dim() >= 2, ErrorKind::kShape, op, "needs [B, C, ...]: x is ", x.shape(), ".");
  int64_t plane = 1;
  for (int axis = 2; axis < x.dim(); ++axis) plane = checked_numel({plane, x.shape()[axis]}, op);
  return plane;
}

void check_norm_arguments(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t extent,
                          double eps) {
  check_vector(op, "weight", weight, x, extent);
  check_vector(op, "bias", bias, x, extent);
  check(weight.defined() || !bias.defined(), ErrorKind::kValue, op, "a bias needs a weight: bias is ",
        bias.defined() ? bias.shape() : Shape{}, ", weight is undefined. Hint: pass ones as weight.");
  check(eps >= 0 && std::isfinite(eps), ErrorKind::kValue, op, "eps must be a finite number >= 0: eps is ", eps, ".");
}

void check_norm_backward(const char* op, const Tensor& dy, const Tensor& x, const Tensor& statistic, const char* name,
                         const Shape& shape) {
  check(dy.shape() == x.shape(), ErrorKind::kShape, op, "dy must have the shape of x: dy is ", dy.shape(), ", x is ", x.shape(),
        ".");
  check(dy.dtype() == x.dtype(), ErrorKind::kValue, op, "dtypes differ: dy is ", name_of(dy.dtype()), ", x is ",
        name_of(x.dtype()), ".");
  check(statistic.defined() && statistic.shape() == shape && statistic.dtype() == Dtype::f64, ErrorKind::kShape, op, name,
        " must be the forward pass's, f64 ", shape, ": x is ", x.shape(), ", ", name, " is ", name_of(statistic.dtype()), " ",
        statistic.shape(), ".");
}

}  // namespace vitrail::detail
