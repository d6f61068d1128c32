// What a frozen model makes of pictures: computed once, then everything that is fitted on it takes seconds.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "data/preprocessing.h"
#include "data/sets/picture_files.h"
#include "models/classifier.h"

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

}  // namespace vitrail
