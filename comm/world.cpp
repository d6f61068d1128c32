// The plain build: one rank.
#include "comm/world.h"

#include <unistd.h>

#include <cstdlib>

#include "base/error.h"
#include "comm/launcher.h"

namespace vitrail {

Communicator& world() {
  static const std::unique_ptr<Communicator> one = [] {
    check_launcher(launched_by(), 1, mpi_version());
    return alone();
  }();
  return *one;
}

bool in_world() { return false; }
void leave_world(int) {}
std::string mpi_version() { return ""; }

}  // namespace vitrail
