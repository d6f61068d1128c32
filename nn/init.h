// Initial values for parameters. Each call takes a stream of its own from rng (rng.split()), so that a model is a function of
// its seed for any number of threads. Results are f32. The fan-in of a weight [out, in, ...] is `in` times the extents after
// it, the fan-out `out` times these. Error(kShape) where fans are needed and the shape has fewer than two axes.
#pragma once

#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace vitrail::nn {

// Normal with mean 0 and standard deviation `stddev`, redrawn until within two standard deviations, as in Flax and big_vision.
// (timm's trunc_normal_ cuts at the absolute values -2 and 2, which has no effect at a deviation of 0.02.)
Tensor trunc_normal(const Shape& shape, double stddev, Rng& rng);
// Normal with mean 0.
Tensor normal(const Shape& shape, double stddev, Rng& rng);
// Uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010, equation 16).
Tensor xavier_uniform(const Shape& shape, Rng& rng);
// Normal with std sqrt(2 / (fan_in + fan_out)).
Tensor xavier_normal(const Shape& shape, Rng& rng);
// Uniform in +-sqrt(6 / fan_in) (He et al., arXiv:1502.01852, equation 10): for layers before a ReLU.
Tensor kaiming_uniform(const Shape& shape, Rng& rng);
// Normal with std sqrt(2 / fan_in).
Tensor kaiming_normal(const Shape& shape, Rng& rng);
// Normal with std sqrt(1 / fan_in), truncated at two deviations and scaled so that the variance is 1 / fan_in (Flax's
// lecun_normal).
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

// fan_in: the product of the extents after axis 0. fan_out: the product of all extents but that of axis 1. Error(kShape) for
// fewer than two axes.
int64_t fan_in(const Shape& weight);
int64_t fan_out(const Shape& weight);

}  // namespace vitrail::nn
