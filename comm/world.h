// The ranks that this process was started with.
#pragma once

#include <memory>
#include <string>

#include "comm/communicator.h"

namespace vitrail {

// One rank that sends nothing.
std::unique_ptr<Communicator> alone();

// All ranks that the launcher started, connected on the first call. In the plain build one; in that of `make MPI=1` those of
// MPI (comm/mpi.cpp defines this function there). Error(kIo) if MPI cannot be started, and if the launcher started more
// processes than MPI knows of (comm/launcher.h).
Communicator& world();
// Whether world() has been called and knows more than one rank: what an error must end.
bool in_world();
// After the last message: waits for all ranks, and ends the process with `code` if MPI does not. Nothing where world() was not
// called.
void leave_world(int code);
// "Open MPI 4.1.4", "MPICH 4.0.2", "" in the plain build.
std::string mpi_version();

}  // namespace vitrail
