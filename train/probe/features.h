// What a frozen model makes of pictures: computed once, then everything that is fitted on it takes seconds.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "data/preprocessing.h"
#include "data/sets/picture_files.h"
#include "models/classifier.h"
#include "nn/linear.h"

namespace vitrail {

struct FeatureSet {
  Tensor features;              // f32 [N, D]
  std::vector<int64_t> labels;  // N, in [0, classes)

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
};

struct FeatureOptions {
  int64_t batch_size = 32;
  int64_t workers = 0;      // threads that decode ahead (data/loader.h); no effect on the result
  DataProgress progress{};  // may be empty
};

// pooled_features of every picture of the data set, in its order, in evaluation mode and without gradients; the mode is set
// back afterwards. Memory: the result, one batch, and the batches that workers hold ready. Error(kNumeric) if a feature is not
// finite; errors of the data set. Inside an InterruptScope a signal ends it by throwing Interrupted.
FeatureSet extract_features(models::Classifier& model, const DatasetPtr& data, const Preprocessing& preprocessing,
                            const FeatureOptions& options = {});

// pooled_features of images [B, C, H, W], in batches: [B, D]. Error(kNumeric) as above, Error(kShape) if they do not fit the
// model.
Tensor features_of(models::Classifier& model, const Tensor& images, int64_t batch_size = 32);

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
