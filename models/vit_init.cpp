// Initial weights of the ViT, and its fixed position embedding.
#include <cmath>

#include "models/vit.h"
#include "nn/init.h"
#include "tensor/ops.h"

namespace vitrail::models {

namespace {

void xavier(nn::Linear& layer, Rng& rng) { layer.weight.set_value(nn::xavier_uniform(layer.weight.shape(), rng)); }

// Google's recipe: Xavier-uniform matrices, MLP biases N(0, 1e-6), LeCun-normal patch projection.
void init_jax(ViT& model, Rng& rng) {
  nn::Linear& proj = model.patch_embed.proj;
  proj.weight.set_value(nn::lecun_normal(proj.weight.shape(), rng));
  if (proj.bias.defined()) proj.bias.set_value(zeros(proj.bias.shape()));
  for (const auto& [name, module] : model.blocks.named_modules()) {
    auto* linear = dynamic_cast<nn::Linear*>(module);
    if (linear == nullptr) continue;
    xavier(*linear, rng);
    if (name.find("mlp") != std::string::npos && linear->bias.defined())
      linear->bias.set_value(nn::normal(linear->bias.shape(), 1e-6, rng));
  }
}

// MoCo v3 (Chen et al., arXiv:2104.02057, section 4.1), without its own patch projection: Xavier-uniform matrices, where Q, K
// and V have separate fans although they are stored as one matrix.
void init_moco(ViT& model, Rng& rng) {
  for (const auto& [name, module] : model.named_modules()) {
    auto* linear = dynamic_cast<nn::Linear*>(module);
    if (linear == nullptr || linear == &model.patch_embed.proj) continue;
    if (!name.ends_with("qkv")) {
      xavier(*linear, rng);
      continue;
    }
    const Shape& shape = linear->weight.shape();
    const double bound = std::sqrt(6.0 / static_cast<double>(shape[0] / 3 + shape[1]));
    linear->weight.set_value(rand_uniform(shape, -bound, bound, rng.split()));
  }
}

// The default of torch.nn.Linear: weight and bias uniform in +-1 / sqrt(in).
void init_like_torch(ViT& model, Rng& rng) {
  for (const auto& [name, module] : model.named_modules()) {
    auto* linear = dynamic_cast<nn::Linear*>(module);
    if (linear == nullptr || linear == &model.patch_embed.proj) continue;
    const int64_t in = linear->weight.size(1);
    linear->weight.set_value(nn::fan_in_uniform(linear->weight.shape(), in, rng));
    if (linear->bias.defined()) linear->bias.set_value(nn::fan_in_uniform(linear->bias.shape(), in, rng));
  }
}

}  // namespace

// Names and meanings as in timm. timm (or ""): matrices from a normal of deviation 0.02 cut at two deviations, biases 0, which
// is the layers' default. jax: see init_jax(), with a head of 0; jax_nlhb: the same with a head bias of -log K, so that a loss
// over K sigmoids starts low. moco: see init_moco(). reset: matrices and biases as PyTorch's layers initialise them; tokens and
// positions do not depend on the scheme. skip: as reset, but without fix_init. The patch projection has the default of PyTorch
// in all but jax.
// One difference from timm: its "truncated" normal cuts at the absolute values -2 and 2, which has no effect at a deviation of
// 0.02.
void ViT::init_weights(Rng& rng) {
  const std::string& scheme = config_.weight_init;
  if (scheme == "moco") init_moco(*this, rng);
  if (scheme == "skip" || scheme == "reset") init_like_torch(*this, rng);
  if (scheme.starts_with("jax")) {
    init_jax(*this, rng);
    const double log_classes = std::log(static_cast<double>(config_.num_classes));
    if (head) {
      head->weight.set_value(zeros(head->weight.shape()));
      head->bias.set_value(full(head->bias.shape(), scheme == "jax_nlhb" ? -log_classes : 0));
    }
  }
  const bool fix = config_.fix_init && scheme != "skip";
  for (size_t i = 0; fix && i < blocks.size(); ++i) {
    const double factor = 1 / std::sqrt(2.0 * static_cast<double>(i + 1));
    for (nn::Linear* last : {&blocks[i].attn.proj, &blocks[i].mlp.fc2})
      last->weight.set_value(mul(last->weight.value(), factor));
  }
}

Tensor sincos2d(Size2d grid, int64_t dim) {
  check(dim >= 8 && dim % 4 == 0, ErrorKind::kValue, "sincos2d", "dim must be a multiple of 4 and at least 8: it is ", dim);
  const int64_t quarter = dim / 4;
  Tensor table = empty({1, checked_numel({grid.h, grid.w}, "sincos2d"), dim}, Dtype::f32, "sincos2d");
  float* row = table.mutable_data<float>();
  // LAB 7.6 BEGIN  Fill the rows of the table, row by row of the grid, as models/vit.h says; compute in double.
  for (int64_t y = 0; y < grid.h; ++y) {
    for (int64_t x = 0; x < grid.w; ++x, row += dim) {
      for (int64_t i = 0; i < quarter; ++i) {
        const double omega = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter - 1));
        row[i] = static_cast<float>(std::sin(static_cast<double>(x) * omega));
        row[quarter + i] = static_cast<float>(std::cos(static_cast<double>(x) * omega));
        row[2 * quarter + i] = static_cast<float>(std::sin(static_cast<double>(y) * omega));
        row[3 * quarter + i] = static_cast<float>(std::cos(static_cast<double>(y) * omega));
      }
    }
  }
  // LAB 7.6 END
  return table;
}

}  // namespace vitrail::models
