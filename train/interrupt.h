// Ctrl-C during a training run: the step is finished, the model saved, and the program leaves with 128 + signal.
#pragma once

namespace vitrail {

// While one lives, SIGINT, SIGTERM and SIGHUP only raise a flag; a second SIGINT or SIGTERM ends the program at once with 128 +
// signal (files are written atomically, so nothing is damaged). A signal that the program was started with ignored, as SIGHUP
// under nohup, stays ignored. The former handlers come back at the end of the scope. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

// The first signal that arrived in the present scope, 0 if none did or no scope is open.
int interrupt_signal();

}  // namespace vitrail
