// Linear layers: one product over all leading axes; what follows it (bias, residual, GELU) is done while a tile of the result
// is in the cache.
#pragma once

#include "tensor/precision.h"
#include "tensor/tensor.h"

namespace vitrail {

// What a linear function may be told beside x, weight and bias.
struct LinearOptions {
  Precision precision = Precision::kF32;
  // The same weight will be used again before it changes (inference): with few rows its packed form is then kept with its
  // memory (at most as many numbers as the weight has) and saves up to half of the time.
  //
  // Rule: a pointer from mutable_data() is for writes before the tensor's next use. The kept form is dropped by the next
  // in-place write, which mutable_data() announces; a write through an older pointer is not seen, and the old weight is
  // multiplied. set_packed_weight_checks() finds such writes.
  bool keep_packed = false;
};

// While on, every use of a kept packed weight compares a checksum of the weight with the one it had when it was packed, and
// throws Error(kValue) that names the rule above if they differ. On at start in debug and sanitizer builds.
void set_packed_weight_checks(bool on);

// ---- x, dy, slopes and results may be stored in bf16 (tensor/ops/rounding.h) and then stand for f32. Products whose operands
// are stored in bf16 have the same bits as Precision::kBf16 products of the f32 numbers that were rounded. ----

// True if the products of a linear layer [..., K] -> [..., outputs] round their operands to bf16: then x can be stored so.
bool rounds_operands(const Tensor& x, int64_t outputs, Precision precision);

// y = x W^T + b: x [..., K], weight [N, K], bias [N] or undefined -> [..., N].
// Errors: Error(kShape) naming all shapes; Error(kValue) if dtypes differ.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const LinearOptions& options = {});
// The same, stored in bf16; where rounds_operands().
Tensor linear_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, bool keep_packed = false);

// What a residual branch is multiplied by before it is added: y = residual + samples gamma branch.
struct BranchScale {
  Tensor gamma{};    // [N], one factor per column (LayerScale); undefined: 1
  Tensor samples{};  // [B, 1, ...], one factor per index of axis 0 (drop path); undefined: 1
};
// y = residual + samples gamma (x W^T + b); residual is [..., N].
// Errors: Error(kShape) naming the shapes if residual, gamma or samples do not fit.
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual,
                  const BranchScale& scale = {}, const LinearOptions& options = {});

// y = gelu(h) with h = x W^T + b and the exact GELU. What the backward pass needs is written on request [..., N]: gelu'(h), or
// h itself, from which gelu_with_slope() computes y and gelu'(h) again.
struct GeluKeep {
  Tensor* slope = nullptr;
  Tensor* argument = nullptr;
};
Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, const GeluKeep& keep = {},
                   const LinearOptions& options = {});
// The same with y and (if wanted) slope [..., N] stored in bf16; where rounds_operands().
Tensor linear_gelu_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor* slope = nullptr,
                           bool keep_packed = false);

// ---- gradients ----

// dx = dy W: dy [..., N], weight [N, K] -> [..., K]. With `slope` [..., K], contiguous, dx = (dy W) slope, element by element:
// the chain rule through the function whose derivative it is.
Tensor linear_backward_input(const Tensor& dy, const Tensor& weight, Precision precision = Precision::kF32,
                             const Tensor* slope = nullptr);
// The same with slope and dx stored in bf16.
Tensor linear_backward_input_rounded(const Tensor& dy, const Tensor& weight, const Tensor& slope);
// dW = dy^T x, summed over all leading axes: dy [..., N], x [..., K] -> [N, K]
Tensor linear_backward_weight(const Tensor& dy, const Tensor& x, Precision precision = Precision::kF32);
// dw += dy^T x, into a contiguous dw [N, K].
void linear_backward_weight_into(const Tensor& dy, const Tensor& x, Tensor dw, Precision precision = Precision::kF32);
// db = sum of dy over all leading axes: dy [..., N] -> [N]
Tensor linear_backward_bias(const Tensor& dy);
// The gradients behind y = gamma (x W^T + b), from those of the product alone: g = dy^T x [N, K] and db = sum of dy [N].
//   dgamma_n = sum_k W_nk g_nk + b_n db_n,  because gamma_n stands before W_n and b_n in every y_n;
//   dW = gamma g, written over g.
// So x W^T + b need not be kept for the backward pass. bias undefined: 0. g is contiguous.
Tensor linear_backward_scale(Tensor g, const Tensor& weight, const Tensor& bias, const Tensor& db, const Tensor& gamma);

}  // namespace vitrail
