// Normalisation layers: the formulas are in tensor/ops/norm.h.
#pragma once

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/layer.h"

namespace vitrail::nn {

// Over the last axis [..., D]. eps 1e-6 as timm's ViT (torch.nn.LayerNorm has 1e-5).
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(int64_t dim, double eps = 1e-6);
  Variable forward(const Variable& x) override { return layer_norm(x, weight, bias, eps); }
  // forward(x) for a linear layer and nobody else: rounded already where its product would round it.
  Variable before_linear(const Variable& x);
  Variable weight, bias;
  double eps;
};

class RMSNorm : public Layer {
 public:
  explicit RMSNorm(int64_t dim, double eps = 1e-6);
  Variable forward(const Variable& x) override { return rms_norm(x, weight, eps); }
  Variable weight;
  double eps;
};

// Over batch and space of [B, C, H, W] (Ioffe and Szegedy, arXiv:1502.03167). Training moves running_mean and running_var
// (buffers), evaluation uses them. Training on one value a channel (one image of 1 x 1) is an Error(kValue); an empty batch
// leaves the running statistics alone.
class BatchNorm2d : public Layer {
 public:
  explicit BatchNorm2d(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  Variable forward(const Variable& x) override;
  Variable weight, bias;
  Tensor running_mean, running_var;
  double eps, momentum;
};

// Whether there is a batch norm in this module or below.
bool has_batch_norm(Module& module);

class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t channels, double eps = 1e-5);
  Variable forward(const Variable& x) override { return group_norm(x, groups, weight, bias, eps); }
  int64_t groups;
  Variable weight, bias;
  double eps;
};

// x * gamma, gamma [D] starts at `init` (Touvron et al., arXiv:2103.17239, equation 4).
class LayerScale : public Layer {
 public:
  LayerScale(int64_t dim, double init);
  Variable forward(const Variable& x) override { return x * gamma; }
  Variable gamma;
};

}  // namespace vitrail::nn
