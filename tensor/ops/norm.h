// Normalisation layers. Statistics are computed in double, in two passes, and returned as f64 whatever the dtype of x: in f32,
// one pass at mean 10,000 gives a negative variance, and a mean rounded to f32 is off by up to 5e-4 there. They cost one pair
// of doubles a row. (The running statistics of a layer may have any float dtype: to() and copy_() convert.)
//
// Everywhere: x is f32 or f64, weight and bias have its dtype; a bias needs a weight; eps >= 0, and a row with
// var + eps = 0 gives y = bias. Error(kShape) or Error(kValue) with the shapes otherwise. Extents of 0 are legal.
#pragma once

#include "tensor/tensor.h"

namespace vitrail {

// ---- over the last axis: x [..., D]; weight, bias [D] or undefined ----

// y = (x - mean) rstd weight + bias, rstd = 1 / sqrt(var + eps), var with divisor D (Ba et al., arXiv:1607.06450).
// A constant row gives bias. mean, rstd [...] (row statistics, f64) are what backward needs. `rounded`: y is stored in bf16,
// for products that read it (x must be f32).
struct LayerNormResult {
  Tensor output, mean, rstd;
};
LayerNormResult layer_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, bool rounded = false);
// Gradients of all norms. Sums over rows are taken in fixed chunks that are combined in index order, so that the bits do not
// depend on the number of threads.
struct NormGradients {
  Tensor dx, dweight, dbias;  // dweight and dbias are undefined where weight is
};
// With h = (x - mean) rstd and g = dy weight: dx = rstd (g - mean(g) - h mean(g h)), dweight = sum dy h, dbias = sum dy.
NormGradients layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& rstd);

// y = x rrms weight, rrms = 1 / sqrt(mean(x^2) + eps) (Zhang and Sennrich, arXiv:1910.07467).
struct RmsNormResult {
  Tensor output, rrms;  // rrms [...], f64
};
// Backward, with h = x rrms and g = dy weight: dx = rrms (g - h mean(g h)), dweight = sum dy h.
RmsNormResult rms_norm_forward(const Tensor& x, const Tensor& weight, double eps);
NormGradients rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms);

// ---- over channels: x [B, C, ...]; weight, bias [C] or undefined ----

// Statistics per channel over batch and space (Ioffe and Szegedy, arXiv:1502.03167); var with divisor n, the number of values
// of one channel. n = 1 is an Error(kValue), since the output would be bias for any x. n = 0 gives mean 0 and var 0.
struct BatchNormResult {
  Tensor output, mean, var;  // mean, var [C], f64; var is biased (divisor n)
};
// y, dx, dweight and dbias have the formulas of layer_norm, with the means and sums over one channel.
BatchNormResult batch_norm_forward(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
NormGradients batch_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                                  const Tensor& var, double eps);

// Statistics per sample over groups of C / groups channels and space (Wu and He, arXiv:1803.08494).
struct GroupNormResult {
  Tensor output, mean, rstd;  // mean, rstd [B, groups], f64
};
// y, dx, dweight and dbias have the formulas of layer_norm, with the means over one group; weight and bias are per channel.
// Error(kValue) unless 1 <= groups and groups divides C.
GroupNormResult group_norm_forward(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps);
NormGradients group_norm_backward(const Tensor& dy, const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& mean,
                                  const Tensor& rstd);

}  // namespace vitrail
