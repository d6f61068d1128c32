#include "models/baselines.h"

#include "nn/activation.h"
#include "nn/conv.h"
#include "nn/init.h"
#include "nn/norm.h"

namespace vitrail::models {
namespace {

template <class Config>
const Config& validated(const Config& config) {
  validate(ModelConfig(config));
  return config;
}

}  // namespace

SimpleCnn::SimpleCnn(const CnnConfig& config, Rng& rng)
    : config_(validated(config)), head(config.widths.back(), config.num_classes, rng) {
  int64_t channels = config_.in_chans;
  for (const int64_t width : config_.widths) {
    for (int64_t i = 0; i < config_.convs_per_stage; ++i) {
      // Batch norm subtracts the mean: a bias in front of it would do nothing.
      auto& conv = features.add<nn::Conv2d>(channels, width, 3, 3, rng, Conv2dOptions{.padding_h = 1, .padding_w = 1}, false);
      conv.weight.set_value(nn::kaiming_normal(conv.weight.shape(), rng));
      features.add<nn::BatchNorm2d>(width);
      features.add<nn::Activation>(nn::ActivationKind::kRelu);
      channels = width;
    }
    features.add<nn::MaxPool2d>(Pool2dOptions{});
  }
  features.add<nn::GlobalAvgPool>();
  features.add<nn::Dropout>(config_.drop_rate);
  register_module("features", features);
  register_module("head", head);
}

Variable SimpleCnn::forward(const Variable& images) {
  check_images("SimpleCnn", images);
  return head(features(images));
}

MlpClassifier::MlpClassifier(const MlpConfig& config, Rng& rng) : config_(validated(config)) {
  int64_t width = config_.in_chans * config_.img_size.h * config_.img_size.w;
  layers.add<nn::Flatten>();
  for (const int64_t hidden : config_.hidden) {
    auto& layer = layers.add<nn::Linear>(width, hidden, rng);
    layer.weight.set_value(nn::kaiming_uniform(layer.weight.shape(), rng));
    layers.add<nn::Activation>(nn::activation_from_name(config_.act_layer));
    layers.add<nn::Dropout>(config_.drop_rate);
    width = hidden;
  }
  layers.add<nn::Linear>(width, config_.num_classes, rng);
  register_module("layers", layers);
}

Variable MlpClassifier::forward(const Variable& images) {
  check_images("MlpClassifier", images);
  return layers(images);
}

}  // namespace vitrail::models
