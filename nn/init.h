// Initial values for parameters. Each call takes a stream of its own from rng (rng.split()), so that a model is a function
// of its seed, whatever order threads run in. Fan-in of a weight [out, in, ...] is in times the extents behind it.
#pragma once

#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail::nn {

// Normal, redrawn until within two standard deviations, as Flax and big_vision do. (timm's trunc_normal_ cuts at the absolute
// values -2 and 2: at a deviation of 0.02 that is no cut at all.)
Tensor trunc_normal(const Shape& shape, double stddev, Rng& rng);
Tensor normal(const Shape& shape, double stddev, Rng& rng);
// Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010, equation 16).
Tensor xavier_uniform(const Shape& shape, Rng& rng);
// Normal with std sqrt(2 / (fan_in + fan_out)).
Tensor xavier_normal(const Shape& shape, Rng& rng);
// Uniform in +-sqrt(6 / fan_in) (He et al., arXiv:1502.01852, equation 10): for layers before a ReLU.
Tensor kaiming_uniform(const Shape& shape, Rng& rng);
// Normal with std sqrt(2 / fan_in).
Tensor kaiming_normal(const Shape& shape, Rng& rng);
// Normal with std sqrt(1 / fan_in), truncated at two and widened so that the variance is right (Flax lecun_normal).
Tensor lecun_normal(const Shape& shape, Rng& rng);
// Uniform in +-1 / sqrt(fan_in): the default of torch.nn.Linear and Conv2d, for weight and bias.
Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, Rng& rng);

// The same from a temporary: kaiming_normal({8, 4}, Rng(1)).
inline Tensor trunc_normal(const Shape& shape, double stddev, Rng&& rng) { return trunc_normal(shape, stddev, rng); }
inline Tensor normal(const Shape& shape, double stddev, Rng&& rng) { return normal(shape, stddev, rng); }
inline Tensor xavier_uniform(const Shape& shape, Rng&& rng) { return xavier_uniform(shape, rng); }
inline Tensor xavier_normal(const Shape& shape, Rng&& rng) { return xavier_normal(shape, rng); }
inline Tensor kaiming_uniform(const Shape& shape, Rng&& rng) { return kaiming_uniform(shape, rng); }
inline Tensor kaiming_normal(const Shape& shape, Rng&& rng) { return kaiming_normal(shape, rng); }
inline Tensor lecun_normal(const Shape& shape, Rng&& rng) { return lecun_normal(shape, rng); }
inline Tensor fan_in_uniform(const Shape& shape, int64_t fan_in, Rng&& rng) { return fan_in_uniform(shape, fan_in, rng); }

// Extents behind axis 0, multiplied. Error(kShape) for rank below 2.
int64_t fan_in(const Shape& weight);
int64_t fan_out(const Shape& weight);

}  // namespace vitrail::nn
