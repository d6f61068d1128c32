// Signals. Outside a training run SIGINT, SIGTERM and SIGHUP end the program at once: there is nothing to save, and files are
// written atomically. During a run the step is finished and the model saved first. Either way the exit code is 128 + signal.
#pragma once

#include <exception>

namespace vitrail {

// For the first line of main(): from here on SIGINT, SIGTERM and SIGHUP end the process with 128 + signal. A signal that the
// program was started with ignored, as SIGHUP under nohup, stays ignored.
void end_on_signals();

// While one lives, the three signals only raise a flag; a second SIGINT or SIGTERM ends the program at once with 128 + signal.
// If the flag is not looked at within the grace time, the program ends as well: something it waits for will never come. The
// former handlers come back at the end of the scope. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

// True once after a SIGUSR1: the user wants the state of the run saved now. It is heard from end_on_signals() or the first
// InterruptScope on (before, it ends a process).
bool take_save_request();

// The first signal that arrived in the present scope, 0 if none did or no scope is open.
int interrupt_signal();

// What ends a run on several ranks: the first signal, or SIGUSR1, which launchers pass on. A save request is taken by asking.
int signal_or_save_request();

// How long one step takes, in seconds: the grace time is four seconds, or two steps and one second if that is more.
void set_interrupt_step(double seconds);
// From here on the program is not ended because nobody looks at the flag: several ranks agree on it between two updates, also
// behind what rank 0 writes, and watch each other (comm/heartbeat.h).
void wait_for_interrupts();
// The signal has been heard and the work that is left is short: the grace time no longer runs.
void interrupt_heard();

// What ends an evaluation when a signal has arrived.
struct Interrupted : std::exception {
  explicit Interrupted(int s = interrupt_signal()) : signal(s) {}
  int signal;
  const char* what() const noexcept override { return "interrupted by a signal"; }
};

}  // namespace vitrail
