#include "tensor/machine/probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>

#include "tensor/machine/parallel.h"
#include "tensor/machine/simd.h"
#include "tensor/storage.h"

namespace vitrail {

namespace {

using simd::Floats, simd::kLanes;

constexpr int kChains = 12;  // enough to keep two FMA units with a latency of 4 or 5 cycles busy, few enough for 16 registers
constexpr int64_t kRounds = int64_t{1} << 20;

using Clock = std::chrono::steady_clock;

// Results are written here, so that the compiler cannot remove the loops below.
std::atomic<float> sink{0};

// kRounds x kChains x kLanes independent multiply-adds. The values stay near 1: subnormal or infinite numbers would slow the
// loop down.
void multiply_add(float seed) {
  const Floats a = Floats{} + 0.999f, b = Floats{} + 0.001f * seed;
  Floats x[kChains];
  for (int i = 0; i < kChains; ++i) x[i] = Floats{} + static_cast<float>(i);
  for (int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) x[i] = x[i] * a + b;
  }
  Floats sum{};
  for (int i = 0; i < kChains; ++i) sum += x[i];
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += sum[i];
  sink.store(total, std::memory_order_relaxed);
}

template <class Fn>
double best_seconds(int repetitions, const Fn& fn) {
  double best = 1e30;
  for (int i = 0; i < repetitions; ++i) {
    const Clock::time_point start = Clock::now();
    fn();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

// A line "key:   123 kB" of /proc/self/status, in bytes.
int64_t status_bytes(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key, 0) == 0) return std::strtoll(line.c_str() + key.size(), nullptr, 10) * 1024;
  }
  return 0;
}

}  // namespace

double measure_peak_gflops() {
  const int64_t threads = num_threads();
  const double seconds = best_seconds(9, [&] {
    parallel_for(threads, 1, [](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) multiply_add(1.0f + static_cast<float>(i));
    });
  });
  return 2.0 * static_cast<double>(threads * kRounds * kChains * kLanes) / seconds / 1e9;
}

double measure_bandwidth_gb() {
  constexpr int64_t kElements = int64_t{1} << 25;
  const Storage from(kElements * 4), to(kElements * 4);
  float* const x = static_cast<float*>(from.data());
  float* const y = static_cast<float*>(to.data());
  parallel_for(kElements, kElementwiseGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) x[i] = y[i] = 1;
  });
  const double seconds = best_seconds(5, [&] {
    parallel_for(kElements, kElementwiseGrain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = 1.5f * x[i];
    });
  });
  sink.store(y[kElements / 2], std::memory_order_relaxed);
  return 8.0 * static_cast<double>(kElements) / seconds / 1e9;
}

int64_t resident_bytes() { return status_bytes("VmRSS:"); }

int64_t peak_resident_bytes() { return status_bytes("VmHWM:"); }

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

}  // namespace vitrail
