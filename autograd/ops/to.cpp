// Between f32 and f64; the gradient goes back in the input's precision. An integer result would cut the graph without a word.
#include "autograd/ops.h"

namespace vitrail {

Variable to(const Variable& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  check(is_float(x.dtype()) && is_float(dtype), ErrorKind::kValue, "to", "converts between f32 and f64 only: x is ",
        name_of(x.dtype()), ", dtype is ", name_of(dtype), ". Hint: convert the value, to(x.value(), dtype).");
  return record("to", to(x.value(), dtype), {x}, [from = x.dtype()](const Tensor& dy, Grads& d) { d[0] = to(dy, from); });
}

}  // namespace vitrail
