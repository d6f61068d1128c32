// Initial weights of the ViT, and its fixed position embedding.
#include <cmath>

#include "models/vit.h"
#include "nn/init.h"

namespace vitrail::models {

// timm: what the layers do by themselves. jax (Google's recipe, as in timm's weight_init="jax"): Xavier-uniform matrices, MLP
// biases N(0, 1e-6), LeCun-normal patch projection, head of zeros; jax_nlhb starts the head's bias at -log K.
void ViT::init_weights(Rng& rng) {
  if (config_.weight_init == "timm") return;
  patch_embed.proj.weight.set_value(nn::lecun_normal(patch_embed.proj.weight.shape(), rng));
  if (patch_embed.proj.bias.defined()) patch_embed.proj.bias.set_value(zeros(patch_embed.proj.bias.shape()));
  for (const auto& [name, module] : blocks.named_modules()) {
    auto* linear = dynamic_cast<nn::Linear*>(module);
    if (linear == nullptr) continue;
    linear->weight.set_value(nn::xavier_uniform(linear->weight.shape(), rng));
    if (name.find("mlp") != std::string::npos) linear->bias.set_value(nn::normal(linear->bias.shape(), 1e-6, rng));
  }
  if (!head) return;
  head->weight.set_value(zeros(head->weight.shape()));
  const double log_classes = std::log(static_cast<double>(config_.num_classes));
  head->bias.set_value(full(head->bias.shape(), config_.weight_init == "jax_nlhb" ? -log_classes : 0));
}

Tensor sincos2d(Size2d grid, int64_t dim) {
  check(dim >= 8 && dim % 4 == 0, ErrorKind::kValue, "sincos2d", "dim must be a multiple of 4 and at least 8: it is ", dim);
  const int64_t quarter = dim / 4;
  Tensor table = empty({1, checked_numel({grid.h, grid.w}, "sincos2d"), dim}, Dtype::f32, "sincos2d");
  float* row = table.mutable_data<float>();
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
  return table;
}

}  // namespace vitrail::models
