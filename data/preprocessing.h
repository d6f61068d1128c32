// What happens to a picture before a model sees it. It is saved with the weights and obeyed by training, evaluation,
// prediction and export alike: a model with the wrong preprocessing is silently worse.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/image/image.h"
#include "data/image/resample.h"

namespace vitrail {

// To which size a picture h x w is resized before the crop. S = resize_height, T = resize_width.
enum class ResizeMode {
  kNone,       // h x w
  kSquash,     // S x T, whatever the proportions
  kShortSide,  // the short side to S (= T), the long one to floor(long S / short): torchvision, Hugging Face
  kCover,      // h / r x w / r, rounded half to even, with r = min(h / S, w / T): timm's ResizeKeepRatio
  kContain,    // the same with r = max(h / S, w / T): timm's crop mode "border"
};

// Where the crop begins along an axis that has d pixels more than it (d < 0: so many are padded).
enum class CropOffset {
  kHalfEven,    // d / 2 rounded half to even, where d < 0 towards zero: torchvision, timm
  kFloor,       // d / 2 rounded down: Hugging Face over PIL
  kTowardZero,  // d / 2 rounded towards zero: Hugging Face over torchvision
};

struct Preprocessing {
  int64_t height = 0, width = 0, channels = 3;  // of the model's input, to which the resized picture is cropped or padded
  std::vector<double> mean = {}, std = {};      // per channel, of rescaled pixels
  double rescale = 1.0 / 255;                   // y = (rescale x - mean) / std
  ResizeMode resize = ResizeMode::kSquash;
  int64_t resize_height = 0, resize_width = 0;  // 0, 0: height, width
  Resample interpolation = Resample::kBilinear;
  PassOrder pass_order = PassOrder::kHorizontalFirst;
  CropOffset crop_offset = CropOffset::kHalfEven;
  std::vector<int64_t> padding = {};  // bytes, one per channel, where the resized picture is smaller than the crop; {}: black
  // How picture files become pixels.
  AlphaRule alpha = AlphaRule::kCanvas;
  bool apply_orientation = true;  // the EXIF orientation
  // JPEG files much larger than the resized picture are decoded at a fraction of their size, which is faster and changes pixels
  // by a few levels (docs/results.md).
  bool scaled_decoding = false;

  // Error(kValue) naming the field that is out of range.
  void validate() const;
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

// {"height": 224, "width": 224, "channels": 3, "mean": [..], "std": [..], "rescale": 0.00392.., "resize": "short_side",
//  "resize_height": 248, "resize_width": 248, "interpolation": "bicubic", "pass_order": "horizontal_first",
//  "crop_offset": "half_even", "padding": [], "alpha": "canvas", "apply_orientation": true, "scaled_decoding": false}
std::string preprocessing_to_json(const Preprocessing& preprocessing);
// The first five keys are needed; an unknown key, a wrong type or a value out of range is Error(kValue) naming it. Files
// written before say "resize": "crop" with "crop_fraction": the short side (of squares, else kCover) to floor(size /
// crop_fraction).
Preprocessing preprocessing_from_json(const std::string& json);

// The data set's own size and statistics: its images pass without being resized.
Preprocessing preprocessing_for(const DatasetInfo& info);

// Size after the resize, and where in it the crop begins: negative where the picture is smaller and is padded.
struct PictureGeometry {
  int64_t height = 0, width = 0, top = 0, left = 0;
};
// Of a picture h x w. Error(kValue) if it is so elongated that a side would have more than 2^31 pixels.
PictureGeometry picture_geometry(const Preprocessing& preprocessing, int64_t h, int64_t w);

// How to decode the files of pictures that preprocess() will get.
DecodeOptions decode_options(const Preprocessing& preprocessing);

// The first half of preprocess(): u8 [channels, height, width]; channels converted, resized, cropped or padded.
Tensor fit(const Tensor& image, const Preprocessing& preprocessing);
// The second half: rescaled and normalised, f32.
Tensor finish(const Tensor& image, const Preprocessing& preprocessing);
// Back from the model's input f32 [.., channels, height, width] to bytes, for people to look at: x std + mean, rounded and
// clamped.
Tensor denormalize(const Tensor& x, const Preprocessing& preprocessing);

// Any picture u8 [C, H, W] as the model's input f32 [channels, height, width]: channels converted, resized, cropped or padded,
// rescaled, normalised. A picture that has the size already keeps its exact values.
Tensor preprocess(const Tensor& image, const Preprocessing& preprocessing);

}  // namespace vitrail
