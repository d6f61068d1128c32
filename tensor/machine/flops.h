// How much arithmetic the matrix products did: `vitrail bench` divides it by the time.
#pragma once

#include <cstdint>

namespace vitrail {

// Adds to the count of this process. Called by every product (gemm, attention, convolution) with 2 M N K: a multiplication
// and an addition for each term. One relaxed atomic addition, whatever the size.
void count_flops(int64_t flops);
// The count so far; differences of it are what matters.
int64_t counted_flops();

}  // namespace vitrail
