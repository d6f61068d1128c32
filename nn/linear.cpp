#include "nn/linear.h"

#include <utility>

#include "autograd/ops/layers.h"
#include "nn/init.h"
#include "nn/lora.h"

namespace vitrail::nn {

namespace {

LinearValues initial_values(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias) {
  check(in_features >= 1 && out_features >= 0, ErrorKind::kValue, "Linear", "sizes must be positive: in is ", in_features,
        ", out is ", out_features);
  return {trunc_normal({out_features, in_features}, 0.02, rng), with_bias ? zeros({out_features}) : Tensor()};
}

}  // namespace

Linear::Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias)
    : Linear(initial_values(in_features, out_features, rng, with_bias)) {}

Linear::Linear(LinearValues values) : weight(std::move(values.weight), true) {
  register_parameter("weight", weight);
  if (!values.bias.defined()) return;
  bias = Variable(std::move(values.bias), true);
  register_parameter("bias", bias);
}

Linear::~Linear() = default;

Variable Linear::forward(const Variable& x) {
  const Variable y = linear(x, own_matrix(), bias);
  return updated() ? lora_output(y, x, own_matrix(), bias, updates_) : y;
}

Variable Linear::own_matrix() const { return weight.dim() == 2 ? weight : flatten(weight, 1); }

Variable Linear::matrix() const { return updated() ? lora_weight(own_matrix(), updates_) : own_matrix(); }

Variable Linear::outputs(const Variable& x, int64_t first, int64_t last) {
  if (updated()) return slice(forward(x), -1, first, last);
  return linear(x, slice(own_matrix(), 0, first, last), bias.defined() ? slice(bias, 0, first, last) : Variable());
}

int64_t Linear::macs(const Shape&, const Shape& output) const {
  if (weight.size(0) == 0) return 0;
  // LAB 10.2 BEGIN  Every row of the output meets the whole weight, and A and B of each update while updated().
  int64_t of_a_row = weight.numel();
  for (const auto& u : updates_) of_a_row += updated() ? u->a.numel() + u->b.numel() : 0;
  return checked_numel(output) / weight.size(0) * of_a_row;
  // LAB 10.2 END
}

Embedding::Embedding(int64_t count, int64_t dim, Rng& rng) : weight(trunc_normal({count, dim}, 0.02, rng), true) {
  register_parameter("weight", weight);
}

}  // namespace vitrail::nn
