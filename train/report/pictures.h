// Pictures inside a page, small enough that dozens of them are a few hundred kilobytes.
#pragma once

#include <string>

#include "data/preprocessing.h"
#include "tensor/tensor.h"

namespace vitrail::report {

constexpr int64_t kThumbnailSide = 96;

// u8 [C, H, W] with 1 or 3 channels as an <img> whose longer side has at most kThumbnailSide pixels of its own (larger ones are
// reduced with antialias); `alt` is what it shows, in words. Error(kShape) for other tensors.
std::string thumbnail(const Tensor& picture, const std::string& alt);

// The model's input as a picture again: u8 = round(255 (x std + mean)), clamped. f32 [C, H, W].
Tensor denormalized(const Tensor& image, const Preprocessing& preprocessing);

}  // namespace vitrail::report
