#include "models/resnet.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/init.h"

namespace vitrail::models {

void visit_fields(ResNetConfig& c, FieldVisitor& v) {
  v("img_size", c.img_size), v("in_chans", c.in_chans), v("num_classes", c.num_classes), v("widths", c.widths);
  v("blocks_per_stage", c.blocks_per_stage);
}

void check_fields(const ResNetConfig& c) {
  check_image(c.img_size, c.in_chans, c.num_classes, 1);
  in_range("number of widths", static_cast<int64_t>(c.widths.size()), 1, 16);
  for (const int64_t width : c.widths) in_range("widths", width, 1, kMaxWidth);
  in_range("blocks_per_stage", c.blocks_per_stage, 1, 64);
}

int64_t count_parameters(const ResNetConfig& c) {
  const auto conv_norm = [](int64_t in, int64_t out, int64_t taps) { return linear_count(taps * in, out, false) + 2 * out; };
  int64_t channels = c.widths.front();
  int64_t total = conv_norm(c.in_chans, channels, 9);
  for (size_t i = 0; i < c.widths.size(); ++i) {
    const int64_t width = c.widths[i];
    if (i > 0) total += conv_norm(channels, width, 1);
    total += conv_norm(channels, width, 9) + (2 * c.blocks_per_stage - 1) * conv_norm(width, width, 9);
    channels = width;
  }
  return total + linear_count(channels, c.num_classes);
}

ResNetConv::ResNetConv(int64_t in_channels, int64_t out_channels, int64_t kernel, int64_t stride, Rng& rng)
    : Conv2d(in_channels, out_channels, kernel, kernel, rng,
             {.stride_h = stride, .stride_w = stride, .padding_h = kernel / 2, .padding_w = kernel / 2}, false) {
  weight.set_value(nn::kaiming_normal(weight.shape(), rng));
}

BasicBlock::BasicBlock(int64_t in_channels, int64_t channels, int64_t stride, Rng& rng)
    : conv1(in_channels, channels, 3, stride, rng), bn1(channels), conv2(channels, channels, 3, 1, rng), bn2(channels) {
  register_module("conv1", conv1);
  register_module("bn1", bn1);
  register_module("conv2", conv2);
  register_module("bn2", bn2);
  if (stride == 1 && in_channels == channels) return;
  downsample.add<ResNetConv>(in_channels, channels, 1, stride, rng);
  downsample.add<nn::BatchNorm2d>(channels);
  register_module("downsample", downsample);
}

Variable BasicBlock::forward(const Variable& x) {
  const Variable y = bn2(conv2(relu(bn1(conv1(x)))));
  return relu(y + (downsample.size() > 0 ? downsample(x) : x));
}

ResNet::ResNet(const ResNetConfig& config, Rng& rng)
    : ConfiguredClassifier(config),
      conv1(config.in_chans, config.widths.front(), 3, 1, rng),
      bn1(config.widths.front()),
      fc(config.widths.back(), config.num_classes, rng) {
  register_module("conv1", conv1);
  register_module("bn1", bn1);
  int64_t channels = config_.widths.front();
  for (size_t i = 0; i < config_.widths.size(); ++i) {
    auto& stage = *stages.emplace_back(std::make_unique<nn::Sequential>());
    for (int64_t block = 0; block < config_.blocks_per_stage; ++block) {
      stage.add<BasicBlock>(channels, config_.widths[i], block == 0 && i > 0 ? 2 : 1, rng);
      channels = config_.widths[i];
    }
    register_module("layer" + std::to_string(i + 1), stage);
  }
  register_module("fc", fc);
}

Variable ResNet::pooled_features(const Variable& images) {
  check_images("ResNet", images);
  Variable x = relu(bn1(conv1(images)));
  for (const auto& stage : stages) x = (*stage)(x);
  return mean(x, {2, 3});
}

Variable ResNet::forward(const Variable& images) { return fc(pooled_features(images)); }

}  // namespace vitrail::models
