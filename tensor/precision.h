// The precision to which the operands of large matrix products are rounded.
#pragma once

#include <string>

namespace vitrail {

// kBf16: only the two operands of the products of linear layers and attention are rounded, to 8 significant bits (bfloat16).
// Weights, the residual stream, gradients of weights, products themselves, sums, softmax, norms, losses and updates are f32. An
// operand that is read by several products and by nothing else is rounded once and stored in bf16: the output of a norm before
// a linear layer, the hidden layer of an MLP with the slope of its GELU, q, k and v, the heads' results, the gradient of a
// linear layer's output.
enum class Precision { kF32, kBf16 };

const char* precision_name(Precision precision);  // "f32", "bf16"
// Error(kValue) listing the names for an unknown one.
Precision precision_from_name(const std::string& name);

// The precision of linear layers and attention that are called on this thread. Their backward pass uses the precision of the
// forward pass.
Precision product_precision();
// Sets the precision for the length of a scope.
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
