// Lab 11, exercise 11.6: the gradient lies in parts on the ranks, and is clipped by its whole norm. The framework's own:
// ShardedUpdate::grad_norm, train/ranks/sharded_update.cpp.
#pragma once

#include <span>

#include "comm/communicator.h"

namespace lab {

// The norm of the gradient whose parts lie on the ranks: `own` is this rank's, which may be empty. The same on all ranks.
double shared_norm(vitrail::Communicator& comm, std::span<const float> own);

// Multiplies this rank's part by max_norm / norm if the norm of the whole is above max_norm, and returns that norm. A norm that
// is not finite changes nothing.
double clip_shared(vitrail::Communicator& comm, std::span<float> own, double max_norm);

}  // namespace lab
