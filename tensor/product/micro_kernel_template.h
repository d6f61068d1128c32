// The body of the micro-kernels (micro_kernel.h). Everything is in an unnamed namespace: the translation units that include
// this are built for different instruction sets, and the linker must not replace the code of one by that of another.
#pragma once

#include <utility>

#include "tensor/machine/simd.h"
#include "tensor/product/micro_kernel.h"

namespace vitrail::detail {
namespace {

struct F32Step {
  using Element = float;
  template <class Floats>
  static Floats dot(Floats sum, float a, Floats b) {
    return sum + a * b;
  }
};

// A bf16 is the upper half of a float, so a shift and a mask give the two f32 numbers of a pair.
struct Bf16PairStep {
  using Element = uint32_t;
  template <class Floats>
  static Floats dot(Floats sum, uint32_t a, Floats b) {
    const float first = __builtin_bit_cast(float, a << 16), second = __builtin_bit_cast(float, a & 0xffff0000u);
    const auto bits = reinterpret_cast<simd::Vector<uint32_t, simd::kCountOf<Floats>>>(b);
    sum = sum + first * reinterpret_cast<Floats>(bits << 16);
    return sum + second * reinterpret_cast<Floats>(bits & 0xffff0000u);
  }
};

// kRows x (kVectors * kWidth) sums. The loops over rows and vectors have constant bounds and are unrolled, so that `sum` lives
// in registers: 6 x 2 of the 16 of AVX2, 14 x 2 of the 32 of AVX-512, which leaves registers for the panel's row and one
// broadcast.
template <class Step, int kWidth, int kRows, int kVectors>
void multiply(int64_t steps, const void* a_data, int64_t row_step, int64_t depth_step, const void* b_data, float* c,
              int64_t ldc, bool accumulate) {
  using Floats = simd::Vector<float, kWidth>;
  using Element = typename Step::Element;
  const auto* a = static_cast<const Element*>(a_data);
  const auto* b = static_cast<const float*>(b_data);
  Floats sum[kRows][kVectors] = {};
  // Prefetches the lines of C, which the sums are written to after the last step.
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) __builtin_prefetch(c + i * ldc + v * kWidth, 1);
  }
  for (int64_t step = 0; step < steps; ++step) {
    Floats row[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) row[v] = simd::load<Floats>(b + v * kWidth);
#pragma GCC unroll 16
    for (int i = 0; i < kRows; ++i) {
      const Element x = a[i * row_step];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[i][v] = Step::dot(sum[i][v], x, row[v]);
    }
    a += depth_step;
    b += kVectors * kWidth;
  }
#pragma GCC unroll 16
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      float* out = c + i * ldc + v * kWidth;
      simd::store(out, accumulate ? simd::load<Floats>(out) + sum[i][v] : sum[i][v]);
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
