#include "nn/linear.h"

#include "nn/init.h"

namespace vitrail::nn {

Linear::Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias) {
  check(in_features >= 1 && out_features >= 0, ErrorKind::kValue, "Linear", "sizes must be positive: in is ", in_features,
        ", out is ", out_features);
  weight = Variable(trunc_normal({out_features, in_features}, 0.02, rng), true);
  register_parameter("weight", weight);
  if (!with_bias) return;
  bias = Variable(zeros({out_features}), true);
  register_parameter("bias", bias);
}

int64_t Linear::macs(const Shape&, const Shape& output) const { return checked_numel(output) * weight.size(1); }

Embedding::Embedding(int64_t count, int64_t dim, Rng& rng) : weight(trunc_normal({count, dim}, 0.02, rng), true) {
  register_parameter("weight", weight);
}

}  // namespace vitrail::nn
