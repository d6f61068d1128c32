// The features of every architecture are what its last linear layer multiplies.
#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "models/presets.h"
#include "tests/support/model_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// The logits are the last linear layer of the features, to the bit.
void check_features(models::Classifier& model, int64_t width) {
  model.eval();
  const Tensor images = random_images({3, model.in_chans(), model.img_height(), model.img_width()});
  const Variable features = model.pooled_features(images);
  CHECK(features.shape() == Shape{3, width});
  REQUIRE(model.last_linear() != nullptr);
  CHECK(bit_equal((*model.last_linear())(features).value(), model(images).value()));
}

}  // namespace

TEST_CASE("features: the last linear layer of each architecture makes the logits of them") {
  Rng rng(3);
  models::ViT vit(tiny_config(), rng);
  check_features(vit, 16);
  models::ViTConfig averaged = tiny_config();
  averaged.global_pool = "avg", averaged.class_token = false;
  models::ViT without_token(averaged, rng);
  check_features(without_token, 16);
  models::CctConfig cct;
  cct.img_size = 8, cct.num_classes = 3, cct.embed_dim = 16, cct.depth = 1, cct.num_heads = 2;
  models::Cct compact(cct, rng);
  check_features(compact, 16);
  models::SimpleCnn cnn({.img_size = 8, .num_classes = 4, .widths = {4, 6}, .drop_rate = 0.5}, rng);
  check_features(cnn, 6);
  models::ResNet resnet({.img_size = 8, .num_classes = 4, .widths = {4, 8}, .blocks_per_stage = 1}, rng);
  check_features(resnet, 8);
  models::MlpClassifier mlp({.img_size = 4, .num_classes = 4, .hidden = {5, 7}, .drop_rate = 0.5}, rng);
  check_features(mlp, 7);
  models::MlpClassifier softmax_regression({.img_size = 4, .num_classes = 4, .hidden = {}}, rng);
  check_features(softmax_regression, 16);
}

TEST_CASE("features: a model without a head gives them itself, and says that it has no last layer") {
  models::ViTConfig config = tiny_config();
  config.num_classes = 0;
  models::ViT backbone(config, Rng(1));
  backbone.eval();
  const Tensor images = random_images({2, 3, 8, 8});
  CHECK(backbone.last_linear() == nullptr);
  CHECK(bit_equal(backbone.pooled_features(images).value(), backbone(images).value()));
}

TEST_CASE("features: an architecture that does not say what they are is refused") {
  class Silent : public models::Classifier {
   public:
    Variable forward(const Variable& x) override { return x; }
    int64_t in_chans() const override { return 1; }
    int64_t img_height() const override { return 1; }
    int64_t img_width() const override { return 1; }
    int64_t num_classes() const override { return 1; }
    std::string config_json() const override { return "{}"; }
  } silent;
  CHECK(contains(message_of([&] {
                   silent.pooled_features(zeros({1, 1, 1, 1}));
                 }),
                 "does not say which layer's inputs are its features"));
}
