// How many bytes of gradients are sent at a time (train/ranks/gradient_sum.h).
#pragma once

#include <cstdint>

#include "comm/communicator.h"

namespace vitrail {

// A small bucket leaves early and is all that the end of the backward pass must wait for; a large one spares the latency of its
// messages. The smallest of 1, 4 and 16 MiB that all_reduce() adds up at no less than 85 % of the best rate, measured here and
// now: the same on all ranks. At most a quarter of `bytes`, all gradients of a model; nothing is measured for less than 4 MiB
// of them. The same call on all ranks.
int64_t measured_bucket_bytes(Communicator& comm, int64_t bytes);

}  // namespace vitrail
