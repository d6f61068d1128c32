// A few floats that are worked on at once, as wide as the processor that this is built for, in the vector extensions that GCC
// and clang share: + - * / and comparisons go lane by lane, a number beside a vector stands for all its lanes, and
// c += a * b is one instruction where there is one.
//
// For kernels whose sums must stay in registers. A plain loop that the compiler vectorises is simpler: try that first.
#pragma once

#include <cstdint>
#include <cstring>

#include "tensor/fast_exp.h"

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

inline float sum_of(Vector x) {
  float sum = x[0];
  for (int i = 1; i < kLanes; ++i) sum += x[i];
  return sum;
}
inline float max_of(Vector x) {
  float high = x[0];
  for (int i = 1; i < kLanes; ++i) high = x[i] > high ? x[i] : high;
  return high;
}

// e^x for x <= 0, as in a softmax: fast_exp without what positive and tiny results cost it. 0 below e^-87.3, the smallest
// normal number, and at -inf; NaN stays NaN.
inline Vector exp_nonpositive(Vector x) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which stands in the low bits
  constexpr float kLow = -87.3f;
  const Vector low = kLow - Vector{}, clamped = max(low, x), shifted = clamped * 1.44269504f + kRounder;
  const Vector n = shifted - kRounder;
  const Vector r = (clamped - n * 0.693145752f) - n * 1.42860677e-06f;
  const Bits power = (reinterpret_cast<Bits>(shifted) << 23) + (127 << 23);  // 2^n
  const Vector e = exp_fraction(r) * reinterpret_cast<Vector>(power);
  return x < low ? Vector{} : e;
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
