#pragma once

#include "nn/layer.h"

namespace vitrail::nn {

// y = x W^T + b: [..., in] -> [..., out]. weight [out, in] is drawn from trunc_normal(0.02), bias [out] is 0 (timm's ViT).
class Linear : public Layer {
 public:
  Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias = true);
  Variable forward(const Variable& x) override { return linear(x, weight, bias); }
  int64_t macs(const Shape& input, const Shape& output) const override;

  Variable weight, bias;  // bias is undefined without one
};

// Rows of a table: i64 index [...] -> [..., D]. weight [count, D] is drawn from trunc_normal(0.02).
class Embedding : public Module {
 public:
  Embedding(int64_t count, int64_t dim, Rng& rng);
  Variable operator()(const Tensor& index) { return embedding(weight, index); }

  Variable weight;
};

}  // namespace vitrail::nn
