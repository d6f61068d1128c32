// main() of a milestone: calls draw(folder), where the pictures go, and turns what it throws into a line on standard error.
#pragma once

#include <exception>
#include <iostream>
#include <string>

namespace lab {

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
