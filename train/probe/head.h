// A linear head fitted on features: what is fitted on standardised features, said for the features as they are, and as a model.
#pragma once

#include <memory>
#include <vector>

#include "models/classifier.h"
#include "nn/linear.h"

namespace vitrail {

// Features with mean 0 and deviation 1 in every place: a penalty then means the same for each of them. In double, since ridge
// regression and L-BFGS need more digits than f32 has.
struct StandardFeatures {
  Tensor values;                        // f64 [N, D] = (features - mean) / deviation; a constant feature becomes 0
  std::vector<double> mean, deviation;  // D; the deviation of a constant feature counts as 1
};
// Error(kValue) unless features is f32 [N, D] with N >= 1.
StandardFeatures standardised(const Tensor& features);

// The linear layer on the features as they are that equals weight [K, D] and bias [K] (f64) on the standardised ones.
nn::LinearValues on_raw_features(const Tensor& weight, const Tensor& bias, const StandardFeatures& standard);

// features [N, D] W^T + b: logits f32 [N, K].
Tensor apply_head(const nn::LinearValues& head, const Tensor& features);

// The same architecture with so many rows in its last layer, the model's weights, and this head. A distilled model has one head
// instead of two then. Error(kValue) if the architecture has no last linear layer with a bias.
std::unique_ptr<models::Classifier> with_head(models::Classifier& model, const nn::LinearValues& head);

}  // namespace vitrail
