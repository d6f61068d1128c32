#include "tensor/machine/waiting.h"

#include <cstdlib>

// A function of clang's OpenMP runtime: sets how many milliseconds a thread spins before it sleeps.
extern "C" void kmp_set_blocktime(int milliseconds) __attribute__((weak));

namespace vitrail {
namespace {

bool users_choice() { return std::getenv("OMP_WAIT_POLICY") || std::getenv("GOMP_SPINCOUNT") || std::getenv("KMP_BLOCKTIME"); }
bool chosen_by_user = false;

// 101 is the earliest priority that programs may use; libgomp's constructor has none, so it runs later.
__attribute__((constructor(101))) void before_libgomp() {
  chosen_by_user = users_choice();
  if (!chosen_by_user) setenv("GOMP_SPINCOUNT", "2000", 0);
}

}  // namespace

void choose_waiting() {
  if (!chosen_by_user && kmp_set_blocktime) kmp_set_blocktime(0);
}

}  // namespace vitrail
