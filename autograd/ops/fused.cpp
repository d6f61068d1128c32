#include "autograd/ops/fused.h"

#include "autograd/ops/linear_backward.h"
#include "tensor/ops/elementwise.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// h and gelu' in f32 are kept for the backward pass if each takes at most this many bytes. If they are larger, only the
// argument of the GELU is kept, half the memory, and both are computed from it again, which takes about 1 % of a step.
constexpr int64_t kKeptBytes = int64_t{16} << 20;

LinearOptions options_of(Precision precision) { return {.precision = precision, .keep_packed = !grad_enabled()}; }

// The last product of a residual branch, y = residual + samples gamma (x W^T + b), and what its backward pass needs.
class BranchOutput {
 public:
  // `x_wanted`: true if x needs a gradient.
  BranchOutput(const Variable& weight, const Variable& bias, const Branch& branch, bool x_wanted, Precision precision)
      : weight_(x_wanted || branch.gamma.requires_grad() ? weight : Variable()),
        bias_(branch.gamma.requires_grad() ? bias : Variable()),
        gamma_(branch.gamma),
        samples_(branch.samples),
        precision_(precision) {}

  // d = samples dy, in the form that the products read. `weight` and `gamma` are the indices of these inputs in d; the bias
  // follows the weight.
  LinearCotangent cotangent(const Tensor& dy, bool rounded, int weight, int gamma, const Grads& d) const {
    return {dy, rounded, d.needs(weight + 1) || d.needs(gamma), *samples_};
  }
  // gamma W, the factor of d in dx.
  Tensor weight() const { return gamma_->defined() ? mul(*weight_, reshape(*gamma_, {gamma_->numel(), 1})) : *weight_; }
  // The gradients of weight, bias and gamma, where they are wanted.
  void parameters(const LinearCotangent& dy, const Tensor& x, int weight, int gamma, Grads& d) const {
    if (!gamma_->defined()) return linear_backward_parameters(dy, x, weight, precision_, d);
    if (d.needs(weight + 1)) d[weight + 1] = mul(dy.sum, *gamma_);
    if (!d.needs(weight) && !d.needs(gamma)) return;
    Tensor dw = linear_backward_weight(dy.operand, x, precision_);  // [N, M] x [M, K], still without gamma
    if (d.needs(gamma)) {
      d[gamma] = linear_backward_scale(dw, *weight_, *bias_, dy.sum, *gamma_);
    } else {
      dw = mul(dw, reshape(*gamma_, {gamma_->numel(), 1}));
    }
    if (d.needs(weight)) d[weight] = dw;
  }

 private:
  Saved weight_, bias_, gamma_, samples_;
  Precision precision_;
};

// The widest arrays of mlp: h = gelu(z) and gelu'(z), with z = x W1^T + b1.
struct Hidden {
  Tensor h, slope, z;  // z is defined only if it is kept instead of h and slope
};

Hidden hidden_layer(const Tensor& x, const Tensor& weight, const Tensor& bias, Precision precision, bool recorded) {
  Hidden r;
  const int64_t rows = x.numel() > 0 ? x.numel() / x.size(-1) : 0;
  const LinearOptions options = options_of(precision);
  if (rounds_operands(x, weight.size(0), precision)) {
    r.h = linear_gelu_rounded(x, weight, bias, recorded ? &r.slope : nullptr, options.keep_packed);
  } else if (recorded && rows * weight.size(0) * size_of(weight.dtype()) > kKeptBytes) {
    r.h = linear_gelu(x, weight, bias, {.argument = &r.z}, options);
  } else {
    r.h = linear_gelu(x, weight, bias, {.slope = recorded ? &r.slope : nullptr}, options);
  }
  return r;
}

}  // namespace

// y = residual + samples gamma (x W^T + b); with d = samples dy: dx = d (gamma W), dW = gamma d^T x, db = gamma sum of d,
// dgamma = sum of d (x W^T + b), which linear_backward_scale() takes from d^T x
Variable linear_add(const Variable& x, const Variable& weight, const Variable& bias, const Variable& residual,
                    const Branch& branch) {
  const Precision precision = product_precision();
  const bool x_kept = weight.requires_grad() || branch.gamma.requires_grad();
  const Tensor operand = linear_operand(x, weight, precision, grad_enabled() && x_kept);
  return record(
      "linear_add",
      linear_add(operand, weight.value(), value_or_none(bias), residual.value(), {value_or_none(branch.gamma), branch.samples},
                 options_of(precision)),
      {x, weight, bias, residual, branch.gamma},
      [xv = Saved(x_kept ? operand : Tensor()), out = BranchOutput(weight, bias, branch, x.requires_grad(), precision),
       precision](const Tensor& cotangent, Grads& d) {
        if (d.needs(3)) d[3] = cotangent;
        const bool rounded = xv->defined() && xv->dtype() == Dtype::bf16;
        const LinearCotangent dy = out.cotangent(cotangent, rounded, 1, 4, d);
        if (d.needs(0)) d[0] = linear_backward_input(dy.operand, out.weight(), precision);  // [M, N] x [N, K]
        out.parameters(dy, *xv, 1, 4, d);
      });
}

// y = residual + samples gamma (h W2^T + b2) with h = gelu(x W1^T + b1); dh = (d (gamma W2)) gelu' in one pass
Variable mlp(const Variable& x, const Variable& weight1, const Variable& bias1, const Variable& weight2, const Variable& bias2,
             const Variable& residual, const Branch& branch) {
  const Precision precision = product_precision();
  const bool inner = grad_enabled() && (x.requires_grad() || weight1.requires_grad() || bias1.requires_grad());
  const bool h_kept = weight2.requires_grad() || branch.gamma.requires_grad();
  const Tensor operand = linear_operand(x, weight1, precision, inner);
  const Hidden hidden = hidden_layer(operand, weight1.value(), value_or_none(bias1), precision, inner);
  return record(
      "mlp",
      linear_add(hidden.h, weight2.value(), value_or_none(bias2), residual.value(),
                 {value_or_none(branch.gamma), branch.samples}, options_of(precision)),
      {x, weight1, bias1, weight2, bias2, residual, branch.gamma},
      [xv = Saved(weight1.requires_grad() ? operand : Tensor()), w1 = Saved(x.requires_grad() ? weight1 : Variable()),
       hv = Saved(hidden.z.defined() || !h_kept ? Tensor() : hidden.h), sv = Saved(hidden.slope), zv = Saved(hidden.z),
       out = BranchOutput(weight2, bias2, branch, inner, precision), precision](const Tensor& cotangent, Grads& d) {
        if (d.needs(5)) d[5] = cotangent;
        Tensor slope = *sv, h = zv->defined() ? gelu_with_slope(*zv, slope) : *hv;
        const bool rounded = slope.defined() ? slope.dtype() == Dtype::bf16 : h.defined() && h.dtype() == Dtype::bf16;
        const LinearCotangent dy = out.cotangent(cotangent, rounded, 3, 6, d);
        out.parameters(dy, h, 3, 6, d);
        h = {};
        if (!d.needs(0) && !d.needs(1) && !d.needs(2)) return;
        linear_backward(rounded ? linear_backward_input_rounded(dy.operand, out.weight(), slope)
                                : linear_backward_input(dy.operand, out.weight(), precision, &slope),
                        xv, w1, precision, d);
      });
}

}  // namespace vitrail
