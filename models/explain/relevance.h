// From the attention of all layers to one number per token: how much of it the answer is made of.
#pragma once

#include "models/config.h"
#include "tensor/tensor.h"

namespace vitrail::models::explain {

// How the heads of a layer become one matrix.
enum class HeadFusion { kMean, kMax, kMin };

struct RolloutOptions {
  HeadFusion fusion = HeadFusion::kMean;
  double discard = 0;  // share in [0, 1) of each row's entries, the smallest, that count as 0
};

// Attention rollout (Abnar & Zuidema, arXiv:2005.00928, section 3): the heads of each layer fused, A' = 0.5 A + 0.5 I for the
// residual connection, its rows divided by their sums, R = A'_L ... A'_2 A'_1. A [L, H, T, T] -> R [T, T] in f64; rows sum to
// one. Error(kShape) for other shapes, Error(kValue) for a share out of range.
Tensor rollout(const Tensor& attention, const RolloutOptions& options = {});

// Chefer et al., arXiv:2103.15679, equation 6 for self-attention: R = I, then R = R + E R for E of each layer. E [L, T, T] (the
// `relevance` of an AttentionRecord) -> R - I [T, T] in f64: the identity is what a token says of itself without attention.
Tensor gradient_rollout(const Tensor& relevance);

// The last layer alone, the mean of its heads: A [L, H, T, T] -> [T, T] in f64.
Tensor last_attention(const Tensor& attention);

// What the pooled tokens got from each patch, sum_i shares[i] R[i, j], without the prefix tokens: R [T, T], shares [T] ->
// f64 [grid.h, grid.w].
Tensor patch_map(const Tensor& relation, const Tensor& shares, int64_t prefix, Size2d grid);

}  // namespace vitrail::models::explain
