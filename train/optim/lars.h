// LARS: SGD with momentum whose rate of each parameter is in proportion to the parameter's size over its gradient's.
#pragma once

#include "train/optim/optim.h"

namespace vitrail {

struct LarsOptions {
  double momentum = 0.9;
  double trust_coefficient = 0.001;
};

// a = eta ||p|| / (||g|| + wd ||p||);  b = momentum b + a (g + wd p);  p -= lr b,
// the Euclidean norms over a whole parameter, eta the trust coefficient. a is 1 where either norm is 0. Since a step is about
// lr eta of the parameter's size, lr is large, 1 to 10; and wd is small, up to 1e-3: where wd ||p|| exceeds ||g||, decay is
// almost all that happens. You et al., arXiv:1708.03888, algorithm 1; but lr stands outside the buffer, as in Sgd and in timm's
// Lars: a rate that falls then slows what earlier gradients left behind as well.
//
// In groups without trust_ratio (biases, scales of norms, tokens: make_param_groups()) a is 1, and the rule that of Sgd: there
// a bias that starts near zero would hardly move. timm's Lars leaves out the same parameters, but tells them by a weight decay
// of 0.
class Lars final : public Optimizer {
 public:
  // Error(kValue) for a momentum outside [0, 1) or a trust coefficient that is not above 0 and finite.
  explicit Lars(std::vector<ParamGroup> groups, const LarsOptions& options = {});
  const char* name() const override { return "lars"; }

 private:
  bool measures() const override { return true; }
  Norms measure(const Chunk<float>& c) const override;
  Norms measure(const Chunk<double>& c) const override;
  double trust(const Norms& norms, double weight_decay) const override;
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  LarsOptions options_;
};

}  // namespace vitrail
