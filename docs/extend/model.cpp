// A new model: patches, each through the same two layers, then their mean (a ViT without attention or positions).
// In the project: models/patch_mean.h and .cpp; its configuration in the list ModelConfig of models/presets.h, and presets, if it
// has any, in the table of models/presets.cpp.
#include <cstdio>

#include "autograd/ops.h"
#include "models/classifier.h"
#include "nn/nn.h"

namespace vitrail::models {

class PatchMean;

// A plain struct with visible defaults. Three functions are enough for reading and writing JSON, checks, and the count of
// parameters.
struct PatchMeanConfig {
  static constexpr const char* kArchitecture = "patch_mean";
  using Model = PatchMean;

  Size2d img_size = 28;
  int64_t patch_size = 7, in_chans = 1, num_classes = 10, embed_dim = 32;
};

void visit_fields(PatchMeanConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("patch_size", c.patch_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes);
  v("embed_dim", c.embed_dim);
}

void check_fields(const PatchMeanConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, /*fewest_classes=*/1);
  in_range("patch_size", c.patch_size, 1, kMaxSide);
  in_range("embed_dim", c.embed_dim, 1, kMaxWidth);
  require(c.img_size.h % c.patch_size == 0 && c.img_size.w % c.patch_size == 0, "patch_size must divide img_size: it is ",
          c.patch_size);
}

int64_t count_parameters(const PatchMeanConfig& c) {
  return linear_count(c.in_chans * c.patch_size * c.patch_size, c.embed_dim) + linear_count(c.embed_dim, c.num_classes);
}

class PatchMean : public ConfiguredClassifier<PatchMeanConfig> {
 public:
  PatchMean(const PatchMeanConfig& config, Rng& rng)
      : ConfiguredClassifier(config),
        patch_embed(config_.patch_size, config_.patch_size, config_.in_chans, config_.embed_dim, rng),
        head(config_.embed_dim, config_.num_classes, rng) {
    register_module("patch_embed", patch_embed);
    register_module("head", head);
  }
  // [B, C, H, W] -> [B, K]
  Variable forward(const Variable& images) override {
    check_images("PatchMean", images);
    return head(mean(gelu(patch_embed(images)), 1));  // the mean over the tokens of [B, N, D]
  }

  nn::PatchEmbed patch_embed;
  nn::Linear head;
};

}  // namespace vitrail::models

int main() {
  using namespace vitrail;
  Rng rng(1);
  models::PatchMean model({.embed_dim = 16}, rng);
  const Variable logits = model(zeros({2, 1, 28, 28}));
  std::printf("%s\n%lld parameters\n", model.config_json().c_str(), static_cast<long long>(model.num_parameters()));
  return logits.shape() == Shape{2, 10} && model.num_parameters() == count_parameters(model.config()) ? 0 : 1;
}
