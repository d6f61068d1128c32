#include "tensor/machine/openmp_exit.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace vitrail::detail {
namespace {

thread_local bool inside = false;

void end_as_out_of_memory() {
  if (!inside) return;
  constexpr char kText[] = "vitrail: [threads] the system has no memory left for threads\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(5);
}

}  // namespace

InsideOpenMp::InsideOpenMp() : before_(std::exchange(inside, true)) {
  static const int registered = std::atexit(end_as_out_of_memory);
  static_cast<void>(registered);
}
InsideOpenMp::~InsideOpenMp() { inside = before_; }

}  // namespace vitrail::detail
