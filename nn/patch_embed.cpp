#include "nn/patch_embed.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "nn/init.h"

namespace vitrail::nn {
namespace {

void check_images(const Variable& images, int64_t patch_h, int64_t patch_w) {
  check(images.dim() == 4 && patch_h >= 1 && patch_w >= 1 && images.size(2) % patch_h == 0 && images.size(3) % patch_w == 0,
        ErrorKind::kShape, "PatchEmbed", "images are [B, C, H, W] with H and W multiples of the patch: images are ",
        images.shape(), ", patch is ", patch_h, " x ", patch_w);
}

// Weight [D, C, P, P] and bias [D] as torch.nn.Conv2d draws them.
LinearValues projection(const Shape& shape, Rng& rng, bool with_bias) {
  for (const int64_t extent : shape)
    check(extent >= 1, ErrorKind::kValue, "PatchEmbed", "sizes must be positive: the weight is ", shape);
  LinearValues values;
  values.weight = fan_in_uniform(shape, fan_in(shape), rng);
  if (with_bias) values.bias = fan_in_uniform({shape[0]}, fan_in(shape), rng);
  return values;
}

}  // namespace

Variable patchify(const Variable& x, int64_t patch_h, int64_t patch_w) {
  check_images(x, patch_h, patch_w);
  // LAB 7.2 BEGIN  [B, C, H, W] -> [B, (H / Ph)(W / Pw), C Ph Pw]: patches row by row, each as (channel, row, column).
  const int64_t b = x.size(0), c = x.size(1), rows = x.size(2) / patch_h, cols = x.size(3) / patch_w;
  const Variable cut =
      permute(reshape(x, {b, c, rows, patch_h, cols, patch_w}), {0, 2, 4, 1, 3, 5});  // [B, rows, cols, C, P, P]
  return reshape(cut, {b, rows * cols, c * patch_h * patch_w});
  // LAB 7.2 END
}

PatchEmbed::PatchEmbed(int64_t ph, int64_t pw, int64_t in_chans, int64_t embed_dim, Rng& rng, bool with_bias)
    : patch_h(ph), patch_w(pw), proj(projection({embed_dim, in_chans, ph, pw}, rng, with_bias)) {
  register_module("proj", proj);
}

Variable PatchEmbed::forward(const Variable& images) {
  check(images.dim() == 4 && images.size(1) == proj.weight.size(1), ErrorKind::kShape, "PatchEmbed",
        "images are [B, C, H, W] with the channels of the weight: images are ", images.shape(), ", weight is ",
        proj.weight.shape());
  // LAB 7.3 BEGIN  The patches and their projection; with add_norms() (norm_in is defined) a norm before and one behind it.
  const Variable patches = patchify(images, patch_h, patch_w);
  return norm_in ? (*norm_out)(proj((*norm_in)(patches))) : proj(patches);
  // LAB 7.3 END
}

void PatchEmbed::add_norms(double eps) {
  const Shape& shape = proj.weight.shape();
  norm_in = std::make_unique<LayerNorm>(shape[1] * shape[2] * shape[3], eps);
  norm_out = std::make_unique<LayerNorm>(shape[0], eps);
  register_module("norm_in", *norm_in);
  register_module("norm_out", *norm_out);
}

}  // namespace vitrail::nn
