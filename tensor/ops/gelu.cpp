// GELU and its derivative.
#include "tensor/reference/gelu.h"

#include "tensor/kernels/gelu.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/elementwise.h"

namespace vitrail {
namespace {

// y_i = gelu(x_i), or gelu'(x_i) with `slope`
Tensor plain_gelu(const Tensor& x, Gelu kind, bool slope) {
  Tensor y = empty_like(x);
  dispatch_float("gelu", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    reference::map<T, T>(x, y, [=](T v) {
      const auto wide = static_cast<double>(v);
      return slope ? reference::gelu_derivative(wide, kind) : reference::gelu(wide, kind);
    });
  });
  return y;
}

void check_kind(Gelu kind) {
  check(kind == Gelu::kExact || kind == Gelu::kTanh || kind == Gelu::kQuick, ErrorKind::kValue, "gelu", "unknown kind ",
        static_cast<int>(kind));
}

}  // namespace

Tensor gelu(const Tensor& x, Gelu kind) {
  check_kind(kind);
  if (runs_plain(PlainOp::kGelu)) return plain_gelu(x, kind, false);
  const Tensor y = empty_like(x);
  kernels::gelu(contiguous(x), kind, y);
  return y;
}

// Strided operands are copied first, because the compiler may contract other multiply-adds in a strided loop, which would
// change the last bits.
Tensor gelu_backward(const Tensor& dy, const Tensor& x, Gelu kind) {
  check(dy.shape() == x.shape(), ErrorKind::kShape, "gelu", "shapes differ: dy is ", dy.shape(), ", x is ", x.shape());
  check_kind(kind);
  if (runs_plain(PlainOp::kGelu)) return mul(dy, plain_gelu(x, kind, true));
  const Tensor dx = empty_like(x);
  kernels::gelu_backward(contiguous(dy), contiguous(x), kind, dx);
  return dx;
}

Tensor gelu_with_slope(const Tensor& x, Tensor& slope) {
  slope = empty_like(x);
  if (runs_plain(PlainOp::kGelu)) {
    slope = plain_gelu(x, Gelu::kExact, true);
    return plain_gelu(x, Gelu::kExact, false);
  }
  const Tensor y = empty_like(x);
  kernels::gelu_with_slope(contiguous(x), y, slope);
  return y;
}

}  // namespace vitrail
