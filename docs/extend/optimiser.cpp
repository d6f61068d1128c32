// A new optimiser: sign descent, p -= lr (sign(g) + wd p) (Bernstein et al., arXiv:1802.04434, algorithm 1, one worker).
// In the project: a class in train/optim/, and a line in make_optimizer() of train/config.cpp.
#include <cstdio>

#include "autograd/ops.h"
#include "nn/nn.h"
#include "train/optim/optim.h"

namespace vitrail {

class SignDescent final : public Optimizer {
 public:
  explicit SignDescent(std::vector<ParamGroup> groups) : Optimizer(std::move(groups), /*state_names=*/{}) {}
  const char* name() const override { return "sign descent"; }

 private:
  // Updates one chunk of one parameter. The base class cuts parameters into chunks and runs them in parallel.
  template <class T>
  static void apply(const Chunk<T>& c) {
    for (int64_t i = 0; i < c.n; ++i) {
      const double sign = (c.g[i] > 0) - (c.g[i] < 0);
      c.p[i] -= static_cast<T>(c.lr * (sign + c.weight_decay * c.p[i]));
    }
  }
  void update(const Chunk<float>& c) const override { apply(c); }
  void update(const Chunk<double>& c) const override { apply(c); }
};

}  // namespace vitrail

int main() {
  using namespace vitrail;
  Rng rng(1);
  nn::Linear model(4, 1, rng);
  SignDescent optimizer(make_param_groups(model, 0.0));
  const Tensor x = rand_normal({64, 4}, 0, 1, rng.split()), y = sum(x, {1}, /*keepdim=*/true);
  double first = 0, last = 0;
  for (int step = 0; step < 200; ++step, optimizer.zero_grad()) {
    const Variable loss = mse_loss(model(x), y);
    loss.backward();
    optimizer.step(0.01);
    last = loss.item();
    if (step == 0) first = last;
  }
  std::printf("loss %.3f, after 200 steps of sign descent %.5f\n", first, last);
  return last < 0.01 * first ? 0 : 1;
}
