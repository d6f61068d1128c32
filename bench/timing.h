// Shared by the micro-benchmarks: medians after a warm-up, and a table with rates relative to the peaks of this machine.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/profile.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/probe.h"
#include "tensor/product/gemm.h"
#include "tensor/rng.h"

namespace vitrail::bench {

inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// How often something is timed: at least 5 times, then until 0.25 s have passed, at most 200 times.
inline bool once_more(size_t runs, double start) { return runs < 5 || (runs < 200 && now() - start < 0.25); }

// The median of fn's time after two runs of warm-up.
inline double median_seconds(const std::function<void()>& fn) {
  fn(), fn();
  std::vector<double> seconds;
  for (const double start = now(); once_more(seconds.size(), start);) {
    const double from = now();
    fn();
    seconds.push_back(now() - from);
  }
  return median(seconds);
}

// One line per kernel: time, GFLOP/s and share of the peak where it multiplies matrices, GB/s of the bytes that must move.
class Table {
 public:
  explicit Table(const char* title) : peak_(measure_peak_gflops()), bandwidth_(measure_bandwidth_gb()) {
    std::printf("%s\n%s, %d threads: peak %.1f GFLOP/s, memory %.1f GB/s, BLIS kernels for %s\n\n", title,
                processor_name().c_str(), num_threads(), peak_, bandwidth_, blas_kernel_name().c_str());
    std::printf("%-44s %10s %9s %8s %8s %10s\n", "", "ms", "GFLOP/s", "of peak", "GB/s", "of memory");
  }

  void row(const std::string& name, double seconds, int64_t flops, int64_t bytes) const {
    const double gflops = static_cast<double>(flops) / seconds / 1e9, gb = static_cast<double>(bytes) / seconds / 1e9;
    std::printf("%-44s %10.4f ", name.c_str(), 1e3 * seconds);
    if (flops > 0) {
      std::printf("%9.1f %7.1f%% ", gflops, 100 * gflops / peak_);
    } else {
      std::printf("%9s %8s ", "-", "-");
    }
    std::printf("%8.1f %9.1f%%\n", gb, 100 * gb / bandwidth_);
    std::fflush(stdout);
  }

 private:
  double peak_, bandwidth_;
};

// Time, arithmetic and traffic of both passes of an op.
struct OpTimes {
  double forward = 0, backward = 0;
  int64_t forward_flops = 0, backward_flops = 0, forward_bytes = 0, backward_bytes = 0;
};

// Runs y = op() and y.backward(); The gradients of `leaves` are cleared in between.
inline OpTimes time_op(const std::function<Variable()>& op, std::vector<Variable> leaves) {
  OpTimes t;
  std::vector<double> forward, backward;
  const Tensor dy = rand_normal(op().shape(), 0, 1, Rng(9));
  const auto once = [&] {
    const double start = now();
    const Variable y = op();
    const double middle = now();
    if (y.requires_grad()) y.backward(dy);
    forward.push_back(middle - start);
    backward.push_back(now() - middle);
    for (Variable& leaf : leaves) leaf.zero_grad();
  };
  once();
  {
    Profile profile;
    once();
    for (const ProfileEntry& e : profile.entries()) {
      (e.pass == Pass::kForward ? t.forward_flops : t.backward_flops) += e.flops;
      (e.pass == Pass::kForward ? t.forward_bytes : t.backward_bytes) += e.bytes;
    }
  }
  forward.clear(), backward.clear();
  for (const double start = now(); once_more(forward.size(), start);) once();
  t.forward = median(forward), t.backward = median(backward);
  return t;
}

// Two rows: "name" forward and "name" backward.
inline void bench_op(const Table& table, const std::string& name, const std::function<Variable()>& op,
                     const std::vector<Variable>& leaves) {
  const OpTimes t = time_op(op, leaves);
  table.row(name + " forward", t.forward, t.forward_flops, t.forward_bytes);
  table.row(name + " backward", t.backward, t.backward_flops, t.backward_bytes);
}

// A leaf of normal random numbers that requires a gradient.
inline Variable leaf(const Shape& shape, uint64_t seed = 1) { return Variable(rand_normal(shape, 0, 1, Rng(seed)), true); }

// The sizes measured in docs/kernels.md and docs/results.md: rows of the token matrix, tokens, width, heads.
struct Work {
  const char* name;
  int64_t batch, tokens, width, heads;
  int64_t rows() const { return batch * tokens; }
};
inline const std::vector<Work>& works() {
  static const std::vector<Work> all = {
      {"Ti/16", 16, 197, 192, 3}, {"S/16", 8, 197, 384, 6}, {"B/16", 8, 197, 768, 12}, {"32x32", 64, 65, 192, 3}};
  return all;
}

}  // namespace vitrail::bench
