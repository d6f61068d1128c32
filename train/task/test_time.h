// Predictions for several examples at once, and the mean of those for several views of one picture.
#pragma once

#include <vector>

#include "train/task/task.h"

namespace vitrail {

// One prediction an example, computed as one batch without gradients; the model is in evaluation mode already. Error(kNumeric)
// if an answer is not finite.
std::vector<Prediction> predict_examples(Task& task, std::vector<Example> examples);

// Of predictions with logits [K]: the prediction whose probabilities are the mean of theirs; its logits are the logarithms of
// that mean (of a probability of 0 the least finite number). Error(kValue) for predictions without logits, or none at all.
Prediction mean_prediction(const std::vector<Prediction>& views);

}  // namespace vitrail
