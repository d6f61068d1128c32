#include "tensor/product/micro_kernel_template.h"

namespace vitrail::detail {

#if defined(__AVX2__) && defined(__FMA__)
const MicroKernel* micro_kernel_avx2(Precision precision) {
  return precision == Precision::kF32 ? &kKernel<F32Step, 8, 6, 2> : &kKernel<Bf16PairStep, 8, 4, 2>;
}
#else
const MicroKernel* micro_kernel_avx2(Precision) { return nullptr; }
#endif

}  // namespace vitrail::detail
