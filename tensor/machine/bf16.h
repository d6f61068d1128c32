// Numbers in vectors, and rounding them to bf16: what packing is made of.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "tensor/dtype.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace vitrail::detail {

// Vectors of a fixed number of lanes whatever the processor: the compiler splits or keeps them.
template <int64_t kCount>
struct VectorOf {
  typedef uint32_t Type __attribute__((vector_size(4 * kCount)));
};
template <int64_t kCount>
using Vector = typename VectorOf<kCount>::Type;
constexpr int64_t kLanes = 8;
using Lanes = Vector<kLanes>;

// The bits of a float rounded to bf16 in the upper half; the lower half is left over.
inline uint32_t rounded_bits(uint32_t bits) {
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : rounded;
}
template <class Bits>
inline Bits rounded_bits(Bits bits) {
  const Bits rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const Bits is_nan = reinterpret_cast<Bits>((bits & 0x7fffffffu) > 0x7f800000u);
  return (rounded & ~is_nan) | (is_nan & 0x7fc00000u);
}

// first into the low half, second into the high one.
template <class Bits>
inline Bits pair_of(Bits first, Bits second) {
  return (rounded_bits(first) >> 16) | (rounded_bits(second) & 0xffff0000u);
}

// By memcpy, because addresses are aligned to four bytes only: it becomes one unaligned move.
template <int64_t kCount = kLanes>
inline Vector<kCount> load(const float* x) {
  Vector<kCount> lanes;
  std::memcpy(&lanes, x, sizeof lanes);
  return lanes;
}
// Stored bf16, each in the low half of a lane.
template <int64_t kCount>
struct HalvesOf {
  typedef uint16_t Type __attribute__((vector_size(2 * kCount)));
};
template <int64_t kCount>
inline typename HalvesOf<kCount>::Type load_halves(const Bf16* x) {
  typename HalvesOf<kCount>::Type halves;
  std::memcpy(&halves, x, sizeof halves);
  return halves;
}
// Stored first into the low half, stored second into the high one.
template <int64_t kCount, int... kIndex>
inline Vector<kCount> interleaved(typename HalvesOf<kCount>::Type first, typename HalvesOf<kCount>::Type second,
                                  std::integer_sequence<int, kIndex...>) {
  return reinterpret_cast<Vector<kCount>>(__builtin_shufflevector(first, second, (kIndex / 2 + kIndex % 2 * int{kCount})...));
}
template <int64_t kCount>
inline Vector<kCount> pair_of_halves(typename HalvesOf<kCount>::Type first, typename HalvesOf<kCount>::Type second) {
  return interleaved<kCount>(first, second, std::make_integer_sequence<int, 2 * kCount>());
}
template <class Bits>
inline void store(uint32_t* to, Bits x) {
  std::memcpy(to, &x, sizeof x);
}

#if defined(__AVX512BF16__)
// The same by the processor's own rounding, in a sixth of the instructions. It takes subnormal numbers for zero, as the
// processor's product does.
inline Vector<8> native_bits(Vector<8> x) {
  const auto halves = reinterpret_cast<HalvesOf<8>::Type>(_mm256_cvtneps_pbh(reinterpret_cast<__m256>(x)));
  return __builtin_convertvector(halves, Vector<8>);
}
inline Vector<16> native_bits(Vector<16> x) {
  const auto halves = reinterpret_cast<HalvesOf<16>::Type>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(x)));
  return __builtin_convertvector(halves, Vector<16>);
}
// Rounded, one after the other.
inline HalvesOf<16>::Type halves_of(Vector<16> x) {
  return reinterpret_cast<HalvesOf<16>::Type>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(x)));
}
inline Vector<8> pair_of(Vector<8> first, Vector<8> second) { return native_bits(first) | (native_bits(second) << 16); }
inline Vector<16> pair_of(Vector<16> first, Vector<16> second) {
  typedef uint16_t Halves __attribute__((vector_size(64)));
  const auto apart =
      reinterpret_cast<Halves>(_mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(second), reinterpret_cast<__m512>(first)));
  return reinterpret_cast<Vector<16>>(__builtin_shufflevector(apart, apart, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7,
                                                              23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                                              31));
}
// Eight pairs out of sixteen neighbouring numbers.
inline Lanes pairs_along(const float* x) { return reinterpret_cast<Lanes>(_mm512_cvtneps_pbh(_mm512_loadu_ps(x))); }
#else
// Eight pairs out of sixteen neighbouring numbers.
inline Lanes pairs_along(const float* x) {
  const Lanes a = load(x), b = load(x + kLanes);
  return pair_of(__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
                 __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15));
}
#endif
// They are pairs already.
inline Lanes pairs_along(const Bf16* x) {
  Lanes pairs;
  std::memcpy(&pairs, x, sizeof pairs);
  return pairs;
}

inline float value_of(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
// n numbers, rounded.
inline void round_row(const float* x, int64_t n, Bf16* out) {
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const Lanes pairs = pairs_along(x + i);
    std::memcpy(out + i, &pairs, sizeof pairs);
  }
  for (; i < n; ++i) out[i].bits = static_cast<uint16_t>(rounded_bits(std::bit_cast<uint32_t>(x[i])) >> 16);
}

}  // namespace vitrail::detail
