// Numbers in messages.
#pragma once

#include <cmath>

namespace vitrail {

// The number without the sign of a NaN: printf and streams write a NaN whose sign bit is set as "-nan".
inline double printable(double x) { return std::isnan(x) ? std::fabs(x) : x; }

}  // namespace vitrail
