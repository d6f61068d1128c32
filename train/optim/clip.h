// Gradient clipping: one bad batch must not throw the weights away.
#pragma once

#include "nn/module.h"
#include "train/optim/optim.h"

namespace vitrail {

// sqrt(sum of squares of all gradients), accumulated in double over fixed chunks; 0 if there are none. NaN or infinity in
// any gradient gives NaN or infinity.
double grad_norm(const std::vector<ParamGroup>& groups);
double grad_norm(nn::Module& module);
// Of one chunk (train/optim/stretches.h, norm_chunk()): its part of the sum.
double sum_of_squares(const float* gradient, int64_t n);
double sum_of_squares(const double* gradient, int64_t n);

// The factor that brings `norm` down to max_norm: 1 if it is not above, or if max_norm <= 0 (clipping off), or if norm is
// not finite. Hand it to Optimizer::step as grad_scale.
double clip_scale(double norm, double max_norm);

// Replaces the gradients by clip_scale(norm, max_norm) times themselves and returns the norm before. A norm that is not
// finite changes nothing: test it with std::isfinite before the update (check_finite). Pascanu et al., arXiv:1211.5063,
// algorithm 1. Error(kValue) unless max_norm > 0.
double clip_grad_norm(nn::Module& module, double max_norm);
// Replaces each gradient element by min(max(g, -limit), limit). Error(kValue) unless limit > 0.
void clip_grad_value(nn::Module& module, double limit);

// Error(kNumeric) unless both are finite: "[train] loss is not finite at step 12: loss is nan, gradient norm is 3.1. Hint:
// ...".
void check_finite(double loss, double norm, int64_t step);

}  // namespace vitrail
