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

// A closed terminal sends SIGHUP twice, itself and through its shell: only a person's, or a supervisor's, second word counts.
void on_signal(int signal) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, signal) && signal != SIGHUP) _exit(128 + signal);
}

}  // namespace

InterruptScope::InterruptScope() {
  first_signal = 0;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; ++i) {
    sigaction(kSignals[i], nullptr, &former[i]);
    // What was ignored at the start, as under nohup, stays ignored.
    if (former[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &former[i], nullptr);
  first_signal = 0;
}

int interrupt_signal() { return first_signal; }

}  // namespace vitrail
