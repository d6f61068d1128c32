// Signals during a run. What ends the process is tried in a child.
#include "train/interrupt.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

using namespace vitrail;

namespace {

constexpr int kSurvived = 7;

// The tests may have been started by something that ignores signals (nohup does), and a scope leaves those alone.
void hear_all_signals() {
  for (const int which : {SIGINT, SIGTERM, SIGHUP}) signal(which, SIG_DFL);
}

// The exit code of a process that receives these signals inside a scope.
int code_after(std::initializer_list<int> signals) {
  const pid_t child = fork();
  if (child == 0) {
    const InterruptScope scope;
    for (const int signal : signals) raise(signal);
    _exit(kSurvived);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TEST_CASE("the first signal is remembered and the scope's end forgets it") {
  hear_all_signals();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    {
      const InterruptScope scope;
      CHECK(interrupt_signal() == 0);
      raise(signal);
      CHECK(interrupt_signal() == signal);
    }
    CHECK(interrupt_signal() == 0);
  }
}

TEST_CASE("a second SIGINT or SIGTERM ends the process at once; a second SIGHUP does not") {
  hear_all_signals();
  CHECK(code_after({SIGINT}) == kSurvived);
  CHECK(code_after({SIGINT, SIGINT}) == 130);
  CHECK(code_after({SIGTERM, SIGINT}) == 130);
  CHECK(code_after({SIGHUP, SIGTERM}) == 143);
  CHECK(code_after({SIGINT, SIGTERM}) == 143);
  CHECK(code_after({SIGHUP, SIGHUP}) == kSurvived);
}

TEST_CASE("outside a run a signal ends the process at once with 128 + signal, before and after a scope") {
  hear_all_signals();
  for (const int which : {SIGINT, SIGTERM, SIGHUP}) {
    for (const bool after_scope : {false, true}) {
      const pid_t child = fork();
      if (child == 0) {
        end_on_signals();
        if (after_scope) InterruptScope scope;
        raise(which);
        _exit(kSurvived);
      }
      int status = 0;
      waitpid(child, &status, 0);
      CHECK(WIFEXITED(status));
      CHECK(WEXITSTATUS(status) == 128 + which);
    }
  }
}

TEST_CASE("a process that does not look at the flag ends after the grace time; one that has heard goes on") {
  hear_all_signals();
  for (const bool heard : {false, true}) {
    const pid_t child = fork();
    if (child == 0) {
      const InterruptScope scope;
      raise(SIGTERM);
      if (heard) interrupt_heard();
      for (int i = 0; i < 60; ++i) usleep(100000);
      _exit(kSurvived);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == (heard ? kSurvived : 143));
  }
}

TEST_CASE("a signal that is ignored stays ignored") {
  void (*before)(int) = signal(SIGHUP, SIG_IGN);
  {
    const InterruptScope scope;
    raise(SIGHUP);
    CHECK(interrupt_signal() == 0);
  }
  raise(SIGHUP);  // would end this process
  signal(SIGHUP, before);
}
