// Gradient checkpointing (Chen et al., arXiv:1604.06174): trade time for memory by computing a part of the graph twice.
#pragma once

#include <functional>

#include "autograd/variable.h"

namespace vitrail {

// The same value and gradients as fn(x), but nothing inside fn is kept for the backward pass: it is computed again there,
// with the same random numbers (default_rng is set back). Parameters used inside fn get their gradients as usual.
Variable checkpoint(const std::function<Variable(const Variable&)>& fn, const Variable& x);

}  // namespace vitrail
