#pragma once

#include "autograd/ops/layers.h"
#include "autograd/ops/shape.h"
#include "nn/layer.h"

namespace vitrail::nn {

// What a linear layer starts with: weight [out, in, ...], bias [out] or undefined.
struct LinearValues {
  Tensor weight, bias;
};

// y = x W^T + b: [..., in] -> [..., out]. weight [out, in] is drawn from trunc_normal(0.02), bias [out] is 0 (timm's ViT).
//
// Every product with weights in a model is made here or reads matrix() (fused_block.cpp): what changes the weights of linear
// layers (low-rank updates, freezing) has this one place.
class Linear : public Layer {
 public:
  Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias = true);
  Linear(int64_t in_features, int64_t out_features, Rng&& rng, bool with_bias = true)
      : Linear(in_features, out_features, rng, with_bias) {}
  // With these values.
  explicit Linear(LinearValues values);
  Variable forward(const Variable& x) override { return linear(x, matrix(), bias); }
  // The outputs first, first + 1, ... alone: x W[first:last]^T + b[first:last]. [..., in] -> [..., last - first].
  Variable outputs(const Variable& x, int64_t first, int64_t last) const;
  // The weight as products read it, [out, in]: a view of `weight`, whose axes behind the first count as one (the projection of
  // patches keeps a convolution's weight [out, C, P, P]).
  Variable matrix() const;
  int64_t macs(const Shape& input, const Shape& output) const override;

  Variable weight, bias;  // bias is undefined without one
};

// Rows of a table: i64 index [...] -> [..., D]. weight [count, D] is drawn from trunc_normal(0.02).
class Embedding : public Module {
 public:
  Embedding(int64_t count, int64_t dim, Rng& rng);
  Embedding(int64_t count, int64_t dim, Rng&& rng) : Embedding(count, dim, rng) {}
  Variable operator()(const Tensor& index) { return embedding(weight, index); }

  Variable weight;
};

}  // namespace vitrail::nn
