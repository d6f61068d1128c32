// Linear layers: one product over all leading axes, with what follows it done while a tile of the result is in the cache.
#pragma once

#include <memory>

#include "tensor/product/precision.h"
#include "tensor/tensor.h"

namespace vitrail {

namespace detail {
class PackedMatrix;
}

// A weight [N, K] rearranged for products, for layers that are called with few rows at a time and the same weights (inference):
// packing a weight costs as much as multiplying it by a dozen rows.
class PackedWeight {
 public:
  PackedWeight(const Tensor& weight, Precision precision);
  ~PackedWeight();
  PackedWeight(const PackedWeight&) = delete;
  PackedWeight& operator=(const PackedWeight&) = delete;

  // False where packing brings nothing: another dtype than f32, a processor without our kernels, or too little to do.
  static bool helps(const Tensor& x, const Tensor& weight);
  // True if this is still the packed form of `weight`: same memory, not written to since.
  bool is_for(const Tensor& weight, Precision precision) const;
  const detail::PackedMatrix& matrix() const { return *matrix_; }

 private:
  Tensor weight_;  // keeps the memory, so that its address stands for it
  uint64_t version_;
  std::unique_ptr<detail::PackedMatrix> matrix_;
};

// What a linear function may be given beside x, weight and bias.
struct LinearOptions {
  Precision precision = Precision::kF32;
  const PackedWeight* packed = nullptr;  // of the same weight; null: it is packed on the way
};

// ---- Where x, dy, a slope or a result is rounded (dtype bf16, tensor/ops/rounding.h), it stands for f32: products of rounded
// operands have the bits of Precision::kBf16 products of the numbers before. ----

// True if the products of a linear layer [..., K] -> [..., outputs] round their operands: then who keeps x can keep it rounded.
bool rounds_operands(const Tensor& x, int64_t outputs, Precision precision);

// y = x W^T + b: x [..., K], weight [N, K], bias [N] or undefined -> [..., N].
// Errors: Error(kShape) naming all shapes; Error(kValue) if dtypes differ.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const LinearOptions& options = {});
// The same rounded, where rounds_operands().
Tensor linear_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const PackedWeight* packed = nullptr);
// y = residual + x W^T + b; residual is [..., N].
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& residual,
                  const LinearOptions& options = {});
// y = gelu(h) with h = x W^T + b and the exact GELU. What the way back needs is kept on request [..., N]: gelu'(h), or h
// itself, of which gelu_with_slope() makes y and gelu'(h) again.
struct GeluKeep {
  Tensor* slope = nullptr;
  Tensor* argument = nullptr;
};
Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias, const GeluKeep& keep = {},
                   const LinearOptions& options = {});
// The same with y and (if wanted) slope [..., N] rounded, where rounds_operands().
Tensor linear_gelu_rounded(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor* slope = nullptr,
                           const PackedWeight* packed = nullptr);

// dx = dy W: dy [..., N], weight [N, K] -> [..., K]. With `slope` [..., K], contiguous, dx = (dy W) slope, element by element:
// on through the function whose derivative it is.
Tensor linear_backward_input(const Tensor& dy, const Tensor& weight, Precision precision = Precision::kF32,
                             const Tensor* slope = nullptr);
// The same with slope and dx rounded.
Tensor linear_backward_input_rounded(const Tensor& dy, const Tensor& weight, const Tensor& slope);
// dW = dy^T x, summed over all leading axes: dy [..., N], x [..., K] -> [N, K]
Tensor linear_backward_weight(const Tensor& dy, const Tensor& x, Precision precision = Precision::kF32);
// dw += dy^T x, into a contiguous dw [N, K].
void linear_backward_weight_into(const Tensor& dy, const Tensor& x, Tensor dw, Precision precision = Precision::kF32);
// db = sum of dy over all leading axes: dy [..., N] -> [N]
Tensor linear_backward_bias(const Tensor& dy);

}  // namespace vitrail
