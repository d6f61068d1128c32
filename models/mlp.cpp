#include "models/mlp.h"

#include "nn/activation.h"
#include "nn/init.h"
#include "nn/linear.h"

namespace vitrail::models {

void visit_fields(MlpConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("hidden", c.hidden);
  v("act_layer", c.act_layer), v("drop_rate", c.drop_rate);
}

void check_fields(const MlpConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  in_range("number of hidden layers", static_cast<int64_t>(c.hidden.size()), 0, kMaxDepth);
  for (const int64_t width : c.hidden) in_range("hidden", width, 1, kMaxWidth);
  one_of("act_layer", c.act_layer, {"relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid"});
  is_rate("drop_rate", c.drop_rate);
}

int64_t count_parameters(const MlpConfig& c) {
  int64_t total = 0, features = c.in_chans * c.img_size.h * c.img_size.w;
  for (const int64_t width : c.hidden) {
    total += linear_count(features, width);
    features = width;
  }
  return total + linear_count(features, c.num_classes);
}

MlpClassifier::MlpClassifier(const MlpConfig& config, Rng& rng) : ConfiguredClassifier(config) {
  int64_t width = config_.in_chans * config_.img_size.h * config_.img_size.w;
  layers.add<nn::Flatten>();
  for (const int64_t hidden : config_.hidden) {
    auto& layer = layers.add<nn::Linear>(width, hidden, rng);
    layer.weight.set_value(nn::kaiming_uniform(layer.weight.shape(), rng));
    layers.add<nn::Activation>(nn::activation_from_name(config_.act_layer));
    layers.add<nn::Dropout>(config_.drop_rate);
    width = hidden;
  }
  output_ = &layers.add<nn::Linear>(width, config_.num_classes, rng);
  register_module("layers", layers);
}

Variable MlpClassifier::forward(const Variable& images) {
  check_images("MlpClassifier", images);
  return layers(images);
}

Variable MlpClassifier::pooled_features(const Variable& images) {
  check_images("MlpClassifier", images);
  Variable x = images;
  for (size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i](x);
  return x;
}

}  // namespace vitrail::models
