#pragma once

#include <string>

#include "autograd/ops/shape.h"
#include "nn/layer.h"

namespace vitrail::nn {

enum class ActivationKind { kRelu, kGelu, kGeluTanh, kQuickGelu, kSilu, kTanh, kSigmoid };

// "relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid"
const char* activation_name(ActivationKind kind);
// Error(kValue) listing the names for an unknown one.
ActivationKind activation_from_name(const std::string& name);

class Activation : public Layer {
 public:
  explicit Activation(ActivationKind activation) : kind(activation) {}
  Variable forward(const Variable& x) override;
  ActivationKind kind;
};

class Identity : public Layer {
 public:
  Variable forward(const Variable& x) override { return x; }
};

// [B, ...] -> [B, rest]
class Flatten : public Layer {
 public:
  Variable forward(const Variable& x) override { return flatten(x, 1); }
};

// Identity in evaluation; in training each call draws a new stream from default_rng().
class Dropout : public Layer {
 public:
  explicit Dropout(double probability);
  Variable forward(const Variable& x) override;
  bool active() const { return training() && p > 0; }
  double p;
};

// Drops whole samples of a residual branch: stochastic depth.
class DropPath : public Layer {
 public:
  explicit DropPath(double probability);
  Variable forward(const Variable& x) override;
  bool active() const { return training() && p > 0; }
  double p;
};

}  // namespace vitrail::nn
