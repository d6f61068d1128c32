#include "labs/lab10/roofline.h"

#include <algorithm>
#include <limits>

#include "labs/lab10/watched.h"
#include "tensor/machine/simd.h"

namespace lab {

double least_seconds(const Clock& now, int runs, const std::function<void()>& work) {
  // LAB 10.1 BEGIN  Run once to warm up, then `runs` times, each between two looks at the clock; return the least difference.
  work();
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < runs; ++i) {
    const double start = now();
    work();
    least = std::min(least, now() - start);
  }
  return least;
  // LAB 10.1 END
}

template <class T>
void multiply_add(T* x, int64_t chains, int64_t rounds, T a, T b) {
  // LAB 10.1 BEGIN  rounds times: one step x_i <- x_i a + b of every chain
  for (int64_t round = 0; round < rounds; ++round) {
    for (int64_t i = 0; i < chains; ++i) x[i] = x[i] * a + b;
  }
  // LAB 10.1 END
}
template void multiply_add(double*, int64_t, int64_t, double, double);
template void multiply_add(vitrail::simd::Floats*, int64_t, int64_t, vitrail::simd::Floats, vitrail::simd::Floats);
template void multiply_add(Step*, int64_t, int64_t, Step, Step);

Cost multiply_add_cost(int64_t chains, int64_t rounds, int64_t lanes) {
  // LAB 10.1 BEGIN  A multiplication and an addition are two operations; numbers that stay in the processor cost no bytes.
  const double steps = static_cast<double>(chains) * static_cast<double>(rounds) * static_cast<double>(lanes);
  return {2 * steps, 0};
  // LAB 10.1 END
}

Cost axpy_cost(int64_t n) {
  // LAB 10.1 BEGIN  Count what is read and what is written; a float has four bytes.
  const auto elements = static_cast<double>(n);
  return {2 * elements, 3 * 4 * elements};
  // LAB 10.1 END
}

double roof(const Machine& machine, const Cost& cost) {
  // LAB 10.1 BEGIN  min(peak, bandwidth times operations per byte); work without bytes reaches the peak
  if (cost.bytes == 0) return machine.gflops;
  return std::min(machine.gflops, machine.gbytes * (cost.flops / cost.bytes));
  // LAB 10.1 END
}

}  // namespace lab
