#include "train/progress.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "train/interrupt.h"

namespace vitrail {
namespace {

// One that does not know escape codes: an editor's window, a log.
bool dumb_terminal() {
  const char* name = std::getenv("TERM");
  return !name || !*name || std::strcmp(name, "dumb") == 0;
}

// Columns of the terminal at this moment: a window may be resized.
int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Whether standard error takes a line now or within so many milliseconds. A pipe that nobody reads fills up, and a write into
// it would wait for ever, deaf to signals.
bool can_write(int milliseconds) {
  pollfd output{STDERR_FILENO, POLLOUT, 0};
  return poll(&output, 1, milliseconds) == 1;
}

}  // namespace

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

std::string format_progress(const ProgressState& s, int width) {
  // In the order in which a narrow terminal keeps them.
  const auto number = [](const char* pattern, auto... values) {
    char text[80];
    std::snprintf(text, sizeof text, pattern, values...);
    return std::string(text);
  };
  const auto count = [](int64_t n) { return static_cast<long long>(n); };
  struct Part {
    int rank;
    std::string text;
  };
  const Part parts[] = {{3, number("epoch %lld/%lld", count(s.epoch), count(s.epochs))},
                        {0, number("step %lld/%lld", count(s.step), count(s.steps))},
                        {1, std::isfinite(s.loss) ? number("loss %.3f", s.loss) : "loss not finite"},
                        {4, s.scores},
                        {5, number("%.0f images/s", s.images_per_second)},
                        {2, format_duration(s.seconds_left) + " left"}};
  for (int kept = 5; kept >= 0; --kept) {
    std::string line;
    for (const Part& part : parts)
      if (part.rank <= kept && !part.text.empty()) line += (line.empty() ? "" : "  ") + part.text;
    if (width <= 0 || static_cast<int>(line.size()) < width || kept == 0) return line;
  }
  return "";
}

Progress::Progress(bool quiet) : Progress(quiet, isatty(STDERR_FILENO) == 1 && !dumb_terminal()) {}

void Progress::update(const ProgressState& state) {
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  if (now - last_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10000))) return;
  last_ = now;
  if (!can_write(0)) return;
  // "\x1b[K" clears what a longer line left behind.
  std::fprintf(stderr, terminal_ ? "\r%s\x1b[K" : "%s\n", format_progress(state, terminal_ ? terminal_width() : 0).c_str());
  std::fflush(stderr);
  open_ = terminal_;
}

void Progress::line(const std::string& text) {
  if (quiet_) return;
  while (!can_write(100))
    if (interrupt_signal() != 0) return;
  std::fprintf(stderr, "%s%s\n", open_ ? "\r\x1b[K" : "", text.c_str());
  std::fflush(stderr);
  open_ = false;
  last_ = Clock::now();
}

}  // namespace vitrail
