// The two kernels of attention behind tensor/ops/attention.h: plain (BLIS products around a softmax, f32 and f64) and tiled
// (f32 and bf16, faster). The definition is tensor/reference/attention.cpp.
#pragma once

#include <limits>

#include "tensor/machine/simd.h"
#include "tensor/ops/attention.h"
#include "tensor/product/gemm.h"
#include "tensor/product/product.h"

namespace vitrail::detail {

// The inputs of one call, already checked.
struct AttentionCall {
  int64_t batch, heads, queries, keys, width, value_width;
  Tensor q, k, v;  // all three may be bf16, for the tiled form only
  Tensor mask;     // undefined, or expanded to [B, H, N, M]
  double scale;
  Precision precision;  // of the products; the plain form ignores it and multiplies in f32 or f64
};

// The tiled form uses the micro-kernels. In a build without fused multiply-add, BLIS is faster, since it chooses its kernels
// for the processor at run time.
inline bool has_tiled_attention() { return simd::kFusedMultiplyAdd && has_product_kernels(); }

// Both fill in result.output, and those of the other tensors that are defined.
template <class T>
void attention_forward_plain(const AttentionCall& call, AttentionResult& result);
void attention_forward_tiled(const AttentionCall& call, AttentionResult& result);

// The plain form reads forward.probabilities; the tiled form reads them, or forward.statistics if they are undefined.
template <class T>
void attention_backward_plain(const AttentionCall& call, const Tensor& dy, const AttentionResult& forward,
                              AttentionGradients& d);
void attention_backward_tiled(const AttentionCall& call, const Tensor& dy, const AttentionResult& forward,
                              AttentionGradients& d);

// The matrix of one image and head: in x, or in other data with the layout of x.
template <class T>
MatrixView<const T> head(const Tensor& x, int64_t b, int64_t h) {
  return {x.data<T>() + b * x.stride(0) + h * x.stride(1), x.size(2), x.size(3), x.stride(2), x.stride(3)};
}

template <class T>
MatrixView<T> head(T* data, const Tensor& x, int64_t b, int64_t h) {
  return {data + b * x.stride(0) + h * x.stride(1), x.size(2), x.size(3), x.stride(2), x.stride(3)};
}

// Adds the mask to the scores s of one query for n keys; a u8 mask sets -inf where it is 0.
template <class T>
void apply_mask(T* s, int64_t n, const Tensor& mask, int64_t b, int64_t h, int64_t query) {
  const int64_t offset = b * mask.stride(0) + h * mask.stride(1) + query * mask.stride(2), step = mask.stride(3);
  if (mask.dtype() == Dtype::u8) {
    const uint8_t* allowed = mask.data<uint8_t>() + offset;
    for (int64_t j = 0; j < n; ++j) s[j] = allowed[j * step] ? s[j] : -std::numeric_limits<T>::infinity();
  } else {
    const T* bias = mask.data<T>() + offset;
    for (int64_t j = 0; j < n; ++j) s[j] += bias[j * step];
  }
}

}  // namespace vitrail::detail
