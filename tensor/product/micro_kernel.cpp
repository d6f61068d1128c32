#include "tensor/product/micro_kernel.h"

namespace vitrail::detail {
namespace {

const MicroKernel* choose(Precision precision) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (precision == Precision::kBf16 && avx512 && __builtin_cpu_supports("avx512bf16")) {
    if (const MicroKernel* kernel = micro_kernel_avx512_bf16()) return kernel;
  }
  if (avx512) {
    if (const MicroKernel* kernel = micro_kernel_avx512(precision)) return kernel;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return micro_kernel_avx2(precision);
#endif
  return nullptr;
}

}  // namespace

const MicroKernel* micro_kernel_for(Precision precision) {
  static const MicroKernel* const f32 = choose(Precision::kF32);
  static const MicroKernel* const bf16 = choose(Precision::kBf16);
  return precision == Precision::kF32 ? f32 : bf16;
}

}  // namespace vitrail::detail
