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

// One of these functions, element by element: [...] -> [...]. Formulas in tensor/ops/elementwise.h.
class Activation : public Layer {
 public:
  explicit Activation(ActivationKind activation) : kind(activation) {}
  Variable forward(const Variable& x) override;
  ActivationKind kind;
};

// y = x.
class Identity : public Layer {
 public:
  Variable forward(const Variable& x) override { return x; }
};

// [B, ...] -> [B, rest]
class Flatten : public Layer {
 public:
  Variable forward(const Variable& x) override { return flatten(x, 1); }
};

// dropout() of autograd/ops/layers.h with probability p: [...] -> [...]. The identity in evaluation; in training each call
// takes a new stream from default_rng(). Error(kValue) unless 0 <= p < 1.
class Dropout : public Layer {
 public:
  explicit Dropout(double probability);
  Variable forward(const Variable& x) override;
  bool active() const { return training() && p > 0; }
  double p;
};

// drop_path() of autograd/ops/layers.h: drops whole samples of a residual branch (stochastic depth), [B, ...] -> [B, ...].
// Error(kValue) unless 0 <= p < 1.
class DropPath : public Layer {
 public:
  explicit DropPath(double probability);
  Variable forward(const Variable& x) override;
  // The factors [B, 1, ...] by which forward(x) would multiply the samples of x, drawn from the same random stream. Undefined
  // if forward(x) would return x.
  Tensor factors(const Variable& x);
  bool active() const { return training() && p > 0; }
  double p;
};

}  // namespace vitrail::nn
