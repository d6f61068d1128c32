#pragma once

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/layer.h"

namespace vitrail::nn {

// [B, C, H, W] -> [B, O, H', W'] (tensor/ops/conv.h). weight [O, C / groups, P, Q] and bias [O] are initialised as in
// torch.nn.Conv2d: uniform in +-1 / sqrt(C P Q / groups). Error(kValue) for sizes below 1, or if groups does not divide
// in_channels.
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

// max_pool2d() of autograd/ops/layers.h: [B, C, H, W] -> [B, C, H', W'] (tensor/ops/pool.h).
class MaxPool2d : public Layer {
 public:
  explicit MaxPool2d(const Pool2dOptions& pool) : options(pool) {}
  Variable forward(const Variable& x) override { return max_pool2d(x, options); }
  Pool2dOptions options;
};

// avg_pool2d(), likewise.
class AvgPool2d : public Layer {
 public:
  explicit AvgPool2d(const Pool2dOptions& pool) : options(pool) {}
  Variable forward(const Variable& x) override { return avg_pool2d(x, options); }
  Pool2dOptions options;
};

// [B, C, H, W] -> [B, C]: the mean over all pixels.
class GlobalAvgPool : public Layer {
 public:
  Variable forward(const Variable& x) override { return mean(x, {2, 3}); }
};

}  // namespace vitrail::nn
