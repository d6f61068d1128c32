#include "nn/linear.h"

#include <utility>

#include "autograd/ops/layers.h"
#include "nn/init.h"

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

Variable Linear::matrix() const { return weight.dim() == 2 ? weight : flatten(weight, 1); }

Variable Linear::outputs(const Variable& x, int64_t first, int64_t last) const {
  return linear(x, slice(matrix(), 0, first, last), bias.defined() ? slice(bias, 0, first, last) : Variable());
}

int64_t Linear::macs(const Shape&, const Shape& output) const {
  return weight.size(0) == 0 ? 0 : checked_numel(output) * (weight.numel() / weight.size(0));
}

Embedding::Embedding(int64_t count, int64_t dim, Rng& rng) : weight(trunc_normal({count, dim}, 0.02, rng), true) {
  register_parameter("weight", weight);
}

}  // namespace vitrail::nn
