#include "nn/mlp.h"

namespace vitrail::nn {

Mlp::Mlp(int64_t dim, int64_t hidden, Rng& rng, ActivationKind activation, double drop, bool with_bias)
    : fc1(dim, hidden, rng, with_bias), act(activation), drop1(drop), fc2(hidden, dim, rng, with_bias), drop2(drop) {
  register_module("fc1", fc1);
  register_module("act", act);
  register_module("drop1", drop1);
  register_module("fc2", fc2);
  register_module("drop2", drop2);
}

}  // namespace vitrail::nn
