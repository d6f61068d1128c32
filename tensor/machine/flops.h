// Counts the floating-point operations of matrix products; `vitrail bench` divides the count by the time.
#pragma once

#include <cstdint>

namespace vitrail {

// Adds to the count of this process. Called by every product (gemm, attention, convolution) with 2 M N K: a multiplication and
// an addition for each term. Costs one relaxed atomic addition.
void count_flops(int64_t flops);
// The count since the start of the process. Callers use differences of it.
int64_t counted_flops();

}  // namespace vitrail
