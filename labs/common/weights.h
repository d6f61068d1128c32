// Numbers for the parameters of a module under test.
#pragma once

#include "labs/common/lab.h"
#include "nn/module.h"
#include "tensor/ops.h"

namespace lab {

// f64 numbers for probes, whatever the seed.
inline vitrail::Tensor fixed(const vitrail::Shape& shape, uint64_t stream) {
  return vitrail::rand_normal(shape, 0, 1, vitrail::Rng(stream), vitrail::Dtype::f64);
}

// Random weights and biases in f64 for all parameters of a module; those of the framework are nearly zero at first. is_fixed:
// for probes, whatever the seed.
inline void randomise(vitrail::nn::Module& module, uint64_t stream, bool is_fixed = false) {
  module.to(vitrail::Dtype::f64);
  for (const auto& [name, parameter] : module.named_parameters()) {
    const vitrail::Shape& shape = parameter->shape();
    parameter->set_value(contiguous(mul(is_fixed ? fixed(shape, stream) : random(shape, stream), 0.5)));
    ++stream;
  }
}

}  // namespace lab
