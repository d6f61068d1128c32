// Linear layers: one product over all leading axes; the following steps (bias, residual, GELU) are applied to each tile of the
// result while it is in the cache.
#pragma once

#include "tensor/precision.h"
#include "tensor/tensor.h"

namespace vitrail {

// Options of a linear layer.
struct LinearOptions {
  Precision precision = Precision::kF32;
  // Set it if the same weight will be used again before it changes (inference). With few rows, the packed form of the weight is
  // then kept with its storage (it has at most as many numbers as the weight), which saves up to half of the time.
  //
  // Rule: a pointer from mutable_data() is for writes before the tensor's next use. The kept form is dropped by the next
  // in-place write, which mutable_data() announces; a write through an older pointer is not noticed, and the product uses the
  // old weight. set_packed_weight_checks() finds such writes.
  bool keep_packed = false;
};

// While on, every use of a kept packed weight compares the weight's checksum with the one from when it was packed, and throws
// Error(kValue) with the rule above if they differ. Initially on in debug and sanitizer builds.
void set_packed_weight_checks(bool on);

// ---- x, dy, slopes and results may be stored in bf16 (tensor/ops/rounding.h) instead of f32. A product of operands stored in
// bf16 has the same bits as the Precision::kBf16 product of the f32 numbers before rounding. ----

// True if the products of a linear layer [..., K] -> [..., outputs] round their operands to bf16: then x may be stored in bf16
// without changing the result.
bool rounds_operands(const Tensor& x, int64_t outputs, Precision precision);

// y = x W^T + b: x [..., K], weight [N, K], bias [N] or undefined -> [..., N].
// Errors: Error(kShape) naming all shapes; Error(kValue) if dtypes differ.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const LinearOptions& options = {});
// The same with y stored in bf16. Requires rounds_operands().
Tensor linear_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, bool keep_packed = false);

// The factors of a residual branch before it is added: y = residual + samples gamma branch.
struct BranchScale {
  Tensor gamma{};    // [N], one factor per column (LayerScale); undefined: 1
  Tensor samples{};  // [B, 1, ...], one factor per index of axis 0 (drop path); undefined: 1
};
// y = residual + samples gamma (x W^T + b); residual is [..., N].
// Errors: Error(kShape) naming the shapes if residual, gamma or samples do not fit.
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual,
                  const BranchScale& scale = {}, const LinearOptions& options = {});

// y = gelu(h) with h = x W^T + b and the exact GELU. On request it writes what the backward pass needs, [..., N]: gelu'(h), or
// h itself, from which gelu_with_slope() computes y and gelu'(h) again.
struct GeluKeep {
  Tensor* slope = nullptr;
  Tensor* argument = nullptr;
};
Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, const GeluKeep& keep = {},
                   const LinearOptions& options = {});
// The same with y and (if given) slope [..., N] stored in bf16. Requires rounds_operands().
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
// The gradients of y = gamma (x W^T + b) for gamma and W, from those of the product without gamma: g = dy^T x [N, K] and db
// [N], the sum of dy.
//   dgamma_n = sum_k W_nk g_nk + b_n db_n,  because gamma_n multiplies W_n and b_n in every y_n;
//   dW = gamma g, written over g.
// So x W^T + b need not be kept for the backward pass. bias undefined: 0. g is contiguous.
Tensor linear_backward_scale(Tensor g, const Tensor& weight, const Tensor& bias, const Tensor& db, const Tensor& gamma);

}  // namespace vitrail
