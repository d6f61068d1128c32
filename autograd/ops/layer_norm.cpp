#include "autograd/ops.h"
#include "tensor/ops/norm.h"

namespace vitrail {

// y = (x - mean) rstd weight + bias over the last axis
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps, bool rounded) {
  const Tensor w = weight.defined() ? weight.value() : Tensor(), b = bias.defined() ? bias.value() : Tensor();
  const LayerNormResult result = layer_norm_forward(x.value(), w, b, eps, rounded);
  return record(
      "layer_norm", result.output, {x, weight, bias},
      [xv = Saved(x), wv = Saved(w), mean = Saved(result.mean), rstd = Saved(result.rstd)](const Tensor& dy, Grads& d) {
        const NormGradients g = layer_norm_backward(dy, *xv, *wv, *mean, *rstd);
        if (d.needs(0)) d[0] = g.dx;
        if (d.needs(1)) d[1] = g.dweight;
        if (d.needs(2)) d[2] = g.dbias;
      });
}

}  // namespace vitrail
