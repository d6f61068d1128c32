// Integer division rounded up, for every n in [0, INT64_MAX] without overflow.
#pragma once

#include <cstdint>

namespace vitrail {

// n / size rounded up: the number of pieces when n is cut into pieces of at most `size` (>= 1).
constexpr int64_t ceil_div(int64_t n, int64_t size) { return n / size + (n % size > 0 ? 1 : 0); }
// The smallest multiple of `step` (>= 1) that is at least n. The caller makes sure that it fits an int64_t.
constexpr int64_t round_up(int64_t n, int64_t step) { return ceil_div(n, step) * step; }

}  // namespace vitrail
