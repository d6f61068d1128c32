// Residual network for small images (He et al., arXiv:1512.03385, with the usual stem for 32 x 32: one 3 x 3 convolution and no
// pooling). Parameter names are torchvision's: layer1.0.conv1.weight, layer2.0.downsample.0.weight, fc.bias.
#pragma once

#include <memory>
#include <vector>

#include "models/classifier.h"
#include "nn/container.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace vitrail::models {

class ResNet;

// A 3 x 3 stem, stages of basic blocks with batch norm, each but the first halving the image, the mean over space, a linear
// head.
struct ResNetConfig {
  static constexpr const char* kArchitecture = "resnet";
  using Model = ResNet;

  Size2d img_size = 32;
  int64_t in_chans = 3;
  int64_t num_classes = 10;
  std::vector<int64_t> widths = {64, 128, 256, 512};
  int64_t blocks_per_stage = 2;  // 2 with four stages: ResNet-18

  friend bool operator==(const ResNetConfig&, const ResNetConfig&) = default;
};
// The functions that models/config.h requires of a configuration.
void visit_fields(ResNetConfig& config, FieldVisitor& visitor);
void check_fields(const ResNetConfig& config);
int64_t count_parameters(const ResNetConfig& config);

// kernel / 2 pixels of padding on each side, no bias (batch norm subtracts the mean, so a bias before it has no effect).
class ResNetConv : public nn::Conv2d {
 public:
  ResNetConv(int64_t in_channels, int64_t out_channels, int64_t kernel, int64_t stride, Rng& rng);
};

// relu(x + bn2(conv2(relu(bn1(conv1(x)))))); where the shape changes, a 1 x 1 convolution and a norm are applied to x.
class BasicBlock : public nn::Layer {
 public:
  BasicBlock(int64_t in_channels, int64_t channels, int64_t stride, Rng& rng);
  Variable forward(const Variable& x) override;

  ResNetConv conv1;
  nn::BatchNorm2d bn1;
  ResNetConv conv2;
  nn::BatchNorm2d bn2;
  nn::Sequential downsample;  // empty where x is added as it is
};

class ResNet : public ConfiguredClassifier<ResNetConfig> {
 public:
  ResNet(const ResNetConfig& config, Rng& rng);
  ResNet(const ResNetConfig& config, Rng&& rng) : ResNet(config, rng) {}
  Variable forward(const Variable& images) override;
  Variable pooled_features(const Variable& images) override;
  nn::Linear* last_linear() override { return &fc; }

  ResNetConv conv1;
  nn::BatchNorm2d bn1;
  std::vector<std::unique_ptr<nn::Sequential>> stages;  // named layer1, layer2, ...
  nn::Linear fc;
};

}  // namespace vitrail::models
