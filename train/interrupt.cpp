#include "train/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>

namespace vitrail {

namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr unsigned kGrace = 4;  // seconds
std::atomic<int> first_signal{0};
std::atomic<unsigned> grace{kGrace};
std::atomic<int> save_requests{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");
struct sigaction former[3], former_alarm;

void end_at_once(int signal) { _exit(128 + signal); }
void end_after_grace(int) { _exit(128 + first_signal.load()); }

// A closed terminal sends SIGHUP twice, itself and through its shell: only a person's, or a supervisor's, second word counts.
void raise_flag(int signal) {
  int none = 0;
  if (first_signal.compare_exchange_strong(none, signal))
    alarm(grace.load());
  else if (signal != SIGHUP)
    _exit(128 + signal);
}

struct sigaction calling(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  return action;
}

void note_save_request(int) { save_requests = 1; }

// Unlike the others it is not given back at the end of a scope: one that comes a moment late must not end the program.
void hear_save_requests() {
  struct sigaction before = {};
  sigaction(SIGUSR1, nullptr, &before);
  if (before.sa_handler != SIG_DFL) return;
  const struct sigaction action = calling(note_save_request);
  sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

void end_on_signals() {
  hear_save_requests();
  const struct sigaction action = calling(end_at_once);
  for (const int signal : kSignals) {
    struct sigaction before = {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

InterruptScope::InterruptScope() {
  first_signal = 0;
  hear_save_requests();
  grace = kGrace;
  const struct sigaction action = calling(raise_flag), on_alarm = calling(end_after_grace);
  sigaction(SIGALRM, &on_alarm, &former_alarm);
  for (int i = 0; i < 3; ++i) {
    sigaction(kSignals[i], nullptr, &former[i]);
    if (former[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  for (int i = 0; i < 3; ++i) sigaction(kSignals[i], &former[i], nullptr);
  alarm(0);
  sigaction(SIGALRM, &former_alarm, nullptr);
  first_signal = 0;
}

bool take_save_request() { return save_requests.exchange(0) != 0; }

int interrupt_signal() { return first_signal; }

int signal_or_save_request() {
  if (const int signal = interrupt_signal()) return signal;
  return take_save_request() ? SIGUSR1 : 0;
}

void wait_for_interrupts() { grace = 0; }

void set_interrupt_step(double seconds) {
  const double wanted = std::isfinite(seconds) ? std::ceil(2 * seconds) + 1 : 0;
  grace = std::max(kGrace, static_cast<unsigned>(std::clamp(wanted, 0.0, 86400.0)));
  if (first_signal != 0) alarm(grace.load());  // one that came while nobody had to hurry
}

void interrupt_heard() {
  if (first_signal != 0) alarm(0);
}

}  // namespace vitrail
