#include "tests/fuzz/support/watch.h"

#include <sys/time.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <initializer_list>

// Present where a sanitizer is linked in.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace vitrail::fuzz {
namespace {

void (*report_death)() = nullptr;

void on_signal(int signal) {
  const char* what = signal == SIGPROF ? "\nfinding: too slow\n" : "\nfinding: a signal\n";
  if (write(STDERR_FILENO, what, std::strlen(what)) < 0) _exit(1);
  report_death();
  _exit(1);
}

}  // namespace

void on_death(void (*report)()) {
  report_death = report;
  if (__sanitizer_set_death_callback) {
    __sanitizer_set_death_callback(report);  // it has its own handlers of signals
  } else {
    for (int s : {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGABRT}) std::signal(s, on_signal);
  }
  std::signal(SIGPROF, on_signal);
}

void allow_seconds(int seconds) {
  const itimerval limit{{0, 0}, {seconds, 0}};
  setitimer(ITIMER_PROF, &limit, nullptr);
}

}  // namespace vitrail::fuzz
