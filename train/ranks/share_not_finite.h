// A loss that is not finite, of whichever rank's images it came.
#pragma once

#include "comm/communicator.h"
#include "train/not_finite.h"

namespace vitrail {

// `found` becomes that of the lowest rank which knows where it came from, on all ranks: rank 0 is to write it down. That rank;
// 0 if none knows. The same call on all ranks.
int share_not_finite(Communicator& comm, NotFinite& found);

}  // namespace vitrail
