#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/ops/fused.h"
#include "autograd/ops/layers.h"
#include "autograd/ops/shape.h"
#include "nn/layer.h"

namespace vitrail::nn {

class LowRank;

// The initial values of a linear layer: weight [out, in, ...], bias [out] or undefined.
struct LinearValues {
  Tensor weight, bias;
};

// y = x W^T + b: [..., in] -> [..., out]. weight [out, in] is drawn from trunc_normal(0.02), bias [out] is 0 (timm's ViT).
//
// Every product with weights in a model happens here or reads matrix(), so that low-rank updates (nn/lora.h) are seen
// everywhere. nn/fused_block.cpp reads own_matrix() and adds the updates itself. Error(kValue) if in < 1 or out < 0.
class Linear : public Layer {
 public:
  Linear(int64_t in_features, int64_t out_features, Rng& rng, bool with_bias = true);
  Linear(int64_t in_features, int64_t out_features, Rng&& rng, bool with_bias = true)
      : Linear(in_features, out_features, rng, with_bias) {}
  // With these values.
  explicit Linear(LinearValues values);
  ~Linear() override;
  Variable forward(const Variable& x) override;
  // Only the outputs [first, last): x W[first:last]^T + b[first:last], [..., in] -> [..., last - first].
  Variable outputs(const Variable& x, int64_t first, int64_t last);
  // The weight in the shape that products read, [out, in]: a view of `weight` whose axes after the first are flattened (the
  // projection of patches has a convolution's weight [out, C, P, P]). With low-rank updates: a new matrix that holds them.
  Variable matrix() const;
  // The same without the updates.
  Variable own_matrix() const;
  int64_t macs(const Shape& input, const Shape& output) const override;

  Variable weight, bias;  // bias is undefined if there is none

  // Low-rank updates of this layer, none at first. add_update() registers one as a module below this layer and freezes weight
  // and bias.
  const std::vector<std::unique_ptr<LowRank>>& updates() const { return updates_; }
  void add_update(const std::string& name, std::unique_ptr<LowRank> update);
  // Whether there are updates that the weight does not hold.
  bool updated() const { return !updates_.empty() && !merged(); }
  // Whether there are updates with trained row lengths (DoRA) that the weight does not hold.
  bool stretched() const;
  // y + samples gamma (the updates of x), without DoRA: for a fused form that has computed y from own_matrix().
  Variable add_updates(const Variable& y, const Variable& x, const Branch& branch = {}) const;
  // As merge_lora() and unmerge_lora() of nn/lora.h, for this layer.
  bool merged() const { return before_merge_.defined(); }
  void merge();
  void check_unmerge() const;
  void unmerge();

 private:
  std::vector<std::unique_ptr<LowRank>> updates_;
  Tensor before_merge_;  // the weight that merge() replaced; undefined unless merged
  uint64_t merged_version_ = 0;
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
