// What milestones share: their main(), which calls draw(folder), where the pictures go, and turns what it throws into a line on
// standard error; and a clock.
#pragma once

#include <ctime>
#include <exception>
#include <iostream>
#include <string>

namespace lab {

// Of this thread: the time in which it ran, in seconds. Other programs disturb it little.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Returns what draw() returns: 0, or 1 if what the milestone promises does not hold.
template <class Draw>
int milestone(int argc, char** argv, Draw draw) {
  try {
    return draw(std::string(argc > 1 ? argv[1] : "."));
  } catch (const std::exception& error) {
    std::cout.flush();
    std::cerr << "  " << error.what() << "\n";
    return 1;
  }
}

}  // namespace lab
