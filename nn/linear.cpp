#include "nn/linear.h"

#include "autograd/ops/layers.h"
#include "nn/init.h"

namespace vitrail::nn {
namespace {

Tensor value_or_none(const Variable& x) { return x.defined() ? x.value() : Tensor(); }

}  // namespace

Linear::Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias) {
  check(in_features >= 1 && out_features >= 0, ErrorKind::kValue, "Linear", "sizes must be positive: in is ", in_features,
        ", out is ", out_features);
  weight = Variable(trunc_normal({out_features, in_features}, 0.02, rng), true);
  register_parameter("weight", weight);
  if (!with_bias) return;
  bias = Variable(zeros({out_features}), true);
  register_parameter("bias", bias);
}

// The packed weight if it is to be used for x, else null.
std::shared_ptr<const PackedWeight> Linear::packed_for(const Variable& x) {
  if (grad_enabled() || !PackedWeight::helps(x.value(), weight.value())) return nullptr;
  const std::lock_guard lock(packed_mutex_);
  if (!packed_ || !packed_->is_for(weight.value(), product_precision()))
    packed_ = std::make_shared<const PackedWeight>(weight.value(), product_precision());
  return packed_;
}

Variable Linear::forward(const Variable& x) {
  const auto packed = packed_for(x);
  if (!packed) return linear(x, weight, bias);
  return record("linear", linear(x.value(), weight.value(), value_or_none(bias), {product_precision(), packed.get()}), {}, {});
}

Variable Linear::rounded(const Variable& x) {
  const auto packed = packed_for(x);
  if (!packed) return linear(x, weight, bias, /*rounded=*/true);
  return record("linear", linear_rounded(x.value(), weight.value(), value_or_none(bias), packed.get()), {}, {});
}

Variable Linear::add_to(const Variable& residual, const Variable& x) {
  const auto packed = packed_for(x);
  if (!packed) return linear_add(x, weight, bias, residual);
  return record(
      "linear_add",
      linear_add(x.value(), weight.value(), value_or_none(bias), residual.value(), {product_precision(), packed.get()}), {},
      {});
}

Variable Linear::gelu(const Variable& x, bool before_linear) {
  const auto packed = packed_for(x);
  if (before_linear && !grad_enabled() && rounds_operands(x.value(), weight.size(0), product_precision())) {
    const Tensor y = linear_gelu_rounded(x.value(), weight.value(), value_or_none(bias), nullptr, packed.get());
    return record("linear_gelu", y, {}, {});
  }
  if (!packed) return linear_gelu(x, weight, bias);
  return record("linear_gelu",
                linear_gelu(x.value(), weight.value(), value_or_none(bias), {}, {product_precision(), packed.get()}), {}, {});
}

int64_t Linear::macs(const Shape&, const Shape& output) const { return checked_numel(output) * weight.size(1); }

Embedding::Embedding(int64_t count, int64_t dim, Rng& rng) : weight(trunc_normal({count, dim}, 0.02, rng), true) {
  register_parameter("weight", weight);
}

}  // namespace vitrail::nn
