#include "tensor/product/micro_kernel_template.h"

namespace vitrail::detail {

#if defined(__AVX2__) && defined(__FMA__)
const MicroKernel* micro_kernel_avx2(ProductFormat format) {
  return format == ProductFormat::kF32 ? &kKernel<F32Step, 8, 6, 2> : &kKernel<Bf16PairStep, 8, 4, 2>;
}
#else
const MicroKernel* micro_kernel_avx2(ProductFormat) { return nullptr; }
#endif

}  // namespace vitrail::detail
