// Lab 11, exercise 11.3: one gradient from ranks with unequally many images. The framework's own: the weight of a group in
// train/group_gradients.cpp, what a rank adds that has nothing to add in train/ranks/gradient_sum.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "nn/module.h"

namespace lab {

// Before: each rank's gradients of its mean loss over its `images`, which may be 0, but not on all ranks; undefined where a
// parameter has none on this rank. After: on every rank the gradients of the mean loss over the images of all; undefined only
// where no rank has one. Parameters are f32, the same on all ranks.
void average_gradients(vitrail::Communicator& comm, const std::vector<vitrail::nn::NamedParameter>& parameters, int64_t images);

// The numbers of a contiguous f32 tensor, to be written.
std::span<float> floats_of(vitrail::Tensor& x);

}  // namespace lab
