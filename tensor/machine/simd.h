// SIMD vectors, for all loops that are vectorised by hand. They use the vector extensions that GCC and clang share: + - * / and
// comparisons work lane by lane, a scalar operand is broadcast to all lanes, and c += a * b is one instruction where the
// processor has one.
//
// They are for kernels whose sums must stay in registers. Prefer a plain loop where the compiler vectorises it.
//
// Every function is always inlined. The micro-kernels (tensor/product/micro_kernel_*.cpp) are built for instruction sets that
// the processor may lack; if a function were not inlined, the linker might keep the copy compiled there for all callers.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "tensor/machine/fast_exp.h"

namespace vitrail::simd {

// The number of f32 lanes in the widest register of the target processor.
#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

// Whether the target processor has fused multiply-add instructions.
#if defined(__FMA__)
constexpr bool kFusedMultiplyAdd = true;
#else
constexpr bool kFusedMultiplyAdd = false;
#endif

template <class T, int64_t kCount>
struct VectorType {
  typedef T Type __attribute__((vector_size(kCount * sizeof(T))));
};
// kCount numbers of type T, whatever the processor: the compiler splits a vector that is wider than the registers.
template <class T, int64_t kCount>
using Vector = typename VectorType<T, kCount>::Type;

using Floats = Vector<float, kLanes>;
using Ints = Vector<int32_t, kLanes>;

template <class V>
using Element = std::remove_cv_t<std::remove_reference_t<decltype(std::declval<V&>()[0])>>;
template <class V>
constexpr int64_t kCountOf = static_cast<int64_t>(sizeof(V) / sizeof(Element<V>));

// Loads from and stores to memory of any alignment, of any type with the same number of bytes. The memcpy compiles to one
// unaligned move.
template <class V = Floats, class T>
[[gnu::always_inline]] inline V load(const T* from) {
  V x;
  std::memcpy(&x, from, sizeof x);
  return x;
}
template <class T, class V>
[[gnu::always_inline]] inline void store(T* to, V x) {
  std::memcpy(to, &x, sizeof x);
}

// Converts every lane to T.
template <class T, class V>
[[gnu::always_inline]] inline Vector<T, kCountOf<V>> converted(V x) {
  return __builtin_convertvector(x, Vector<T, kCountOf<V>>);
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define VITRAIL_SHUFFLEVECTOR
#endif
#endif

// The lanes kIndex of the concatenation of a and b. GCC knows __builtin_shufflevector from version 12 on; version 11 recognises
// the permutation in the list of single lanes.
template <int... kIndex, class V>
[[gnu::always_inline]] inline Vector<Element<V>, sizeof...(kIndex)> shuffled(V a, [[maybe_unused]] V b) {
#ifdef VITRAIL_SHUFFLEVECTOR
  return __builtin_shufflevector(a, b, kIndex...);
#else
  constexpr int kCount = static_cast<int>(kCountOf<V>);
  return Vector<Element<V>, sizeof...(kIndex)>{(kIndex < kCount ? a[kIndex % kCount] : b[kIndex % kCount])...};
#endif
}

// The larger of each two lanes; b if one of them is NaN.
[[gnu::always_inline]] inline Floats max(Floats a, Floats b) { return a > b ? a : b; }

// Result lane i is lane i ^ kStep of the argument.
template <int kStep, int... kLane>
[[gnu::always_inline]] inline Floats exchanged(Floats x, std::integer_sequence<int, kLane...>) {
  return shuffled<(kLane ^ kStep)...>(x, x);
}
// Reduces all lanes by op and returns the result in every lane. Works by halves: log2(lanes) dependent steps instead of one for
// each lane.
template <class Op>
[[gnu::always_inline]] inline Floats over_lanes(Floats x, Op op) {
  constexpr auto kAll = std::make_integer_sequence<int, kLanes>();
  if constexpr (kLanes > 8) x = op(x, exchanged<8>(x, kAll));
  if constexpr (kLanes > 4) x = op(x, exchanged<4>(x, kAll));
  x = op(x, exchanged<2>(x, kAll));
  return op(x, exchanged<1>(x, kAll));
}
[[gnu::always_inline]] inline float sum_of(Floats x) {
  return over_lanes(x, [](Floats a, Floats b) { return a + b; })[0];
}
[[gnu::always_inline]] inline float max_of(Floats x) {
  return over_lanes(x, [](Floats a, Floats b) { return max(a, b); })[0];
}

// e^x for x <= 0, as in a softmax: fast_exp without the steps for positive x and subnormal results. Gives 0 below x = -87.3
// (where e^x is the smallest normal number) and at -inf; NaN stays NaN.
[[gnu::always_inline]] inline Floats exp_nonpositive(Floats x) {
  // 1.5 * 2^23: adding it rounds to an integer, held in the low bits. The added 127 makes it the biased exponent of 2^n.
  constexpr float kRounder = 12582912.0f + 127.0f;
  constexpr float kLow = -87.3f;
  const Floats shifted = x * 1.44269504f + kRounder, n = shifted - kRounder;
  const Floats r = (x - n * 0.693145752f) - n * 1.42860677e-06f;
  const Floats e = exp_fraction(r) * reinterpret_cast<Floats>(reinterpret_cast<Ints>(shifted) << 23);
  return x < kLow ? Floats{} : e;  // e is not valid for lower x
}

}  // namespace vitrail::simd
