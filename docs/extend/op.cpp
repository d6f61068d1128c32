// A new op: softsign(x) = x / (1 + |x|), with its gradient dx = dy / (1 + |x|)^2.
#include <cstdio>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"

namespace vitrail {

// 1. The value, from tensors to tensors: in the project a function of tensor/ops/, with its test in tests/tensor/ops/.
Tensor softsign(const Tensor& x) { return x / (1 + abs(x)); }

// 2. The differentiable op: forward and backward side by side under the formula, in its family file of autograd/ops/.
// y = x / (1 + |x|); dx = dy / (1 + |x|)^2
Variable softsign(const Variable& x) {
  return record("softsign", softsign(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    d[0] = dy / square(1 + abs(*xv));
  });
}

// 3. One declaration in the header of its family, here autograd/ops/math.h:  Variable softsign(const Variable& x);
// 4. One row in tests/op_cases_elementwise.cpp; without it the library does not build. It does what main() does here.

}  // namespace vitrail

int main() {
  using namespace vitrail;
  const Variable x(rand_normal({3, 5}, 0, 2, Rng(1), Dtype::f64), true);
  const GradcheckResult result = gradcheck([](const std::vector<Variable>& in) { return softsign(in[0]); }, {x});
  std::printf("softsign: gradient %s, largest error %.1e\n", result.ok ? "right" : result.message.c_str(), result.max_error);
  return result.ok ? 0 : 1;
}
