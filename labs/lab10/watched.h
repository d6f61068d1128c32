// Numbers that are watched while they work, so that tests count instead of timing.
#pragma once

#include <cstdint>
#include <vector>

namespace lab {

// A number of a chain x <- x a + b. The chain is the index of the number it began with; a and b belong to none (-1).
struct Step {
  double value = 0;
  int64_t chain = -1;
  Step() = default;
  Step(double x, int64_t number) : value(x), chain(number) {}
  friend Step operator*(const Step& x, const Step& y) {
    const int64_t of = x.chain >= 0 ? x.chain : y.chain;
    order().push_back(of);
    return {x.value * y.value, of};
  }
  friend Step operator+(const Step& x, const Step& y) { return {x.value + y.value, x.chain >= 0 ? x.chain : y.chain}; }
  // The chain of every multiplication since it was last cleared.
  static std::vector<int64_t>& order() {
    static std::vector<int64_t> all;
    return all;
  }
};

// A float in memory that counts how often it was read and written.
struct Watched {
  Watched() = default;
  Watched(float x) : value(x) {}  // NOLINT: numbers convert
  Watched(const Watched& x) : value(x.read()) {}
  Watched& operator=(const Watched& x) { return *this = x.read(); }
  Watched& operator=(float x) {
    value = x;
    ++writes;
    return *this;
  }
  operator float() const { return read(); }  // NOLINT: numbers convert
  float read() const {
    ++reads;
    return value;
  }
  float value = 0;
  mutable int reads = 0;
  int writes = 0;
};

}  // namespace lab
