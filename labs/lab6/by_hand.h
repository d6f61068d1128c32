// Attention as its formulas, in loops, for the tests of lab 6.
#pragma once

#include <cmath>
#include <limits>

#include "labs/common/lab.h"
#include "tensor/view.h"

namespace by_hand {

using vitrail::Dtype;
using vitrail::Shape;
using vitrail::Tensor;

inline Tensor made(const Shape& shape) { return vitrail::zeros(shape, Dtype::f64); }

// Element of a contiguous f64 tensor of four or three axes.
inline double& at(Tensor& x, int64_t a, int64_t b, int64_t c, int64_t d) {
  return x.mutable_data<double>()[((a * x.size(1) + b) * x.size(2) + c) * x.size(3) + d];
}
inline double& at(Tensor& x, int64_t a, int64_t b, int64_t c) {
  return x.mutable_data<double>()[(a * x.size(1) + b) * x.size(2) + c];
}

// What a mask adds to a score: a float mask itself, 0 or -inf for u8. `mask` is [B, H, N, M] or undefined.
inline double added(const Tensor& mask, int64_t b, int64_t h, int64_t i, int64_t j) {
  if (!mask.defined()) return 0;
  const double m = mask.at({b, h, i, j});
  return mask.dtype() == Dtype::u8 ? (m != 0 ? 0 : -std::numeric_limits<double>::infinity()) : m;
}

// P [B, H, N, M]; a row in which every key is forbidden is zero.
inline Tensor probabilities(const Tensor& q, const Tensor& k, const Tensor& mask, double scale) {
  Tensor p = made({q.size(0), q.size(1), q.size(2), k.size(2)});
  for (int64_t b = 0; b < q.size(0); ++b)
    for (int64_t h = 0; h < q.size(1); ++h)
      for (int64_t i = 0; i < q.size(2); ++i) {
        double top = -1e300, total = 0;
        for (int64_t j = 0; j < k.size(2); ++j) {
          double s = 0;
          for (int64_t d = 0; d < q.size(3); ++d) s += q.at({b, h, i, d}) * k.at({b, h, j, d});
          at(p, b, h, i, j) = scale * s + added(mask, b, h, i, j);
          top = std::max(top, at(p, b, h, i, j));
        }
        for (int64_t j = 0; j < k.size(2); ++j) total += at(p, b, h, i, j) = std::exp(at(p, b, h, i, j) - top);
        for (int64_t j = 0; j < k.size(2); ++j) at(p, b, h, i, j) /= total > 0 ? total : 1;
      }
  return p;
}

// P v
inline Tensor weighted(Tensor p, const Tensor& v) {
  Tensor o = made({p.size(0), p.size(1), p.size(2), v.size(3)});
  for (int64_t b = 0; b < p.size(0); ++b)
    for (int64_t h = 0; h < p.size(1); ++h)
      for (int64_t i = 0; i < p.size(2); ++i)
        for (int64_t j = 0; j < p.size(3); ++j)
          for (int64_t d = 0; d < v.size(3); ++d) at(o, b, h, i, d) += at(p, b, h, i, j) * v.at({b, h, j, d});
  return o;
}

// rows [first, last) of weight and bias: [B, N, D] -> [B, N, last - first]
inline Tensor projected(const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t first, int64_t last) {
  Tensor y = made({x.size(0), x.size(1), last - first});
  for (int64_t b = 0; b < x.size(0); ++b)
    for (int64_t n = 0; n < x.size(1); ++n)
      for (int64_t o = first; o < last; ++o) {
        double sum = bias.at({o});
        for (int64_t d = 0; d < x.size(2); ++d) sum += x.at({b, n, d}) * weight.at({o, d});
        at(y, b, n, o - first) = sum;
      }
  return y;
}

// [B, N, H K] -> [B, H, N, K]
inline Tensor cut(Tensor x, int64_t heads) {
  const int64_t width = x.size(2) / heads;
  Tensor y = made({x.size(0), heads, x.size(1), width});
  for (int64_t b = 0; b < x.size(0); ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t n = 0; n < x.size(1); ++n)
        for (int64_t d = 0; d < width; ++d) at(y, b, h, n, d) = at(x, b, n, h * width + d);
  return y;
}

// [B, H, N, K] -> [B, N, H K]
inline Tensor joined(Tensor x) {
  Tensor y = made({x.size(0), x.size(2), x.size(1) * x.size(3)});
  for (int64_t b = 0; b < x.size(0); ++b)
    for (int64_t h = 0; h < x.size(1); ++h)
      for (int64_t n = 0; n < x.size(2); ++n)
        for (int64_t d = 0; d < x.size(3); ++d) at(y, b, n, h * x.size(3) + d) = at(x, b, h, n, d);
  return y;
}

// Multi-head attention with the weights of an nn::MultiHeadAttention, from x to context.
template <class Attention>
Tensor multi_head(const Attention& attn, const Tensor& x, const Tensor& context, const Tensor& mask = {}) {
  const Tensor &w = attn.qkv.weight.value(), &b = attn.qkv.bias.value();
  const int64_t heads = attn.num_heads, width = heads * attn.head_dim;
  const Tensor q = cut(projected(x, w, b, 0, width), heads), k = cut(projected(context, w, b, width, 2 * width), heads),
               v = cut(projected(context, w, b, 2 * width, 3 * width), heads);
  const double scale = 1 / std::sqrt(static_cast<double>(attn.head_dim));
  const Tensor merged = joined(weighted(probabilities(q, k, mask, scale), v));
  return projected(merged, attn.proj.weight.value(), attn.proj.bias.value(), 0, attn.proj.weight.size(0));
}

}  // namespace by_hand
