#include "train/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace vitrail {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");
struct sigaction former[3];

void on_signal(int signal) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, signal) && signal == SIGINT) _exit(128 + SIGINT);
}

}  // namespace

InterruptScope::InterruptScope() {
  first_signal = 0;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &action, &former[i]);
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &former[i], nullptr);
  first_signal = 0;
}

int interrupt_signal() { return first_signal; }

}  // namespace vitrail
