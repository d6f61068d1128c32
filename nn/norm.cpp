#include "nn/norm.h"

#include "autograd/ops/layers.h"
#include "tensor/ops/linear.h"

namespace vitrail::nn {
namespace {
Variable ones_parameter(int64_t n) { return Variable(ones({n}), true); }
Variable zeros_parameter(int64_t n) { return Variable(zeros({n}), true); }
}  // namespace

LayerNorm::LayerNorm(int64_t dim, double epsilon) : weight(ones_parameter(dim)), bias(zeros_parameter(dim)), eps(epsilon) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

Variable LayerNorm::before_linear(const Variable& x) {
  const int64_t width = weight.size(0);
  if (observed() || !rounds_operands(x.value(), width, product_precision())) return (*this)(x);
  return layer_norm(x, weight, bias, eps, /*rounded=*/true);
}

RMSNorm::RMSNorm(int64_t dim, double epsilon) : weight(ones_parameter(dim)), eps(epsilon) {
  register_parameter("weight", weight);
}

BatchNorm2d::BatchNorm2d(int64_t channels, double epsilon, double m)
    : weight(ones_parameter(channels)),
      bias(zeros_parameter(channels)),
      running_mean(zeros({channels})),
      running_var(ones({channels})),
      eps(epsilon),
      momentum(m) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
  register_buffer("running_mean", running_mean);
  register_buffer("running_var", running_var);
}

Variable BatchNorm2d::forward(const Variable& x) {
  return batch_norm(x, weight, bias, running_mean, running_var, training(), momentum, eps);
}

bool has_batch_norm(Module& module) {
  for (const auto& entry : module.named_modules())
    if (dynamic_cast<BatchNorm2d*>(entry.second) != nullptr) return true;
  return false;
}

GroupNorm::GroupNorm(int64_t g, int64_t channels, double epsilon)
    : groups(g), weight(ones_parameter(channels)), bias(zeros_parameter(channels)), eps(epsilon) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

LayerScale::LayerScale(int64_t dim, double init) : gamma(full({dim}, init), true) { register_parameter("gamma", gamma); }

}  // namespace vitrail::nn
