#include "autograd/ops.h"
#include "autograd/ops/linear_backward.h"
#include "tensor/ops/elementwise.h"

namespace vitrail {
namespace {

// h and gelu' of f32 up to this size each are kept for the way back. Above, the layer's argument is kept, half of it, and both
// are made of it again: by the rate of GELU 1 % of a step.
constexpr int64_t kKeptBytes = int64_t{16} << 20;

// The widest arrays of the op: h = gelu(z) and gelu'(z), with z = x W1^T + b1.
struct Hidden {
  Tensor h, slope, z;  // z only where it stands for the other two
};

Hidden hidden_layer(const Tensor& x, const Tensor& weight, const Tensor& bias, Precision precision, bool recorded) {
  Hidden r;
  const int64_t rows = x.numel() > 0 ? x.numel() / x.size(-1) : 0;
  if (recorded && rounds_operands(x, weight.size(0), precision)) {
    r.h = linear_gelu_rounded(x, weight, bias, &r.slope);
  } else if (recorded && rows * weight.size(0) * size_of(weight.dtype()) > kKeptBytes) {
    r.h = linear_gelu(x, weight, bias, {.argument = &r.z}, {precision});
  } else {
    r.h = linear_gelu(x, weight, bias, {.slope = recorded ? &r.slope : nullptr}, {precision});
  }
  return r;
}

}  // namespace

// y = residual + h W2^T + b2 with h = gelu(x W1^T + b1). One op, so that dh = (dy W2) gelu' is one pass over the widest array,
// and so that in bf16 h, gelu' and dh are written rounded: nobody else reads them.
Variable mlp(const Variable& x, const Variable& weight1, const Variable& bias1, const Variable& weight2, const Variable& bias2,
             const Variable& residual) {
  const Precision precision = product_precision();
  const auto value = [](const Variable& v) { return v.defined() ? v.value() : Tensor(); };
  const bool inner = grad_enabled() && (x.requires_grad() || weight1.requires_grad() || bias1.requires_grad());
  const Tensor operand = linear_operand(x, weight1, precision, inner);
  const Hidden hidden = hidden_layer(operand, weight1.value(), value(bias1), precision, inner);
  return record("mlp", linear_add(hidden.h, weight2.value(), value(bias2), residual.value(), {precision}),
                {x, weight1, bias1, weight2, bias2, residual},
                [xv = Saved(weight1.requires_grad() ? operand : Tensor()), w1 = Saved(x.requires_grad() ? weight1 : Variable()),
                 hv = Saved(hidden.z.defined() || !weight2.requires_grad() ? Tensor() : hidden.h), sv = Saved(hidden.slope),
                 zv = Saved(hidden.z), w2 = Saved(inner ? weight2 : Variable()), precision](const Tensor& cotangent, Grads& d) {
                  if (d.needs(5)) d[5] = cotangent;
                  Tensor slope = *sv, h = zv->defined() ? gelu_with_slope(*zv, slope) : *hv;
                  const bool rounded = slope.defined() && slope.dtype() == Dtype::bf16;
                  const LinearCotangent dy(cotangent, rounded, d.needs(4));
                  linear_backward_parameters(dy, h, 3, precision, d);
                  h = {};
                  if (!d.needs(0) && !d.needs(1) && !d.needs(2)) return;
                  linear_backward(rounded ? linear_backward_input_rounded(dy.operand, *w2, slope)
                                          : linear_backward_input(dy.operand, *w2, precision, &slope),
                                  xv, w1, precision, d);
                });
}

}  // namespace vitrail
