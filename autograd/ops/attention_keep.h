// What the two attention ops keep between forward and backward.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "autograd/record.h"
#include "tensor/ops/attention.h"

namespace vitrail {

// P if the caller wants to see it, what the backward pass needs if there will be one, else nothing.
inline AttentionKeep attention_keep(std::initializer_list<Variable> inputs, int64_t scores, bool map_wanted) {
  if (map_wanted) return AttentionKeep::kProbabilities;
  const bool recorded =
      grad_enabled() && std::any_of(inputs.begin(), inputs.end(), [](const Variable& x) { return x.requires_grad(); });
  return recorded ? attention_keep_for_backward(scores, inputs.begin()->dtype()) : AttentionKeep::kNothing;
}

// The forward pass's result, guarded against changes in place.
class SavedAttention {
 public:
  explicit SavedAttention(const AttentionResult& result)
      : output_(result.output), probabilities_(result.probabilities), statistics_(result.statistics) {}
  AttentionResult result() const { return {*output_, *probabilities_, *statistics_}; }

 private:
  Saved output_, probabilities_, statistics_;
};

}  // namespace vitrail
