#pragma once

#include <memory>

#include "nn/linear.h"
#include "nn/norm.h"

namespace vitrail::nn {

// Cuts images into patches: [B, C, H, W] -> [B, (H / P)(W / P), C P P], patches row by row, each in the order (c, row, col).
// Error(kShape) unless P divides H and W.
Variable patchify(const Variable& images, int64_t patch_h, int64_t patch_w);

// Patches and their linear projection: [B, C, H, W] -> [B, N, D]. It is a convolution whose stride equals its kernel, computed
// as proj(patchify(x)). proj.weight has the shape of the convolution's weight, [D, C, P, P], as in checkpoints. Initial weight
// and bias are those of torch.nn.Conv2d: uniform in +-1 / sqrt(C P P). With add_norms() it is norm_out(proj(norm_in(patches))),
// as in lucidrains' ViT.
class PatchEmbed : public Layer {
 public:
  PatchEmbed(int64_t patch_h, int64_t patch_w, int64_t in_chans, int64_t embed_dim, Rng& rng, bool with_bias = true);
  PatchEmbed(int64_t height, int64_t width, int64_t in_chans, int64_t embed_dim, Rng&& rng, bool with_bias = true)
      : PatchEmbed(height, width, in_chans, embed_dim, rng, with_bias) {}
  // Error(kShape) unless the patch divides the image and the channels match.
  Variable forward(const Variable& images) override;

  // Adds layer norms before and behind the projection.
  void add_norms(double eps);

  int64_t patch_h, patch_w;
  Linear proj;
  std::unique_ptr<LayerNorm> norm_in, norm_out;  // over C P P and D; none without add_norms()
};

}  // namespace vitrail::nn
