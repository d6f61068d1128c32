// Lab 10, exercise 10.1: what this machine can do at most, and what a piece of work could reach on it. Source: Williams,
// Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures" (Comm. of the ACM
// 52(4), 2009).
#pragma once

#include <cstdint>
#include <functional>

namespace lab {

// Seconds since some moment.
using Clock = std::function<double()>;

// The least time of one run of `work`, in seconds: one run that only warms up, then `runs` (>= 1), each timed on its own.
// Whatever else the machine does can only slow a run down, so the least is nearest to what the work costs.
double least_seconds(const Clock& now, int runs, const std::function<void()>& work);

// x_i <- x_i a + b, `rounds` times, for each of the `chains` numbers. A step of a chain needs the result of the step before, so
// the chains take turns: while one step is under way, the processor begins those of the others.
template <class T>
void multiply_add(T* x, int64_t chains, int64_t rounds, T a, T b);

// What a piece of work costs: floating-point operations, and bytes that go between memory and processor.
struct Cost {
  double flops = 0, bytes = 0;
};

// multiply_add() on numbers of `lanes` floats each, which stay in the processor.
Cost multiply_add_cost(int64_t chains, int64_t rounds, int64_t lanes);
// y_i <- a x_i + y_i for n floats that lie in memory.
Cost axpy_cost(int64_t n);

// The most that a machine can do in a second: 1e9 floating-point operations, 1e9 bytes.
struct Machine {
  double gflops = 0, gbytes = 0;
};

// The most GFLOP/s that work of this cost (flops > 0, bytes >= 0) can reach on the machine, if its arithmetic and its traffic
// hide behind each other as well as they can: the slower of the two decides.
double roof(const Machine& machine, const Cost& cost);

}  // namespace lab
