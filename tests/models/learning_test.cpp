#include <doctest/doctest.h>

#include <cmath>

#include "models/presets.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;

// Adam (Kingma and Ba, arXiv:1412.6980), written out.
struct Adam {
  double lr, step = 0;
  std::vector<Tensor> m = {}, v = {};

  void update(const std::vector<nn::NamedParameter>& parameters) {
    ++step;
    for (size_t i = 0; i < parameters.size(); ++i) {
      const Tensor& g = parameters[i].parameter->grad();
      if (m.size() == i) m.push_back(zeros(g.shape())), v.push_back(zeros(g.shape()));
      m[i] = m[i] * 0.9 + g * 0.1;
      v[i] = v[i] * 0.999 + square(g) * 0.001;
      const Tensor mean = m[i] / (1 - std::pow(0.9, step)), spread = sqrt(v[i] / (1 - std::pow(0.999, step)));
      parameters[i].parameter->set_value(parameters[i].parameter->value() - mean / (spread + 1e-8) * lr);
    }
  }
};

// Share of 32 random images whose random labels the model knows by heart after `steps`.
double learnt_by_heart(Classifier& model, int steps, double lr) {
  const Tensor images = random_images({32, model.in_chans(), model.img_height(), model.img_width()});
  const Tensor labels = rand_int({32}, 0, model.num_classes(), Rng(9));
  Adam adam{lr};
  const int threads = num_threads();
  set_num_threads(1);  // the products are too small to share
  for (int i = 0; i < steps; ++i) {
    model.zero_grad();
    cross_entropy(model(images), labels).backward();
    adam.update(model.named_parameters());
  }
  set_num_threads(threads);
  model.eval();
  return mean(to(equal(argmax(model(images).value()), labels), Dtype::f32)).item();
}

TEST_CASE("a small ViT learns 32 random images by heart") {
  ViTConfig c = tiny_config();
  c.img_size = 16, c.embed_dim = 32;
  Rng rng(1);
  ViT model(c, rng);
  CHECK(learnt_by_heart(model, 60, 3e-3) == 1);
}

TEST_CASE("a CCT, a CNN, an MLP and a ResNet learn 32 random images by heart") {
  const DataShape data{.in_chans = 3, .img_height = 16, .img_width = 16, .num_classes = 5};
  const std::vector<ModelConfig> configs = {CctConfig{.embed_dim = 32, .conv_width = 16},
                                            CnnConfig{.widths = {16, 32}, .convs_per_stage = 1}, MlpConfig{.hidden = {64}},
                                            ResNetConfig{.widths = {16, 32}, .blocks_per_stage = 1}};
  for (const ModelConfig& config : configs) {
    CAPTURE(config.index());
    Rng rng(1);
    const auto model = make_model(adapted(config, data), rng);
    CHECK(learnt_by_heart(*model, 60, 3e-3) == 1);
  }
}

}  // namespace
}  // namespace vitrail::testing
