// The peak arithmetic and bandwidth of this machine, measured on request, and the memory of this process. `vitrail bench`
// compares its numbers with these.
#pragma once

#include <cstdint>
#include <string>

namespace vitrail {

// Peak arithmetic in GFLOP/s: f32 multiply-adds (two FLOPs each) on registers, by all threads.
// No matrix product can be faster. The best of several runs of 30 ms, since other programs can only slow a run down.
double measure_peak_gflops();
// y = a x over blocks far larger than any cache, by all threads: bytes read and written per second, in GB/s. Uses 256 MiB while
// it runs.
double measure_bandwidth_gb();

// Memory of this process that is in RAM now, and its peak, in bytes; 0 if /proc is not available.
int64_t resident_bytes();
int64_t peak_resident_bytes();
// "AMD EPYC", or "unknown processor".
std::string processor_name();

}  // namespace vitrail
