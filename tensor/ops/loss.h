// The classification loss over rows of logits: one kernel for class indices and soft targets, smoothing and class weights.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// How the losses of the elements become one number: their mean, their sum, or not at all.
enum class Reduction { kMean, kSum, kNone };

struct CrossEntropyOptions {
  double label_smoothing = 0;   // target mass spread evenly over all classes, in [0, 1]
  Tensor class_weights{};       // [C] or undefined; the mean divides by the sum of the weights of the targets
  int64_t ignore_index = -100;  // targets with this value are ignored
  Reduction reduction = Reduction::kMean;
};

// What the forward pass keeps for the backward pass. A row is one position of [B, d1, ...].
struct ClassLossResult {
  Tensor output;       // the loss: rank 0, or [B, d1, ...] for kNone
  Tensor log_sums;     // f64 [rows, 2]: max x and log sum_c e^(x_c - max x); zeros for log-probabilities
  double divisor = 1;  // of kMean: the sum of the targets' weights (indices) or the number of rows (soft targets), as torch
};

// With t' = (1 - smoothing) t + smoothing / C, t the one-hot of the class index or the soft target itself, and w the class
// weights (1 where undefined), the loss of a row is
//   sum_c w_c t'_c (log sum_k e^x_k - x_c)      x logits           (cross_entropy, op = "cross_entropy")
//   sum_c w_c t'_c (-x_c)                       x log-probabilities (nll_loss: log_probabilities = true)
// x [B, C] or [B, C, d1, ...]; target i64 [B] or [B, d1, ...], or of x's shape and dtype (soft).
// A class without target mass adds nothing, even if its x is -inf. A finite loss beyond the range of f32 becomes the largest
// f32.
// If no target counts (all ignored, or B = 0), kMean and kSum give 0.
// Errors: Error(kShape) naming both shapes; Error(kValue) for a class outside [0, C), naming value and position, for a target
// of another dtype, a smoothing outside [0, 1].
ClassLossResult class_loss_forward(const char* op, const Tensor& x, const Tensor& target, const CrossEntropyOptions& options,
                                   bool log_probabilities);

// dx_c = dy w' (softmax(x)_c) - dy w_c t'_c with w' = sum_k w_k t'_k; without the first term for log-probabilities.
// dy is of the output's shape; kMean divides by forward.divisor.
Tensor class_loss_backward(const Tensor& dy, const Tensor& x, const Tensor& target, const ClassLossResult& forward,
                           const CrossEntropyOptions& options, bool log_probabilities);

}  // namespace vitrail
