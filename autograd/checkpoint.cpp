#include "autograd/checkpoint.h"

#include "autograd/node.h"
#include "tensor/rng.h"

namespace vitrail {
namespace {

// Sets default_rng back to what it was, for as long as it lives.
struct RewoundRng {
  explicit RewoundRng(const Rng& then) : now(default_rng()) { default_rng() = then; }
  ~RewoundRng() { default_rng() = now; }
  Rng now;
};

}  // namespace

Variable checkpoint(const std::function<Variable(const Variable&)>& fn, const Variable& x) {
  if (!grad_enabled()) return fn(x);
  const Rng rng = default_rng();
  Tensor value;
  {
    const NoGradGuard no_grad;
    value = fn(x).value();
  }
  // The second input makes the op part of the graph although x may need no gradient: the parameters inside fn do.
  const Variable anchor(zeros({}, value.dtype()), true);
  return record("checkpoint", value, {x, anchor}, [fn, xv = Saved(x), rng](const Tensor& dy, Grads& d) {
    const RewoundRng rewound(rng);
    const EnableGradGuard enable_grad;
    const Variable input(*xv, d.needs(0));
    const Variable output = fn(input);
    if (output.requires_grad()) output.backward(dy);
    if (d.needs(0)) d[0] = input.grad();
  });
}

}  // namespace vitrail
