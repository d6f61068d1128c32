// What the two attention ops keep from forward for backward.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "autograd/record.h"
#include "tensor/ops/attention.h"

namespace vitrail {

// P if the caller wants it; else what the backward pass needs, if there will be one; else nothing.
inline AttentionKeep attention_keep(std::initializer_list<Variable> inputs, int64_t scores, bool map_wanted) {
  if (map_wanted) return AttentionKeep::kProbabilities;
  const bool recorded =
      grad_enabled() && std::any_of(inputs.begin(), inputs.end(), [](const Variable& x) { return x.requires_grad(); });
  return recorded ? attention_keep_for_backward(scores, inputs.begin()->dtype()) : AttentionKeep::kNothing;
}

// The result of the forward pass, protected against in-place changes.
class SavedAttention {
 public:
  explicit SavedAttention(const AttentionResult& result)
      : output_(result.output), probabilities_(result.probabilities), statistics_(result.statistics) {}
  AttentionResult result() const { return {*output_, *probabilities_, *statistics_}; }

 private:
  Saved output_, probabilities_, statistics_;
};

}  // namespace vitrail
