// One number to another type, defined for every value: C++ leaves a float that an integer cannot hold undefined.
#pragma once

#include <limits>
#include <type_traits>

namespace vitrail {

// Float to integer truncates towards zero; NaN gives 0, and what is out of range the nearest end of the range. Integer to
// narrower integer keeps the lowest bits, as in C++.
template <class To, class From>
constexpr To convert(From x) {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    constexpr From kBelow = static_cast<From>(Limits::min());
    constexpr From kAbove = static_cast<From>(Limits::max() / 2 + 1) * 2;  // a power of two: exact, where max itself may round
    if (x != x) return To{0};
    return x <= kBelow ? Limits::min() : x >= kAbove ? Limits::max() : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

}  // namespace vitrail
