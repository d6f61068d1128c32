// What a person sees while a model trains: one line that is rewritten on a terminal, plain lines now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vitrail {

// One moment of a run.
struct ProgressState {
  int64_t epoch = 0, epochs = 0;  // epoch counts from 1 here
  int64_t step = 0, steps = 0;    // updates done and to do in the whole run
  double loss = 0;                // running mean of the epoch
  std::string scores{};           // what the task reports beside the loss: "top-1 81.2 %"
  double images_per_second = 0;
  double seconds_left = 0;
};

// "epoch 3/10  step 1407/4690  loss 0.613  top-1 81.2 %  4120 images/s  1:52 left". With a width above 0, the least important
// parts are left out until the line is shorter than that, so that it never wraps.
std::string format_progress(const ProgressState& state, int width = 0);
// "0:07", "12:03", "3:07:41"; "?" for a negative or non-finite time.
std::string format_duration(double seconds);

// Writes to standard error.
class Progress {
 public:
  // Looks whether standard error is a terminal. quiet: writes nothing.
  explicit Progress(bool quiet = false);
  Progress(bool quiet, bool terminal) : quiet_(quiet), terminal_(terminal) {}

  // Terminal: rewrites the line, at most ten times a second. Otherwise: a plain line at most every ten seconds.
  void update(const ProgressState& state);
  // A whole line that stays; the rewritten line is cleared first. Waits for a reader that is slow, until a signal arrives.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_;
  bool open_ = false;  // a rewritten line stands on the terminal
  Clock::time_point last_ = Clock::now();
};

}  // namespace vitrail
