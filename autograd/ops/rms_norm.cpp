#include "autograd/ops.h"
#include "tensor/ops/norm.h"

namespace vitrail {

// y = x rrms weight over the last axis
Variable rms_norm(const Variable& x, const Variable& weight, double eps) {
  const Tensor w = weight.defined() ? weight.value() : Tensor();
  const RmsNormResult result = rms_norm_forward(x.value(), w, eps);
  return record("rms_norm", result.output, {x, weight},
                [xv = Saved(x), wv = Saved(w), rrms = Saved(result.rrms)](const Tensor& dy, Grads& d) {
                  const NormGradients g = rms_norm_backward(dy, *xv, *wv, *rrms);
                  if (d.needs(0)) d[0] = g.dx;
                  if (d.needs(1)) d[1] = g.dweight;
                });
}

}  // namespace vitrail
