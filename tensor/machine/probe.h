// The peak arithmetic and bandwidth of this machine, measured when asked, and the memory of this process: what `vitrail bench`
// compares with.
#pragma once

#include <cstdint>
#include <string>

namespace vitrail {

// The multiply-adds per second that all threads together reach on registers alone, in GFLOP/s (two FLOPs each), f32.
// No product can be faster. The best of several runs of 30 ms: a busy neighbour only ever takes away.
double measure_peak_gflops();
// y = a x over blocks far larger than any cache, all threads: bytes read and written per second, in GB/s. Holds 256 MiB
// meanwhile.
double measure_bandwidth_gb();

// Memory of this process that is in RAM, and the most that ever was; 0 where /proc does not say.
int64_t resident_bytes();
int64_t peak_resident_bytes();
// "AMD EPYC", or "unknown processor".
std::string processor_name();

}  // namespace vitrail
