// What happens to a picture before a model sees it. It is saved with the weights and obeyed by training, evaluation,
// prediction and export alike: a model with the wrong preprocessing is silently worse.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "tensor/ops/resize.h"

namespace vitrail {

enum class ResizeMode {
  kSquash,  // to height x width, whatever the proportions
  kCrop,    // the short side to size / crop_fraction, then the centre height x width
};

struct Preprocessing {
  int64_t height = 0, width = 0, channels = 3;
  std::vector<double> mean, std;  // per channel, of pixels in [0, 1]
  ResizeMode resize = ResizeMode::kSquash;
  double crop_fraction = 1;                                // of kCrop: 0.875 resizes the short side to 256 for a crop of 224
  Interpolation interpolation = Interpolation::kBilinear;  // with antialias, as PIL resizes

  // Error(kValue) naming the field that is out of range.
  void validate() const;
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

// {"height": 28, "width": 28, "channels": 1, "mean": [..], "std": [..], "resize": "squash", "crop_fraction": 1,
//  "interpolation": "bilinear"}
std::string preprocessing_to_json(const Preprocessing& preprocessing);
// All keys but the last three are needed; an unknown key, a wrong type or a value out of range is Error(kValue) naming it.
Preprocessing preprocessing_from_json(const std::string& json);

// The data set's own size and statistics: its images pass without being resized.
Preprocessing preprocessing_for(const DatasetInfo& info);

// Any picture u8 [C, H, W] as the model's input f32 [channels, height, width]: channels converted, resized, cropped,
// normalised.
Tensor preprocess(const Tensor& image, const Preprocessing& preprocessing);

}  // namespace vitrail
