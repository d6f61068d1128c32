#include "nn/init.h"

#include <cmath>

#include "tensor/machine/parallel.h"

namespace vitrail::nn {
namespace {

int64_t receptive_field(const Shape& weight) {
  check(weight.size() >= 2, ErrorKind::kShape, "init", "a weight has at least two axes: shape is ", weight);
  Shape rest;
  for (int i = 2; i < weight.size(); ++i) rest.push_back(weight[i]);
  return checked_numel(rest, "init");
}

double sqrt_of(double variance) { return std::sqrt(variance); }

}  // namespace

int64_t fan_in(const Shape& weight) {
  // LAB 4.7 BEGIN  How many inputs an output reads. weight is [out, in] or [out, in, kh, kw]: receptive_field() is kh kw.
  return receptive_field(weight) * weight[1];
  // LAB 4.7 END
}

int64_t fan_out(const Shape& weight) {
  // LAB 4.7 BEGIN  How many outputs read an input.
  return receptive_field(weight) * weight[0];
  // LAB 4.7 END
}

Tensor trunc_normal(const Shape& shape, double stddev, Rng& rng) {
  // LAB 4.7 BEGIN  Normal, redrawn until within two deviations, f32, from rng.split(). A plain loop will do.
  const Rng draws = rng.split();
  Tensor x = empty(shape, Dtype::f32, "init");
  float* out = x.mutable_data<float>();
  parallel_for(x.numel(), 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double value = draws.normal(static_cast<uint64_t>(i));
      // Draws again, from a stream that belongs to this element. One value in 22 is outside.
      for (uint64_t attempt = 0; std::abs(value) > 2; ++attempt) value = draws.at(static_cast<uint64_t>(i)).normal(attempt);
      out[i] = static_cast<float>(value * stddev);
    }
  });
  return x;
  // LAB 4.7 END
}

Tensor normal(const Shape& shape, double stddev, Rng& rng) { return rand_normal(shape, 0, stddev, rng.split()); }

Tensor xavier_uniform(const Shape& shape, Rng& rng) {
  // LAB 4.7 BEGIN  Uniform, variance 2 / (fan_in + fan_out). What is the variance of a uniform number in [-b, b)?
  const double bound = sqrt_of(6.0 / static_cast<double>(fan_in(shape) + fan_out(shape)));
  return rand_uniform(shape, -bound, bound, rng.split());
  // LAB 4.7 END
}

Tensor xavier_normal(const Shape& shape, Rng& rng) {
  return normal(shape, sqrt_of(2.0 / static_cast<double>(fan_in(shape) + fan_out(shape))), rng);
}

Tensor kaiming_uniform(const Shape& shape, Rng& rng) {
  const double bound = sqrt_of(6.0 / static_cast<double>(fan_in(shape)));
  return rand_uniform(shape, -bound, bound, rng.split());
}

Tensor kaiming_normal(const Shape& shape, Rng& rng) {
  // LAB 4.7 BEGIN  Normal, variance 2 / fan_in: for a layer before a ReLU.
  return normal(shape, sqrt_of(2.0 / static_cast<double>(fan_in(shape))), rng);
  // LAB 4.7 END
}

Tensor lecun_normal(const Shape& shape, Rng& rng) {
  // LAB 4.7 BEGIN  Truncated normal, variance 1 / fan_in after the cut, which leaves 0.87962566103423978 of a deviation.
  constexpr double kTruncatedStd = 0.87962566103423978;  // of a standard normal cut at two
  return trunc_normal(shape, sqrt_of(1.0 / static_cast<double>(fan_in(shape))) / kTruncatedStd, rng);
  // LAB 4.7 END
}

Tensor fan_in_uniform(const Shape& shape, int64_t fan, Rng& rng) {
  const double bound = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(fan, 1)));
  return rand_uniform(shape, -bound, bound, rng.split());
}

}  // namespace vitrail::nn
