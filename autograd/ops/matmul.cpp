#include "tensor/ops/matmul.h"
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

// [..., M, K] x [..., K, N] -> [..., M, N]
Variable matmul(const Variable& a, const Variable& b) {
  if (a.dim() == 1 && b.dim() >= 1) return squeeze(matmul(unsqueeze(a, 0), b), b.dim() == 1 ? 0 : -2);
  if (b.dim() == 1 && a.dim() >= 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [av = Saved(b.requires_grad() ? a : Variable()), bv = Saved(a.requires_grad() ? b : Variable()),
                 a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy, Grads& d) {
                  // Broadcast batch axes are summed away.
                  if (d.needs(0)) d[0] = sum_to(matmul(dy, transpose(*bv)), a_shape);  // [M, N] x [N, K]
                  if (d.needs(1)) d[1] = sum_to(matmul(transpose(*av), dy), b_shape);  // [K, M] x [M, N]
                });
}

}  // namespace vitrail
