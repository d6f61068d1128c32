// Gradient checkpointing (Chen et al., arXiv:1604.06174): trade time for memory by computing a part of the graph twice.
#pragma once

#include <functional>

#include "autograd/variable.h"

namespace vitrail {

// The same value and gradients as fn(x), but nothing inside fn is kept for the backward pass: it is computed again there.
// Parameters used inside fn get their gradients as usual.
//
// The recomputation runs in the modes of the forward pass, even if they have been changed since: the precision of products, the
// operations of a PlainGuard, training or evaluation of the modules inside, and the random numbers (default_rng() is set back).
// Running statistics are updated once, by the forward pass.
//
// Errors: Error(kValue) if fn is empty; if checkpoints are nested more than 64 deep; and in backward() if what the part reads
// was changed since the forward pass (a tensor in place, a parameter by set_value), or if the recomputed value has other bits,
// since the gradient would then belong to another function.
Variable checkpoint(const std::function<Variable(const Variable&)>& fn, const Variable& x);

}  // namespace vitrail
