// The yardsticks: no times are asserted, only that they are numbers that make sense.
#include <doctest/doctest.h>

#include "tensor/machine/probe.h"
#include "tensor/tensor.h"

using namespace vitrail;

TEST_CASE("peak and bandwidth are finite and positive, and leave no memory behind") {
  const int64_t live = memory_stats().live_bytes;
#if defined(__x86_64__)
  constexpr double kLeast = 0.1;
#else
  constexpr double kLeast = 0.01;  // an emulator reached 0.09 GFLOP/s
#endif
  const double peak = measure_peak_gflops(), bandwidth = measure_bandwidth_gb();
  CHECK(peak > kLeast);
  CHECK(peak < 1e6);
  CHECK(bandwidth > kLeast);
  CHECK(bandwidth < 1e5);
  CHECK(memory_stats().live_bytes == live);
}

TEST_CASE("the highest memory of the process is at least what it holds now") {
  CHECK(resident_bytes() > 0);
  const int64_t now = resident_bytes();  // first: looking takes a page, too
  CHECK(peak_resident_bytes() >= now);
  CHECK(!processor_name().empty());
}
