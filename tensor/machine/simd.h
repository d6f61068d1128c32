// A few floats that are worked on at once, as wide as the processor that this is built for, in the vector extensions that GCC
// and clang share: + - * / and comparisons go lane by lane, a number beside a vector stands for all its lanes, and
// c += a * b is one instruction where there is one.
//
// For kernels whose sums must stay in registers. A plain loop that the compiler vectorises is simpler: try that first.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "tensor/machine/fast_exp.h"

namespace vitrail::simd {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

// Whether this build multiplies and adds in one instruction.
#if defined(__FMA__)
constexpr bool kFusedMultiplyAdd = true;
#else
constexpr bool kFusedMultiplyAdd = false;
#endif

using Vector = float __attribute__((vector_size(kLanes * sizeof(float))));
using Bits = int32_t __attribute__((vector_size(kLanes * sizeof(float))));
using Quad = float __attribute__((vector_size(4 * sizeof(float))));

// From and to memory of any alignment.
template <class V = Vector>
inline V load(const float* from) {
  V x;
  std::memcpy(&x, from, sizeof(x));
  return x;
}
template <class V>
inline void store(float* to, V x) {
  std::memcpy(to, &x, sizeof(x));
}

// Asks for n floats that will be read soon. For short rows far apart (a head of a fused qkv buffer: 64 numbers here, the next
// 64 two kilobytes on), whose next place no processor guesses; along one row it guesses by itself.
inline void prefetch(const float* row, int64_t n) {
  for (int64_t j = 0; j < n; j += 16) __builtin_prefetch(row + j);
}

// The larger of each two lanes; of a number and a NaN, b.
inline Vector max(Vector a, Vector b) { return a > b ? a : b; }

// Lane i of lane i ^ kStep.
template <int kStep, int... kLane>
inline Vector exchanged(Vector x, std::integer_sequence<int, kLane...>) {
  return __builtin_shufflevector(x, x, (kLane ^ kStep)...);
}
// op over all lanes, in every lane, by halves: log2 instead of as many dependent steps as there are lanes.
template <class Op>
inline Vector over_lanes(Vector x, Op op) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes>();
  if constexpr (kLanes > 8) x = op(x, exchanged<8>(x, kAll));
  if constexpr (kLanes > 4) x = op(x, exchanged<4>(x, kAll));
  x = op(x, exchanged<2>(x, kAll));
  return op(x, exchanged<1>(x, kAll));
}
inline float sum_of(Vector x) {
  return over_lanes(x, [](Vector a, Vector b) { return a + b; })[0];
}
inline float max_of(Vector x) { return over_lanes(x, max)[0]; }

// e^x for x <= 0, as in a softmax: fast_exp without what positive and tiny results cost it. 0 below e^-87.3, the smallest
// normal number, and at -inf; NaN stays NaN.
inline Vector exp_nonpositive(Vector x) {
  // 1.5 * 2^23: adding it rounds to an integer, which stands in the low bits; and 127, so that it is the exponent of 2^n.
  constexpr float kRounder = 12582912.0f + 127.0f;
  constexpr float kLow = -87.3f;
  const Vector shifted = x * 1.44269504f + kRounder, n = shifted - kRounder;
  const Vector r = (x - n * 0.693145752f) - n * 1.42860677e-06f;
  const Vector e = exp_fraction(r) * reinterpret_cast<Vector>(reinterpret_cast<Bits>(shifted) << 23);
  return x < kLow ? Vector{} : e;  // what came of a lower x is not looked at
}

// Four rows become four columns.
inline void transpose(Quad& a, Quad& b, Quad& c, Quad& d) {
  const Quad ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Quad cd = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

}  // namespace vitrail::simd
