// What is known of a picture: the answer that a model is trained to give. Each task (train/task) reads its own part and leaves
// the rest alone; a part that a data set does not have is undefined or empty.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

struct Target {
  Target() = default;
  Target(int64_t l) : label(l) {}  // NOLINT: a label is a target

  int64_t label = -1;  // classification: the class; -1: none

  // Multi-label classification: f32 [C], 1 where the class is on the picture, else 0; `label` is -1 there.
  Tensor classes;

  // Detection, M objects: f32 [M, 4] edges x0 y0 x1 y1 in pixels; i64 [M] classes; u8 [M] flags (1 crowd, 2 difficult). A
  // picture without an object has M = 0.
  Tensor boxes, box_labels, box_flags;
  Tensor mask;                        // segmentation: u8 [H, W] classes, 255 = ignore
  std::vector<std::string> captions;  // contrastive learning
};

}  // namespace vitrail
