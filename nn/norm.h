// Normalisation layers: the formulas are in tensor/ops/norm.h.
#pragma once

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/layer.h"

namespace vitrail::nn {

// Layer normalisation over the last axis: [..., D] -> [..., D]. eps is 1e-6 as in timm's ViT (torch.nn.LayerNorm has 1e-5).
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(int64_t dim, double eps = 1e-6);
  Variable forward(const Variable& x) override { return layer_norm(x, weight, bias, eps); }
  Variable weight, bias;
  double eps;
};

// RMS normalisation over the last axis: [..., D] -> [..., D].
class RMSNorm : public Layer {
 public:
  explicit RMSNorm(int64_t dim, double eps = 1e-6);
  Variable forward(const Variable& x) override { return rms_norm(x, weight, eps); }
  Variable weight;
  double eps;
};

// Batch normalisation over batch and space of [B, C, H, W] (Ioffe and Szegedy, arXiv:1502.03167). Training updates running_mean
// and running_var (buffers), evaluation uses them. Training with a single value per channel (one image of 1 x 1) is an
// Error(kValue); an empty batch does not change the running statistics.
class BatchNorm2d : public Layer {
 public:
  explicit BatchNorm2d(int64_t channels, double eps = 1e-5, double momentum = 0.1);
  Variable forward(const Variable& x) override;
  Variable weight, bias;
  Tensor running_mean, running_var;
  double eps, momentum;
};

// True if this module or one below it is a batch norm.
bool has_batch_norm(Module& module);

// Group normalisation of [B, C, ...] over groups of C / groups channels and space (Wu and He, arXiv:1803.08494). Error(kValue)
// in forward() unless groups divides C.
class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t channels, double eps = 1e-5);
  Variable forward(const Variable& x) override { return group_norm(x, groups, weight, bias, eps); }
  int64_t groups;
  Variable weight, bias;
  double eps;
};

// x * gamma, gamma [D] starts at `init` (Touvron et al., arXiv:2103.17239, equation 4). With init = 0 there is no gamma, and x
// is returned unchanged.
class LayerScale : public Layer {
 public:
  LayerScale(int64_t dim, double init);
  Variable forward(const Variable& x) override { return gamma.defined() ? x * gamma : x; }
  Variable gamma;
};

}  // namespace vitrail::nn
