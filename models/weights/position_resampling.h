// Position embeddings for another image size.
#pragma once

#include <string>

#include "models/config.h"
#include "tensor/tensor.h"

namespace vitrail {

// How a family of checkpoints resamples the grid of its position embedding: only with its own rule does a model give the
// results that its authors measured. The rules are those of the libraries, whose results the tests have for each of them. Each
// lies between pixel centres unless it says otherwise; cubic kernels have a = -0.75 without antialias and -0.5 with it.
enum class PositionRule {
  kTimm,          // "timm": bicubic, antialias. timm 1.0.31, DeiT and DeiT-III among its models
  kTimmNpz,       // "timm-npz": bilinear. timm, where it reads Google's .npz files
  kHfVit,         // "hf-vit": bicubic. transformers 5.24: ViT, MAE and DINO too
  kHfDeit,        // "hf-deit": as hf-vit
  kHfClip,        // "hf-clip": as hf-vit
  kHfDinov2,      // "hf-dinov2": as hf-vit
  kHfDinov2Reg,   // "hf-dinov2-reg": bicubic, antialias. DINOv2 with registers
  kTorchvision,   // "torchvision": bicubic, corners aligned. interpolate_embeddings()
  kDinov2Offset,  // "dinov2-offset": bicubic with a scale of (new + 0.1) / old. The authors' DINO and DINOv2
  kGoogleZoom,    // "google-zoom": bilinear, corners aligned (scipy.ndimage.zoom of order 1). vision_transformer, big_vision
  kOpenClip,      // "open-clip": bicubic, antialias
};

// The name of a rule, as above, and its rule. Error(kValue) naming all of them for another name.
const char* position_rule_name(PositionRule rule);
PositionRule position_rule(const std::string& name);

// pos_embed [1, prefix + from.h from.w, D] for a grid of to.h x to.w: [1, prefix + to.h to.w, D]. The first `prefix` rows
// (class, distillation and register tokens, which have no place in the image) are copied; the others are a picture of D
// channels, row by row. pos_embed itself if the grids are equal. f32 and f64, computed in f64. Error(kShape) unless pos_embed
// has that shape and the grids have from 1 to models::kMaxTokens positions; Error(kValue) if it is not a float or prefix is
// negative.
Tensor resample_positions(const Tensor& pos_embed, models::Size2d from, models::Size2d to, int64_t prefix, PositionRule rule);

}  // namespace vitrail
