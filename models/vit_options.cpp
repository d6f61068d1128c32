// What a first reading of the ViT can leave out: positions for another grid, patches left out in training, CLIP's embedding,
// captured attention.
#include <algorithm>
#include <utility>

#include "autograd/ops/layers.h"
#include "autograd/ops/shape.h"
#include "models/vit.h"
#include "tensor/view.h"

namespace vitrail::models {

// The position embedding for a grid: the trained one, or resampled by bicubic interpolation if the grid differs from it.
Variable ViT::positions_for(Size2d now) {
  const Variable own = pos_embed.defined() ? pos_embed : Variable(pos_embed_fixed);
  const Size2d trained = grid();
  if (now == trained) return own;
  const int64_t d = config_.embed_dim, prefix = own.size(1) - trained.h * trained.w;
  const Variable image = permute(reshape(slice(own, 1, prefix, own.size(1)), {1, trained.h, trained.w, d}), {0, 3, 1, 2});
  const Variable resized = resize(image, now.h, now.w, {.mode = Interpolation::kBicubic, .antialias = true});
  const Variable rows = reshape(permute(resized, {0, 2, 3, 1}), {1, now.h * now.w, d});
  return prefix > 0 ? concat({slice(own, 1, 0, prefix), rows}, 1) : rows;
}

// In training, each image keeps a random subset of its patches, drawn for each image; the prefix tokens always stay.
Variable ViT::drop_patches(const Variable& x) {
  if (!training() || config_.patch_drop_rate == 0) return x;
  const int64_t prefix = num_prefix_tokens(), batch = x.size(0), patches = x.size(1) - prefix, d = x.size(2);
  const auto keep = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(patches) * (1 - config_.patch_drop_rate)));
  const Rng draws = default_rng().split();
  std::vector<int64_t> rows;
  for (int64_t b = 0; b < batch; ++b) {
    const std::vector<int64_t> order = to_vector<int64_t>(rand_permutation(patches, draws.at(static_cast<uint64_t>(b))));
    for (int64_t i = 0; i < keep; ++i) rows.push_back(b * patches + order[static_cast<size_t>(i)]);
  }
  const Variable all = reshape(slice(x, 1, prefix, x.size(1)), {batch * patches, d});
  const Variable kept = reshape(index_select(all, 0, from_vector(rows, {batch * keep})), {batch, keep, d});
  return prefix > 0 ? concat({slice(x, 1, 0, prefix), kept}, 1) : kept;
}

Variable ViT::embedding(const Variable& images) {
  check(projection != nullptr, ErrorKind::kValue, "ViT",
        "only models with a projection (CLIP) have an embedding: projection is 0");
  return (*projection)(forward_head(forward_features(images), true));
}

void ViT::capture_attention(bool on) {
  for (const auto& block : blocks) {
    block->attn.keep_attention_map = on;
    if (!on) block->attn.attention_map = {};
  }
}

std::vector<Tensor> ViT::attention_maps() {
  std::vector<Tensor> maps;
  for (const auto& block : blocks) {
    if (block->attn.attention_map.defined()) maps.push_back(block->attn.attention_map);
  }
  return maps;
}

std::vector<std::string> ViT::no_weight_decay() const {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : {std::pair{"cls_token", &cls_token},
                                        {"dist_token", &dist_token},
                                        {"reg_token", &reg_token},
                                        {"pos_embed", &pos_embed}}) {
    if (parameter->defined()) names.emplace_back(name);
  }
  return names;
}

}  // namespace vitrail::models
