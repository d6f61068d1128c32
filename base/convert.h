// Converts a number to another type, with a defined result for every value. In C++ alone, converting a float that the integer
// type cannot hold is undefined.
#pragma once

#include <limits>
#include <type_traits>

namespace vitrail {

// Float to integer truncates towards zero; NaN gives 0, and a value out of range gives the nearest end of the range. Integer to
// narrower integer keeps the lowest bits, as in C++.
template <class To, class From>
constexpr To convert(From x) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    constexpr From kBelow = static_cast<From>(Limits::min());
    constexpr From kAbove = static_cast<From>(Limits::max() / 2 + 1) * 2;  // max + 1, which is exact; max itself may round
    if (x != x) return To{0};
    return x <= kBelow ? Limits::min() : x >= kAbove ? Limits::max() : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace vitrail
