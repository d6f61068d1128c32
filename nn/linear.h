#pragma once

#include <memory>
#include <mutex>

#include "autograd/ops/shape.h"
#include "nn/layer.h"
#include "tensor/ops/linear.h"

namespace vitrail::nn {

// y = x W^T + b: [..., in] -> [..., out]. weight [out, in] is drawn from trunc_normal(0.02), bias [out] is 0 (timm's ViT).
class Linear : public Layer {
 public:
  Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias = true);
  Variable forward(const Variable& x) override;
  // residual + forward(x) and gelu(forward(x)), each as one op. `before_linear`: nobody but a linear layer will read the
  // result, so without gradients it comes rounded where that layer's product would round it.
  Variable add_to(const Variable& residual, const Variable& x);
  Variable gelu(const Variable& x, bool before_linear = false);
  // forward(x) rounded, where rounds_operands(): for attention.
  Variable rounded(const Variable& x);
  int64_t macs(const Shape& input, const Shape& output) const override;

  Variable weight, bias;  // bias is undefined without one

 private:
  std::shared_ptr<const PackedWeight> packed_for(const Variable& x);

  // Without gradients and with few rows, the weight is packed once and kept until it changes.
  std::shared_ptr<const PackedWeight> packed_;
  std::mutex packed_mutex_;
};

// Rows of a table: i64 index [...] -> [..., D]. weight [count, D] is drawn from trunc_normal(0.02).
class Embedding : public Module {
 public:
  Embedding(int64_t count, int64_t dim, Rng& rng);
  Variable operator()(const Tensor& index) { return embedding(weight, index); }

  Variable weight;
};

}  // namespace vitrail::nn
