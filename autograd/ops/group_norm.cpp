#include "autograd/ops.h"
#include "tensor/ops/norm.h"

namespace vitrail {

// Statistics per sample and group of channels.
Variable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias, double eps) {
  const Tensor w = weight.defined() ? weight.value() : Tensor(), b = bias.defined() ? bias.value() : Tensor();
  const GroupNormResult result = group_norm_forward(x.value(), groups, w, b, eps);
  return record(
      "group_norm", result.output, {x, weight, bias},
      [xv = Saved(x), wv = Saved(w), mean = Saved(result.mean), rstd = Saved(result.rstd), groups](const Tensor& dy, Grads& d) {
        const NormGradients g = group_norm_backward(dy, *xv, groups, *wv, *mean, *rstd);
        if (d.needs(0)) d[0] = g.dx;
        if (d.needs(1)) d[1] = g.dweight;
        if (d.needs(2)) d[2] = g.dbias;
      });
}

}  // namespace vitrail
