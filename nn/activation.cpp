#include "nn/activation.h"

#include "base/text.h"

#include <array>

namespace vitrail::nn {
namespace {

struct Named {
  ActivationKind kind;
  const char* name;
};
constexpr std::array<Named, 7> kNames{{{ActivationKind::kRelu, "relu"},
                                       {ActivationKind::kGelu, "gelu"},
                                       {ActivationKind::kGeluTanh, "gelu_tanh"},
                                       {ActivationKind::kQuickGelu, "quick_gelu"},
                                       {ActivationKind::kSilu, "silu"},
                                       {ActivationKind::kTanh, "tanh"},
                                       {ActivationKind::kSigmoid, "sigmoid"}}};

void check_probability(const char* op, double p) {
  check(p >= 0 && p < 1, ErrorKind::kValue, op, "the probability must be in [0, 1): p is ", p);
}

}  // namespace

const char* activation_name(ActivationKind kind) {
  for (const Named& entry : kNames) {
    if (entry.kind == kind) return entry.name;
  }
  return "?";
}

ActivationKind activation_from_name(const std::string& name) {
  std::string known;
  for (const Named& entry : kNames) {
    if (name == entry.name) return entry.kind;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail(ErrorKind::kValue, "activation", "unknown activation: ", quote(name), ". Hint: one of ", known);
}

Variable Activation::forward(const Variable& x) {
  switch (kind) {
    case ActivationKind::kRelu: return relu(x);
    case ActivationKind::kGelu: return gelu(x, Gelu::kExact);
    case ActivationKind::kGeluTanh: return gelu(x, Gelu::kTanh);
    case ActivationKind::kQuickGelu: return gelu(x, Gelu::kQuick);
    case ActivationKind::kSilu: return silu(x);
    case ActivationKind::kTanh: return tanh(x);
    case ActivationKind::kSigmoid: return sigmoid(x);
  }
  fail(ErrorKind::kValue, "activation", "unknown kind ", static_cast<int>(kind));
}

Dropout::Dropout(double probability) : p(probability) { check_probability("Dropout", p); }

Variable Dropout::forward(const Variable& x) {
  if (!training() || p == 0) return x;
  return dropout(x, p, true, default_rng().split());
}

DropPath::DropPath(double probability) : p(probability) { check_probability("DropPath", p); }

Variable DropPath::forward(const Variable& x) {
  if (!training() || p == 0) return x;
  return drop_path(x, p, true, default_rng().split());
}

}  // namespace vitrail::nn
