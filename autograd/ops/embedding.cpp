// A row that was looked up several times sums its gradients.
#include "autograd/ops.h"

namespace vitrail {

Variable embedding(const Variable& weight, const Tensor& index) {
  return record("embedding", embedding(weight.value(), index), {weight},
                [from = weight.shape(), at = Saved(index)](const Tensor& dy, Grads& d) { d[0] = index_add(from, 0, *at, dy); });
}

}  // namespace vitrail
