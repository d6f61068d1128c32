#pragma once

#include "nn/conv.h"

namespace vitrail::nn {

// Cuts images into patches: [B, C, H, W] -> [B, (H / P)(W / P), C P P], patches row by row, each in the order (c, row, col).
// Error(kShape) unless P divides H and W.
Variable patchify(const Variable& images, int64_t patch_h, int64_t patch_w);

// Patches and their linear projection: [B, C, H, W] -> [B, N, D]. A convolution whose stride is its kernel, with the weight
// [D, C, P, P] of one, computed as linear(patchify(x), weight as [D, C P P], bias): the same mathematics.
class PatchEmbed : public Layer {
 public:
  PatchEmbed(int64_t patch_h, int64_t patch_w, int64_t in_chans, int64_t embed_dim, Rng& rng, bool with_bias = true);
  // Error(kShape) unless the patch divides the image.
  Variable forward(const Variable& images) override;
  int64_t macs(const Shape& input, const Shape& output) const override;

  int64_t patch_h, patch_w;
  Conv2d proj;
};

}  // namespace vitrail::nn
