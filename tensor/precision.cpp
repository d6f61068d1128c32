#include "tensor/precision.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "tensor/product/micro_kernel.h"

namespace vitrail {
namespace {

thread_local Precision setting = Precision::kF32;

}  // namespace

const char* precision_name(Precision precision) { return precision == Precision::kBf16 ? "bf16" : "f32"; }

Precision precision_from_name(const std::string& name) {
  if (name == "f32") return Precision::kF32;
  check(name == "bf16", ErrorKind::kValue, "precision", "unknown precision: it is ", quote(name), ". Hint: f32 or bf16.");
  return Precision::kBf16;
}

Precision product_precision() { return setting; }

PrecisionGuard::PrecisionGuard(Precision precision) : before_(std::exchange(setting, precision)) {}
PrecisionGuard::~PrecisionGuard() { setting = before_; }

std::string bf16_kernel_name() {
  const detail::MicroKernel* chosen = detail::micro_kernel_for(Precision::kBf16);
  return chosen != nullptr && chosen == detail::micro_kernel_avx512_bf16() ? "avx512_bf16" : "portable";
}

}  // namespace vitrail
