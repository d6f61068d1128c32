#include "nn/patch_embed.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"

namespace vitrail::nn {
namespace {

void check_images(const Variable& images, int64_t patch_h, int64_t patch_w) {
  check(images.dim() == 4 && patch_h >= 1 && patch_w >= 1 && images.size(2) % patch_h == 0 && images.size(3) % patch_w == 0,
        ErrorKind::kShape, "PatchEmbed", "images are [B, C, H, W] with H and W multiples of the patch: images are ",
        images.shape(), ", patch is ", patch_h, " x ", patch_w);
}

}  // namespace

Variable patchify(const Variable& x, int64_t patch_h, int64_t patch_w) {
  check_images(x, patch_h, patch_w);
  const int64_t b = x.size(0), c = x.size(1), rows = x.size(2) / patch_h, cols = x.size(3) / patch_w;
  const Variable cut =
      permute(reshape(x, {b, c, rows, patch_h, cols, patch_w}), {0, 2, 4, 1, 3, 5});  // [B, rows, cols, C, P, P]
  return reshape(cut, {b, rows * cols, c * patch_h * patch_w});
}

PatchEmbed::PatchEmbed(int64_t ph, int64_t pw, int64_t in_chans, int64_t embed_dim, Rng& rng, bool with_bias)
    : patch_h(ph), patch_w(pw), proj(in_chans, embed_dim, ph, pw, rng, {.stride_h = ph, .stride_w = pw}, with_bias) {
  register_module("proj", proj);
}

Variable PatchEmbed::forward(const Variable& images) {
  check(images.dim() == 4 && images.size(1) == proj.weight.size(1), ErrorKind::kShape, "PatchEmbed",
        "images are [B, C, H, W] with the channels of the weight: images are ", images.shape(), ", weight is ",
        proj.weight.shape());
  // One product that gives [B, N, D] at once; a convolution would give [B, D, N] and cost a transposition.
  const Variable weight = reshape(proj.weight, {proj.weight.size(0), -1});  // [D, C P P]
  return linear(patchify(images, patch_h, patch_w), weight, proj.bias);
}

int64_t PatchEmbed::macs(const Shape&, const Shape& output) const {
  return checked_numel(output) * (proj.weight.numel() / proj.weight.size(0));
}

}  // namespace vitrail::nn
