// The body of the micro-kernels (micro_kernel.h). Everything is in an unnamed namespace: the translation units that include
// this are built for different processors, and the linker must never take one's code for another's.
#pragma once

#include <cstring>
#include <utility>

#include "tensor/product/micro_kernel.h"

namespace vitrail::detail {
namespace {

template <int kWidth>
struct Simd {
  typedef float Float __attribute__((vector_size(4 * kWidth)));
  typedef uint32_t Bits __attribute__((vector_size(4 * kWidth)));
  // By memcpy, because addresses are aligned to four bytes only: it becomes one unaligned move.
  static Float load(const float* from) {
    Float x;
    std::memcpy(&x, from, sizeof x);
    return x;
  }
  static void store(float* to, Float x) { std::memcpy(to, &x, sizeof x); }
};

struct F32Step {
  using Element = float;
  template <class Float, class Bits>
  static Float dot(Float sum, float a, Float b) {
    return sum + a * b;
  }
};

// A bf16 is the upper half of a float, so the two products of a pair are a shift and a mask away.
struct Bf16PairStep {
  using Element = uint32_t;
  template <class Float, class Bits>
  static Float dot(Float sum, uint32_t a, Float b) {
    const uint32_t low = a << 16, high = a & 0xffff0000u;
    float first, second;
    std::memcpy(&first, &low, 4);
    std::memcpy(&second, &high, 4);
    const Bits bits = reinterpret_cast<Bits>(b);
    sum = sum + first * reinterpret_cast<Float>(bits << 16);
    return sum + second * reinterpret_cast<Float>(bits & 0xffff0000u);
  }
};

// kRows x (kVectors * kWidth) sums. The loops over rows and vectors have constant bounds and are unrolled, so that `sum` lives
// in registers: 6 x 2 of the 16 of AVX2, 14 x 2 of the 32 of AVX-512, beside the panel's row and one broadcast.
template <class Step, int kWidth, int kRows, int kVectors>
void multiply(int64_t steps, const void* a_data, int64_t row_step, int64_t depth_step, const void* b_data, float* c,
              int64_t ldc, bool accumulate) {
  using Float = typename Simd<kWidth>::Float;
  using Bits = typename Simd<kWidth>::Bits;
  using Element = typename Step::Element;
  const auto* a = static_cast<const Element*>(a_data);
  const auto* b = static_cast<const float*>(b_data);
  Float sum[kRows][kVectors] = {};
  // The sums are wanted in C when the steps are done; by then its lines have arrived.
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(c + i * ldc + v * kWidth, 1);
  }
  for (int64_t step = 0; step < steps; ++step) {
    Float row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = Simd<kWidth>::load(b + v * kWidth);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Element x = a[i * row_step];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[i][v] = Step::template dot<Float, Bits>(sum[i][v], x, row[v]);
    }
    a += depth_step;
    b += kVectors * kWidth;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* out = c + i * ldc + v * kWidth;
      Simd<kWidth>::store(out, accumulate ? Simd<kWidth>::load(out) + sum[i][v] : sum[i][v]);
    }
  }
}

template <class Step, int kWidth, int kVectors, class Heights>
struct Multiplies;
template <class Step, int kWidth, int kVectors, int... kHeight>
struct Multiplies<Step, kWidth, kVectors, std::integer_sequence<int, kHeight...>> {
  static_assert(sizeof...(kHeight) <= MicroKernel::kMostRows && kVectors * kWidth <= MicroKernel::kMostCols);
  static constexpr MultiplyTile kTable[] = {&multiply<Step, kWidth, kHeight + 1, kVectors>...};
};

template <class Step, int kWidth, int kRows, int kVectors>
constexpr const MultiplyTile* kTable = Multiplies<Step, kWidth, kVectors, std::make_integer_sequence<int, kRows>>::kTable;

template <class Step, int kWidth, int kRows, int kVectors>
constexpr MicroKernel kKernel{kRows, kVectors* kWidth, kTable<Step, kWidth, kRows, kVectors>,
                              kWidth == MicroKernel::kNarrow ? kTable<Step, kWidth, kRows, 1> : nullptr};

}  // namespace
}  // namespace vitrail::detail
