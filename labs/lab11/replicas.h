// Lab 11, exercise 11.1: every rank begins with the same model. The framework's own: Ranks::share, train/ranks/ranks.cpp.
#pragma once

#include <cstddef>
#include <span>

#include "comm/communicator.h"
#include "nn/module.h"

namespace lab {

// The parameters and buffers of rank `root` into those of all ranks, which have the same model with other numbers. A weight
// that is registered under two names travels once.
void share_weights(vitrail::Communicator& comm, vitrail::nn::Module& model, int root);

// The memory of a contiguous tensor of f32, f64 or i64, to be written.
std::span<std::byte> memory_of(vitrail::Tensor& x);

}  // namespace lab
