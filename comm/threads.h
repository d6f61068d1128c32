// Ranks that are threads of one process: every algorithm of comm/ and train/ can be tested without MPI.
#pragma once

#include <functional>

#include "comm/communicator.h"

namespace vitrail {

// Runs fn(communicator) in `ranks` threads. If a rank throws, or calls abort(), the others end at their next wait, and the
// error of the lowest rank that threw by itself is thrown here; abort(code) throws Aborted.
void run_ranks(int ranks, const std::function<void(Communicator&)>& fn);

struct Aborted {
  int code;
};

}  // namespace vitrail
