#include "models/resnet.h"

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/init.h"

namespace vitrail::models {
namespace {

const ResNetConfig& validated(const ResNetConfig& config) {
  validate(ModelConfig(config));
  return config;
}

}  // namespace

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
    : config_(validated(config)),
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

Variable ResNet::forward(const Variable& images) {
  check_images("ResNet", images);
  Variable x = relu(bn1(conv1(images)));
  for (const auto& stage : stages) x = (*stage)(x);
  return fc(mean(x, {2, 3}));
}

}  // namespace vitrail::models
