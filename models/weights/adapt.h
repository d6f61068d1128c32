// A trained model made to fit other data: another image size, patch size, number of channels, other classes.
#pragma once

#include <string>
#include <vector>

#include "models/weights/position_resampling.h"
#include "models/weights/save.h"

namespace vitrail {

// What to change; 0 keeps what the model has.
struct AdaptTo {
  models::Size2d img_size = 0, patch_size = 0;
  int64_t in_chans = 0;
  std::vector<std::string> class_names = {};  // empty: the model's own
  std::string task = {};  // ModelCard::task; of another task than the model's the head is new; empty: the same
  std::string position_rule = {};             // "": that of the model's family (position_resampling.h)
};

// Changes weights, architecture, preprocessing and class names of `saved` alike:
//   positions   resample_positions() by the family's rule, prefix tokens never;
//   patches     resample_patches(); then the grid changes too, and positions follow it;
//   channels    adapt_channels();
//   classes     keep_class_rows(): rows of classes with equal names, zeros for the others.
// The resize and crop of the preprocessing keep their proportion to the input size. Returns one sentence for each change, for
// the user. A CCT changes like a ViT: its positions, and the channels of its first convolution; it has no patches.
// Error(kValue) naming what cannot be changed: sizes and channels of other models, patches of all but ViTs.
std::vector<std::string> adapt(SavedModel& saved, const AdaptTo& to);

// The rule of the family that the model came from; timm's for our own.
PositionRule usual_position_rule(const SavedModel& saved);

}  // namespace vitrail
