// Patch embeddings for another patch size, and for another number of input channels.
#pragma once

#include "models/config.h"
#include "tensor/ops/resize.h"

namespace vitrail {

constexpr int64_t kMaxResampledPatch = 256;  // a side of a patch, in pixels

// The interpolation that is undone: timm's default. FlexiViT and RADIO use bilinear without antialias.
struct PatchKernel {
  Interpolation mode = Interpolation::kBicubic;
  bool antialias = true;
};

// The weight of a patch embedding, [D, C, P, Q], for patches of to.h x to.w: [D, C, to.h, to.w]; its bias stays. `weight`
// itself if that is its size. f32 and f64, computed in f64.
//
// If B is the matrix that resizes a patch x, the new weight is w' = (B^T)^+ w (Beyer et al., "FlexiViT", 2023, section 3.4): of
// all weights the one whose answers <w', B x> to resized patches are nearest to the old answers <w, x>, on average over white
// noise x. Where patches grow, the answers are equal; where they shrink, pixels are lost and no weight can do better. Resizing
// w as if it were a picture would not do: a sum over four times as many pixels would be four times as large. B is a Kronecker
// product of one matrix for each axis, and so is its pseudo-inverse: W' = (B_h^T)^+ W B_w^+. That holds as well where one axis
// grows and the other shrinks; there B has less than full rank, and normal equations of both axes together fail. Error(kShape)
// unless weight has four axes and sides are from 1 to kMaxResampledPatch; Error(kValue) if it is not a float.
Tensor resample_patches(const Tensor& weight, models::Size2d to, const PatchKernel& kernel = {});

// The weight of a patch embedding or of a first convolution, [D, C, P, Q], for images of `channels` channels (timm's
// adapt_input_conv, where C is 3). For one channel: the sum over the C channels, which gives a grey image the answers that it
// had as a colour image of C equal channels. For more or fewer: the channels repeated in turn, times C / channels, so that a
// sum over equal channels stays the same. `weight` itself if it has that many channels. Error(kShape) unless weight has four
// axes; Error(kValue) unless 1 <= channels <= models::kMaxChannels, and if it is not a float.
Tensor adapt_channels(const Tensor& weight, int64_t channels);

}  // namespace vitrail
