// broadcast_to with -1 for "as it is".
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

Variable expand(const Variable& x, const Shape& shape) {
  return broadcast_to(x, expand(x.value(), shape).shape());  // the tensor's function resolves -1
}

}  // namespace vitrail
