// LAMB: Adam whose step of each parameter has the size of the parameter, for batches of thousands of images.
#pragma once

#include "train/optim/optim.h"

namespace vitrail {

struct LambOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-6;
};

// m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  r = (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) + wd p;
//   p -= lr (||p|| / ||r||) r,
// the Euclidean norms over a whole parameter. The ratio is 1 where either norm is 0, so that what starts at zero begins to
// move. You et al., arXiv:1904.00962, algorithm 2, with phi(z) = z.
//
// In groups without trust_ratio (biases, scales of norms, tokens: make_param_groups()) the ratio is 1 as well, and the rule
// that of AdamW: the size of a bias says nothing about how far it should move. timm's Lamb leaves out the same parameters, but
// tells them by a weight decay of 0; here the matrices keep their ratio without decay, since the meaning of lr hangs on it.
class Lamb final : public Optimizer {
 public:
  // Error(kValue) for a beta outside [0, 1) or eps of at most 0.
  explicit Lamb(std::vector<ParamGroup> groups, const LambOptions& options = {});
  const char* name() const override { return "lamb"; }

 private:
  bool measures() const override { return true; }
  Norms measure(const Chunk<float>& c) const override;
  Norms measure(const Chunk<double>& c) const override;
  double trust(const Norms& norms, double weight_decay) const override;
  void update(const Chunk<float>& c) const override;
  void update(const Chunk<double>& c) const override;
  LambOptions options_;
};

}  // namespace vitrail
