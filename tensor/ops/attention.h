// Scaled dot-product attention (Vaswani et al., arXiv:1706.03762, equation 1) as one operation.
#pragma once

#include "tensor/precision.h"
#include "tensor/tensor.h"

namespace vitrail {

// What the forward pass keeps beside the output.
enum class AttentionKeep {
  kNothing,        // inference: no N x M matrix exists
  kStatistics,     // two numbers per query, from which the backward pass computes P again with the same bits
  kProbabilities,  // P itself: for the backward pass, or to look at
};

// True if attention of this precision accepts q, k, v stored in bf16 (Dtype::bf16, each row contiguous). They are read as f32;
// the output and dq, dk, dv are stored in bf16 too. Their bits are those of the f32 results, rounded.
bool attention_takes_rounded(Precision precision);

struct AttentionResult {
  Tensor output;         // [B, H, N, Kv] as a view of a contiguous [B, N, H, Kv] block: merging the heads copies nothing
  Tensor probabilities;  // [B, H, N, M], the softmax rows P; undefined unless kept
  // f32 [B, H, N, 2]: m and f with P = f e^(S - m), S = scale Q K^T + mask. Undefined unless kept. The plain kernel (f64, or a
  // build for processors without FMA) keeps P instead.
  Tensor statistics;
};

// P = softmax(scale * Q K^T + mask), O = P V.
// q [B, H, N, K], k [B, H, M, K], v [B, H, M, Kv], any strides (heads are views into the fused qkv buffer).
// mask: undefined, or float (added; -inf forbids) or u8 (0 forbids), broadcasting to [B, H, N, M].
// A row in which every key is forbidden gives zeros, not NaN. scale <= 0 means 1 / sqrt(K).
// `keep` does not change the output. With Precision::kBf16 the operands of all products are rounded to bf16: Q, K, V and P
// here, and also dO and dS in the backward pass; the softmax and all sums stay f32. The plain kernel (f64, or a build for
// processors without FMA) does not round them.
//
// Errors: Error(kShape) naming all shapes; Error(kValue) if dtypes differ, or for bf16 unless attention_takes_rounded().
AttentionResult attention_forward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}, double scale = 0,
                                  AttentionKeep keep = AttentionKeep::kNothing, Precision precision = Precision::kF32);

// What to keep for a backward pass over `scores` = B H N M scores: P if it is small, the statistics if it is large.
// docs/kernels.md ("How attention works") has the limit and the reason.
AttentionKeep attention_keep_for_backward(int64_t scores, Dtype dtype);

struct AttentionGradients {
  Tensor dq, dk, dv;  // shaped as q, k, v
  Tensor dscores;     // [B, H, N, M], the gradient of scale * Q K^T + mask; undefined unless requested
};
// dV = P^T dO; dP = dO V^T; dS = P (dP - rowsum(dP P)); dQ = scale dS K; dK = scale dS^T Q. The row sum also equals rowsum(dO
// O). Where P is near 1, the terms of dS cancel: its error is about 1e-7 of the largest |dP| of the row, as in every
// implementation that computes it so (Dao et al. 2022, FlashAttention, algorithm 4), however small dS itself is.
// dy is shaped as the output; `forward` is the result of attention_forward for the same inputs, with P or statistics kept.
// Errors: Error(kValue) if neither was kept.
AttentionGradients attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                                      const AttentionResult& forward, double scale = 0, bool with_scores = false,
                                      Precision precision = Precision::kF32);
// The same, written into the tensors of `gradients`, which may have any strides, such as views into one fused dqkv buffer.
void attention_backward_into(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                             const AttentionResult& forward, double scale, AttentionGradients& gradients,
                             Precision precision = Precision::kF32);

}  // namespace vitrail
