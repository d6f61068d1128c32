#include "models/cnn.h"

#include <algorithm>

#include "nn/activation.h"
#include "nn/conv.h"
#include "nn/init.h"
#include "nn/norm.h"

namespace vitrail::models {

void visit_fields(CnnConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("widths", c.widths);
  v("convs_per_stage", c.convs_per_stage), v("drop_rate", c.drop_rate);
}

void check_fields(const CnnConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  in_range("number of widths", static_cast<int64_t>(c.widths.size()), 1, 16);
  for (const int64_t width : c.widths) in_range("widths", width, 1, kMaxWidth);
  in_range("convs_per_stage", c.convs_per_stage, 1, 64);
  const int64_t smallest = int64_t{1} << c.widths.size();
  require(std::min(c.img_size.h, c.img_size.w) >= smallest, "img_size is too small for ", c.widths.size(),
          " stages that halve it: it is ", c.img_size.h, " x ", c.img_size.w, ", at least ", smallest, " is needed");
  is_rate("drop_rate", c.drop_rate);
}

int64_t count_parameters(const CnnConfig& c) {
  int64_t total = 0, channels = c.in_chans;
  for (const int64_t width : c.widths) {
    for (int64_t i = 0; i < c.convs_per_stage; ++i) {
      total += linear_count(9 * channels, width, false) + 2 * width;
      channels = width;
    }
  }
  return total + linear_count(channels, c.num_classes);
}

SimpleCnn::SimpleCnn(const CnnConfig& config, Rng& rng)

    : ConfiguredClassifier(config), head(config.widths.back(), config.num_classes, rng) {
  int64_t channels = config_.in_chans;
  for (const int64_t width : config_.widths) {
    for (int64_t i = 0; i < config_.convs_per_stage; ++i) {
      // Batch norm subtracts the mean: a bias before it has no effect.
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

Variable SimpleCnn::pooled_features(const Variable& images) {
  check_images("SimpleCnn", images);
  return features(images);
}

Variable SimpleCnn::forward(const Variable& images) { return head(pooled_features(images)); }

}  // namespace vitrail::models
