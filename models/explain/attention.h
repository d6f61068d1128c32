// One look at one image: the attention of every layer and head, and what of it spoke for a class.
#pragma once

#include <optional>

#include "models/explain/encoder.h"

namespace vitrail::models::explain {

struct AttentionRecord {
  Tensor logits;     // [K]
  int64_t target;    // the class that is explained
  Tensor attention;  // A [L, H, T, T]: row i of a matrix is what token i attends to; rows sum to one
  // [L, T, T]: the mean over heads of max(0, dy/dA A), where y is the target's logit (Chefer et al., arXiv:2103.15679, equation
  // 5).
  Tensor relevance;
  Tensor shares;  // [T], as in Encoder
};

// Runs the model, in evaluation, on `image` [1, C, H, W], and once backward from the logit of `target`, by default the class
// with the largest one. Parameters get no gradients, and the model is left as it was. Error(kValue) for a class that the model
// does not have, Error(kNumeric) if a logit is not finite.
AttentionRecord record_attention(const Encoder& encoder, const Tensor& image, std::optional<int64_t> target = std::nullopt);

}  // namespace vitrail::models::explain
