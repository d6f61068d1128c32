// What the tests of every lab use: values shown in messages, random numbers that follow the seed, probes.
//
// A probe is a fixed input and what an answer makes of it. Probes are no tests: they run only after a suite has failed, and
// their results are compared with those of the known mistakes (labs/labN/mistakes.txt), so that a mistake can be named.
//
//   TEST_SUITE("1.1") { TEST_CASE("...") { CHECK(...); } }
//   LAB_PROBE("1.1") { return cat(contiguous_strides({2, 3, 5})); }
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "labs/common/todo.h"
#include "tensor/dtype.h"
#include "tensor/print.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"

namespace lab {

// LAB_SEED, else 1. A teacher grades with another seed than the students have.
uint64_t seed();

// Random numbers of the tests, numbered by their calls: `stream` tells the test cases apart.
class Dice {
 public:
  explicit Dice(uint64_t stream) : rng_(seed() * 1000003 + stream) {}
  int64_t roll(int64_t low, int64_t high) {  // a whole number of [low, high]
    return low + static_cast<int64_t>(rng_.below(next_++, static_cast<uint64_t>(high - low + 1)));
  }
  double uniform(double low, double high) {  // of [low, high)
    return low + (high - low) * static_cast<double>(roll(0, (int64_t{1} << 52) - 1)) / static_cast<double>(int64_t{1} << 52);
  }

 private:
  vitrail::Rng rng_;
  uint64_t next_ = 0;
};

// A random tensor that is not contiguous (its last two axes are exchanged in memory, where it has two) and has no symmetry.
// Values of the standard normal distribution times `deviation` plus `mean`.
vitrail::Tensor random(const vitrail::Shape& shape, uint64_t stream, double mean = 0, double deviation = 1,
                       vitrail::Dtype dtype = vitrail::Dtype::f64);

// "" if x and y have one shape and |x_i - y_i| <= tolerance (1 + |y_i|) everywhere; else the shapes, or the first place where
// they differ with both numbers and how many differ. NaN equals NaN.
//   CHECK(lab::difference(given, wanted, 1e-9) == "");
std::string difference(const vitrail::Tensor& x, const vitrail::Tensor& y, double tolerance);

// The numbers of a tensor or a list as text with `digits` significant digits, for probes: a known mistake must give the same
// text on every processor.
std::string digits(const vitrail::Tensor& x, int digits = 5);
std::string digits(const std::vector<double>& x, int digits = 5);

using Probe = std::string (*)();
struct ProbeRegistration {
  ProbeRegistration(const char* exercise, Probe probe);
};

}  // namespace lab

#define LAB_JOIN_(a, b) a##b
#define LAB_JOIN(a, b) LAB_JOIN_(a, b)
// Numbered by __COUNTER__, since the tests of a lab may stand in several files that share line numbers.
#define LAB_PROBE(exercise) LAB_PROBE_AS(exercise, __COUNTER__)
#define LAB_PROBE_AS(exercise, number)                                                                         \
  static std::string LAB_JOIN(lab_probe_, number)();                                                           \
  static const lab::ProbeRegistration LAB_JOIN(lab_probe_at_, number)(exercise, LAB_JOIN(lab_probe_, number)); \
  static std::string LAB_JOIN(lab_probe_, number)()

// How doctest shows lists; without it they would be {?}.
namespace doctest {
template <class T>
struct StringMaker<std::vector<T>> {
  static String convert(const std::vector<T>& values) {
    std::ostringstream out;
    out << "{";
    for (size_t i = 0; i < values.size(); ++i) out << (i ? ", " : "") << values[i];
    out << "}";
    return out.str().c_str();
  }
};
}  // namespace doctest
