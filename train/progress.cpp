#include "train/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace vitrail {

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return "?";
  const long whole = std::lround(seconds), hours = whole / 3600, minutes = whole / 60 % 60;
  char text[48];
  if (hours > 0)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", hours, minutes, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", minutes, whole % 60);
  return text;
}

std::string format_progress(const ProgressState& s) {
  char text[256];
  std::snprintf(text, sizeof text, "epoch %lld/%lld  step %lld/%lld  loss %.3f  top-1 %.1f %%  %.0f images/s  %s left",
                static_cast<long long>(s.epoch), static_cast<long long>(s.epochs), static_cast<long long>(s.step),
                static_cast<long long>(s.steps), s.loss, 100 * s.top1, s.images_per_second,
                format_duration(s.seconds_left).c_str());
  return text;
}

Progress::Progress(bool quiet) : Progress(quiet, isatty(STDERR_FILENO) == 1) {}

void Progress::update(const ProgressState& state) {
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000))) return;
  last_ = now;
  // "\x1b[K" clears what a longer line left behind.
  std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", format_progress(state).c_str());
  std::fflush(stderr);
  open_ = terminal_;
}

void Progress::line(const std::string& text) {
  if (quiet_) return;
  std::fprintf(stderr, "%s%s\n", open_ ? "\r\x1b[K" : "", text.c_str());
  std::fflush(stderr);
  open_ = false;
  last_ = Clock::now();
}

}  // namespace vitrail
