// Random zeroing of elements, reproducible for any number of threads.
#pragma once

#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail {

// Error(kValue) that names op unless 0 <= p < 1 (a NaN is refused too).
void check_drop_probability(const char* op, double p);

struct DropoutResult {
  Tensor output;
  Tensor mask;  // u8, 1 where the element was kept
};

// y_i = x_i / (1 - p) where kept, else 0 (also for NaN). Element i (row-major) is kept if its random word u_i >= p 2^32: u_i is
// word i % 4 of rng.block(i / 4), so one Philox block serves four elements.
// The mask is kept for the backward pass (one byte an element, a quarter of an f32 activation): generating the random numbers
// again would cost several times as much as reading a byte.
DropoutResult dropout_forward(const Tensor& x, double p, const Rng& rng);
// dx = dy / (1 - p) where kept, else 0.
Tensor dropout_backward(const Tensor& dy, const Tensor& mask, double p);

// One factor per sample of x [B, ...], shaped [B, 1, ...] to broadcast: 0 with probability p, else 1 / (1 - p). Sample i uses
// the random word u_i as above. Error(kValue) unless 0 <= p < 1. Error(kShape) for rank 0.
Tensor drop_path_factors(const Tensor& x, double p, const Rng& rng);

}  // namespace vitrail
