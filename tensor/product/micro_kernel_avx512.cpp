#include "tensor/product/micro_kernel_template.h"

namespace vitrail::detail {

#if defined(__AVX512F__)
const MicroKernel* micro_kernel_avx512(Precision precision) {
  return precision == Precision::kF32 ? &kKernel<F32Step, 16, 14, 2> : &kKernel<Bf16PairStep, 16, 12, 2>;
}
#else
const MicroKernel* micro_kernel_avx512(Precision) { return nullptr; }
#endif

}  // namespace vitrail::detail
