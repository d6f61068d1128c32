// Samples made ready for a model, and batches of them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "data/dataset.h"
#include "data/transforms.h"

namespace vitrail {

// A sample made ready for the model: the picture as the model takes it, and what is true of that picture.
struct Example {
  Tensor image;  // f32 [C, H, W]
  Target target;
  int64_t index = -1;  // in the data set
};

struct Batch {
  Tensor images;  // f32 [B, C, H, W]
  Tensor labels;  // i64 [B]: target.label of each; of a mixed batch the class that has the larger part of the picture
  std::vector<Target> targets;   // B
  std::vector<int64_t> indices;  // B, in the data set
  // Of a mixed batch (data/augment/mixing.h): f32 [B, classes], rows that sum to 1 (not those of a multi-label set). Undefined
  // otherwise.
  Tensor soft_labels{};
  // Above 0: images holds what the first so many stages of the model make of the pictures (train/feature_cache.h).
  int64_t stages = 0;
  // Of a multi-label set: f32 [B, classes], Target::classes of each. Undefined otherwise.
  Tensor class_labels{};

  int64_t size() const { return static_cast<int64_t>(targets.size()); }
};

// From a sample to an example, and from examples to a batch. `rng` belongs to this sample in this epoch; null: evaluation.
// A Prepare is called from several threads at once.
using Prepare = std::function<Example(const Sample& sample, const Rng* rng)>;
using Collate = std::function<Batch(std::vector<Example> examples)>;

// transform.train of the image, with boxes and mask of the target following it; transform.eval of the image, the target as it
// is.
Prepare prepare_with(Transform transform);
// Images of equal size stacked. Error(kShape) naming the two that differ.
Batch collate_examples(std::vector<Example> examples);

}  // namespace vitrail
