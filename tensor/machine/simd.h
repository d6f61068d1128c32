// Vectors of numbers: the one vocabulary of all loops that are vectorised by hand. It stands on the vector extensions that GCC
// and clang share: + - * / and comparisons work lane by lane, a number beside a vector stands for all its lanes, and
// c += a * b is one instruction where the processor has one.
//
// For kernels whose sums must stay in registers. A plain loop that the compiler vectorises is simpler: try that first.
//
// Every function is always inlined. The micro-kernels (tensor/product/micro_kernel_*.cpp) are built for instruction sets that
// the processor may lack; a copy of a function made there must never be the one that the linker keeps for everybody.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "tensor/machine/fast_exp.h"

namespace vitrail::simd {

// f32 lanes of the widest register of the processor that this is built for.
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

// From and to memory of any alignment and any type of as many bytes: a memcpy becomes one unaligned move.
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

// Every lane's number as a T.
template <class T, class V>
[[gnu::always_inline]] inline Vector<T, kCountOf<V>> converted(V x) {
  return __builtin_convertvector(x, Vector<T, kCountOf<V>>);
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define VITRAIL_SHUFFLEVECTOR
#endif
#endif

// A vector of the lanes kIndex of a and b side by side. GCC knows __builtin_shufflevector from version 12 on; version 11
// recognises the permutation in the list of single lanes.
template <int... kIndex, class V>
[[gnu::always_inline]] inline Vector<Element<V>, sizeof...(kIndex)> shuffled(V a, [[maybe_unused]] V b) {
#ifdef VITRAIL_SHUFFLEVECTOR
  return __builtin_shufflevector(a, b, kIndex...);
#else
  constexpr int kCount = static_cast<int>(kCountOf<V>);
  return Vector<Element<V>, sizeof...(kIndex)>{(kIndex < kCount ? a[kIndex % kCount] : b[kIndex % kCount])...};
#endif
}

// The larger of each two lanes; of a number and a NaN, b.
[[gnu::always_inline]] inline Floats max(Floats a, Floats b) { return a > b ? a : b; }

// Lane i of lane i ^ kStep.
template <int kStep, int... kLane>
[[gnu::always_inline]] inline Floats exchanged(Floats x, std::integer_sequence<int, kLane...>) {
  return shuffled<(kLane ^ kStep)...>(x, x);
}
// op over all lanes, in every lane, by halves: log2 instead of as many dependent steps as there are lanes.
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

// e^x for x <= 0, as in a softmax: fast_exp without the steps that positive and tiny results need. 0 below e^-87.3, the
// smallest normal number, and at -inf; NaN stays NaN.
[[gnu::always_inline]] inline Floats exp_nonpositive(Floats x) {
  // 1.5 * 2^23: adding it rounds to an integer, which stands in the low bits; and 127, so that it is the exponent of 2^n.
  constexpr float kRounder = 12582912.0f + 127.0f;
  constexpr float kLow = -87.3f;
  const Floats shifted = x * 1.44269504f + kRounder, n = shifted - kRounder;
  const Floats r = (x - n * 0.693145752f) - n * 1.42860677e-06f;
  const Floats e = exp_fraction(r) * reinterpret_cast<Floats>(reinterpret_cast<Ints>(shifted) << 23);
  return x < kLow ? Floats{} : e;  // the result is meaningless for a lower x
}

}  // namespace vitrail::simd
