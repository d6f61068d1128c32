#include "tensor/ops/softmax.h"

#include "tensor/kernels/softmax.h"
#include "tensor/plain.h"
#include "tensor/reference/softmax.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

void plain_form(PlainOp op, const Tensor& x, const Tensor& y, Tensor out) {
  if (op == PlainOp::kSoftmax) return y.defined() ? reference::softmax_backward(x, y, out) : reference::softmax(x, out);
  y.defined() ? reference::log_softmax_backward(x, y, out) : reference::log_softmax(x, out);
}

void fast_form(PlainOp op, const Tensor& x, const Tensor& y, Tensor out) {
  if (op == PlainOp::kSoftmax) return y.defined() ? kernels::softmax_backward(x, y, out) : kernels::softmax(x, out);
  y.defined() ? kernels::log_softmax_backward(x, y, out) : kernels::log_softmax(x, out);
}

// The forward pass on x, or, if y is defined, the backward pass for x = dy and y. The axis is moved to the end first.
Tensor by_rows(PlainOp form, const Tensor& x, const Tensor& y, int axis) {
  const char* op = plain_name(form);
  if (x.dim() == 0) return reshape(by_rows(form, reshape(x, {1}), y.defined() ? reshape(y, {1}) : y, 0), {});
  axis = normalize_axis(axis, x.dim(), op);
  check(!y.defined() || y.shape() == x.shape(), ErrorKind::kShape, op, "shapes differ: dy is ", x.shape(), ", y is ",
        y.shape());
  check(is_float(x.dtype()), ErrorKind::kValue, op, "needs a float tensor: dtype is ", name_of(x.dtype()),
        ". Hint: convert with to(x, Dtype::f32).");
  const Tensor in = transpose(x, axis, -1), second = y.defined() ? transpose(y, axis, -1) : y;
  if (runs_plain(form)) {
    const Tensor out = empty_like(x);
    plain_form(form, in, second, transpose(out, axis, -1));
    return out;
  }
  const Tensor out = empty_like(in);
  fast_form(form, contiguous(in), second.defined() ? contiguous(second) : second, out);
  return contiguous(transpose(out, axis, -1));
}

}  // namespace

Tensor softmax(const Tensor& x, int axis) { return by_rows(PlainOp::kSoftmax, x, {}, axis); }
Tensor log_softmax(const Tensor& x, int axis) { return by_rows(PlainOp::kLogSoftmax, x, {}, axis); }
Tensor softmax_backward(const Tensor& dy, const Tensor& y, int axis) { return by_rows(PlainOp::kSoftmax, dy, y, axis); }
Tensor log_softmax_backward(const Tensor& dy, const Tensor& y, int axis) { return by_rows(PlainOp::kLogSoftmax, dy, y, axis); }

}  // namespace vitrail
