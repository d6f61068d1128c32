// What the operands of the large matrix products are rounded to.
#pragma once

#include <string>

namespace vitrail {

// kBf16: only the two operands of the products of linear layers and attention are rounded, to 8 significant bits (bfloat16).
// Weights, the residual stream, gradients of weights, products themselves, sums, softmax, norms, losses and updates are f32.
// An operand that only products read, and more than one of them, is rounded once and stored in bf16: what a norm hands to a
// linear layer, the hidden layer of an MLP with the slope of its GELU, q, k and v, the heads' results, the gradient of a linear layer's output.
enum class Precision { kF32, kBf16 };

const char* precision_name(Precision precision);  // "f32", "bf16"
// Error(kValue) listing the names for an unknown one.
Precision precision_from_name(const std::string& name);

// The precision of linear layers and attention called on this thread from now on; their backward pass keeps what the forward
// pass had.
Precision product_precision();
// Sets it for as long as it lives.
class PrecisionGuard {
 public:
  explicit PrecisionGuard(Precision precision);
  ~PrecisionGuard();
  PrecisionGuard(const PrecisionGuard&) = delete;
  PrecisionGuard& operator=(const PrecisionGuard&) = delete;

 private:
  Precision before_;
};

// How bf16 products run here: "avx512_bf16" (twice the speed of f32), or "portable" (the same results, no faster).
std::string bf16_kernel_name();

}  // namespace vitrail
