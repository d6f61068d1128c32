// The element types of a Tensor.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace vitrail {

enum class Dtype : uint8_t {
  f32,   // the default of everything
  f64,   // every float kernel exists for it too: gradients are checked in double
  i64,   // labels, indices
  u8,    // images, masks (0 or 1)
  bf16,  // rounded operands of matrix products (tensor/ops/rounding.h): for storage only, no arithmetic
};

// bfloat16, the upper half of a float: sign, 8 bits of exponent, 7 of mantissa.
struct Bf16 {
  uint16_t bits;
};

// Size of one element in bytes.
constexpr int64_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return 4;
    case Dtype::f64: return 8;
    case Dtype::i64: return 8;
    case Dtype::u8: return 1;
    case Dtype::bf16: return 2;
  }
  return 0;
}

constexpr const char* name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "f32";
    case Dtype::f64: return "f64";
    case Dtype::i64: return "i64";
    case Dtype::u8: return "u8";
    case Dtype::bf16: return "bf16";
  }
  return "?";
}

constexpr bool is_float(Dtype dtype) { return dtype == Dtype::f32 || dtype == Dtype::f64; }

// dtype_of<float>() is Dtype::f32, and so on.
template <class T>
constexpr Dtype dtype_of();
template <>
constexpr Dtype dtype_of<float>() {
  return Dtype::f32;
}
template <>
constexpr Dtype dtype_of<double>() {
  return Dtype::f64;
}
template <>
constexpr Dtype dtype_of<int64_t>() {
  return Dtype::i64;
}
template <>
constexpr Dtype dtype_of<uint8_t>() {
  return Dtype::u8;
}
template <>
constexpr Dtype dtype_of<Bf16>() {
  return Dtype::bf16;
}

// Calls fn with a value-initialised element of the type: dispatch(x.dtype(), [&](auto zero) { using T = decltype(zero); ... }).
// Error(kValue) for bf16.
template <class Fn>
decltype(auto) dispatch(Dtype dtype, Fn&& fn) {
  switch (dtype) {
    case Dtype::f32: return fn(float{});
    case Dtype::f64: return fn(double{});
    case Dtype::i64: return fn(int64_t{});
    case Dtype::u8: return fn(uint8_t{});
    case Dtype::bf16: break;
  }
  fail(ErrorKind::kValue, "dispatch", "needs numbers to calculate with: dtype is ", name_of(dtype),
       ". Hint: convert with to(x, Dtype::f32).");
}

// The same for the two float types; any other throws Error(kValue) that names op.
template <class Fn>
decltype(auto) dispatch_float(const char* op, Dtype dtype, Fn&& fn) {
  switch (dtype) {
    case Dtype::f32: return fn(float{});
    case Dtype::f64: return fn(double{});
    default:
      fail(ErrorKind::kValue, op, "needs a float tensor: dtype is ", name_of(dtype), ". Hint: convert with to(x, Dtype::f32).");
  }
}

}  // namespace vitrail
