#pragma once

#include "autograd/ops/layers.h"
#include "autograd/ops/shape.h"
#include "nn/layer.h"

namespace vitrail::nn {

// The initial values of a linear layer: weight [out, in, ...], bias [out] or undefined.
struct LinearValues {
  Tensor weight, bias;
};

// y = x W^T + b: [..., in] -> [..., out]. weight [out, in] is drawn from trunc_normal(0.02), bias [out] is 0 (timm's ViT).
//
// Every product with weights in a model happens here or reads matrix() (nn/fused_block.cpp), so a change to the weights of
// linear layers, such as a low-rank update, can be made in this class. Error(kValue) if in < 1 or out < 0.
class Linear : public Layer {
 public:
  Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias = true);
  Linear(int64_t in_features, int64_t out_features, Rng&& rng, bool with_bias = true)
      : Linear(in_features, out_features, rng, with_bias) {}
  // With these values.
  explicit Linear(LinearValues values);
  Variable forward(const Variable& x) override { return linear(x, matrix(), bias); }
  // Only the outputs [first, last): x W[first:last]^T + b[first:last], [..., in] -> [..., last - first].
  Variable outputs(const Variable& x, int64_t first, int64_t last) const;
  // The weight in the shape that products read, [out, in]: a view of `weight` whose axes after the first are flattened (the
  // projection of patches has a convolution's weight [out, C, P, P]).
  Variable matrix() const;
  int64_t macs(const Shape& input, const Shape& output) const override;

  Variable weight, bias;  // bias is undefined if there is none
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
