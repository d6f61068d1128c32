#pragma once

#include "nn/activation.h"
#include "nn/linear.h"

namespace vitrail::nn {

// The MLP of a Transformer block, fc2(act(fc1(x))) with dropout after both layers: [..., D] -> [..., D].
// fc1.weight is [hidden, D], fc2.weight [D, hidden].
class Mlp : public Layer {
 public:
  Mlp(int64_t dim, int64_t hidden, Rng& rng, ActivationKind activation = ActivationKind::kGelu, double drop = 0,
      bool with_bias = true);
  Mlp(int64_t dim, int64_t hidden, Rng&& rng, ActivationKind activation = ActivationKind::kGelu, double drop = 0,
      bool with_bias = true)
      : Mlp(dim, hidden, rng, activation, drop, with_bias) {}
  Variable forward(const Variable& x) override { return drop2(fc2(drop1(act(fc1(x))))); }

  Linear fc1;
  Activation act;
  Dropout drop1;
  Linear fc2;
  Dropout drop2;
};

}  // namespace vitrail::nn
