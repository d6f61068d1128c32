// One of two places that use an intrinsic of one instruction set (the other is tensor/machine/bf16.h): vdpbf16ps multiplies 16
// pairs of bf16 and adds them to 16 f32 sums, twice the work of an f32 FMA. It treats subnormal numbers as zero.
#include "tensor/product/micro_kernel_template.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

namespace vitrail::detail {

#if defined(__AVX512BF16__)
namespace {

struct NativeBf16PairStep {
  using Element = uint32_t;
  template <class Floats>
  static Floats dot(Floats sum, uint32_t a, Floats b) {
    const __m512bh pairs = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a)));
    return reinterpret_cast<Floats>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), pairs, reinterpret_cast<__m512bh>(b)));
  }
};

}  // namespace

const MicroKernel* micro_kernel_avx512_bf16() { return &kKernel<NativeBf16PairStep, 16, 14, 2>; }
#else
const MicroKernel* micro_kernel_avx512_bf16() { return nullptr; }
#endif

}  // namespace vitrail::detail
