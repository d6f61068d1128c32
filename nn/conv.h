#pragma once

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/layer.h"

namespace vitrail::nn {

// [B, C, H, W] -> [B, O, H', W'] (tensor/ops/conv.h). weight [O, C / groups, P, Q] and bias [O] start as torch.nn.Conv2d's.
class Conv2d : public Layer {
 public:
  Conv2d(int64_t in_channels, int64_t out_channels, int64_t kernel_h, int64_t kernel_w, Rng& rng,
         const Conv2dOptions& options = {}, bool with_bias = true);
  Conv2d(int64_t in_channels, int64_t out_channels, int64_t kernel_h, int64_t kernel_w, Rng&& rng,
         const Conv2dOptions& conv = {}, bool with_bias = true)
      : Conv2d(in_channels, out_channels, kernel_h, kernel_w, rng, conv, with_bias) {}
  Variable forward(const Variable& x) override { return conv2d(x, weight, bias, options); }
  int64_t macs(const Shape& input, const Shape& output) const override;

  Variable weight, bias;
  Conv2dOptions options;
};

class MaxPool2d : public Layer {
 public:
  explicit MaxPool2d(const Pool2dOptions& pool) : options(pool) {}
  Variable forward(const Variable& x) override { return max_pool2d(x, options); }
  Pool2dOptions options;
};

class AvgPool2d : public Layer {
 public:
  explicit AvgPool2d(const Pool2dOptions& pool) : options(pool) {}
  Variable forward(const Variable& x) override { return avg_pool2d(x, options); }
  Pool2dOptions options;
};

// [B, C, H, W] -> [B, C]: the mean over all places.
class GlobalAvgPool : public Layer {
 public:
  Variable forward(const Variable& x) override { return mean(x, {2, 3}); }
};

}  // namespace vitrail::nn
