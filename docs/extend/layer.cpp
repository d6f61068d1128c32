// A new layer: the gated linear unit y = (x W1^T + b1) * sigmoid(x W2^T + b2) (Dauphin et al., arXiv:1612.08083, equation 1).
// In the project: nn/gated_linear.h and nn/gated_linear.cpp. No other file changes.
#include <cstdio>

#include "autograd/ops.h"
#include "nn/nn.h"

namespace vitrail::nn {

class GatedLinear : public Layer {
 public:
  GatedLinear(int64_t in, int64_t out, Rng& rng) : value(in, out, rng), gate(in, out, rng) {
    register_module("value", value);  // its parameters are "value.weight" and "value.bias"
    register_module("gate", gate);
  }
  // [..., in] -> [..., out]
  Variable forward(const Variable& x) override { return value(x) * sigmoid(gate(x)); }

  Linear value, gate;
};

}  // namespace vitrail::nn

int main() {
  using namespace vitrail;
  Rng rng(1);
  nn::GatedLinear layer(8, 4, rng);
  const Variable y = layer(rand_normal({2, 3, 8}, 0, 1, rng.split()));
  sum(y).backward();
  for (const auto& [name, parameter] : layer.named_parameters())
    std::printf("%-14s %s, gradient %s\n", name.c_str(), cat(parameter->shape()).c_str(), cat(parameter->grad().shape()).c_str());
  return y.shape() == Shape{2, 3, 4} && layer.named_parameters().size() == 4 ? 0 : 1;
}
