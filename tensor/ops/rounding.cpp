#include "tensor/ops/rounding.h"

#include "tensor/kernels/rounding.h"
#include "tensor/ops/elementwise.h"
#include "tensor/plain.h"
#include "tensor/reference/linear.h"
#include "tensor/reference/rounding.h"
#include "tensor/view.h"

namespace vitrail {

Tensor round_to_bf16(const Tensor& x, Tensor* column_sums, const Tensor* samples) {
  check(x.dtype() == Dtype::f32 || x.dtype() == Dtype::bf16, ErrorKind::kValue, "round_to_bf16", "x is f32: dtype is ",
        name_of(x.dtype()));
  check(!column_sums || x.dim() >= 1, ErrorKind::kShape, "round_to_bf16", "a scalar has no columns");
  check(!samples || (x.dim() >= 2 && samples->numel() == x.size(0)), ErrorKind::kShape, "round_to_bf16",
        "samples holds one factor per index of axis 0: samples is ", samples ? samples->shape() : Shape{}, ", x is ",
        x.shape());
  if (samples && (x.dtype() == Dtype::bf16 || runs_plain(PlainOp::kRounding)))
    return round_to_bf16(mul(to(x, Dtype::f32), *samples), column_sums);
  if (runs_plain(PlainOp::kRounding)) {
    if (column_sums) {
      *column_sums = empty({x.size(-1)}, Dtype::f32, "round_to_bf16");
      reference::linear_backward_bias(x, *column_sums);
    }
    if (x.dtype() == Dtype::bf16) return x;
    const Tensor out = empty(x.shape(), Dtype::bf16, "round_to_bf16");
    reference::round_to_bf16(x, out);
    return out;
  }
  if (x.dtype() == Dtype::bf16) {
    check(x.is_contiguous(), ErrorKind::kValue, "round_to_bf16", "rounded numbers must be contiguous");
    kernels::round_to_bf16(x, {}, column_sums, nullptr);
    return x;
  }
  const Tensor from = contiguous(x), factors = samples ? contiguous(*samples) : Tensor();
  Tensor out = empty(x.shape(), Dtype::bf16, "round_to_bf16");
  kernels::round_to_bf16(from, out, column_sums, samples ? &factors : nullptr);
  return out;
}

Tensor widen_bf16(const Tensor& x) {
  check(x.is_contiguous(), ErrorKind::kValue, "widen_bf16", "rounded numbers must be contiguous");
  Tensor out = empty(x.shape(), Dtype::f32, "widen_bf16");
  if (runs_plain(PlainOp::kRounding)) {
    reference::widen_bf16(x, out);
    return out;
  }
  kernels::widen_bf16(x, out);
  return out;
}

}  // namespace vitrail
