// Attention, one (image, head) at a time: S = scale Q K^T stays in the cache while it becomes P and multiplies V.
// P is kept for the backward pass: N * M numbers a head, for which the backward pass saves the product Q K^T and the exp.
#include "tensor/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/blas.h"
#include "tensor/fast_exp.h"
#include "tensor/parallel.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

struct Sizes {
  int64_t batch, heads, queries, keys, width, value_width;
};

Sizes check_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  const bool fit = q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && q.size(0) == k.size(0) && q.size(1) == k.size(1) &&
                   q.size(3) == k.size(3) && v.size(0) == k.size(0) && v.size(1) == k.size(1) && v.size(2) == k.size(2);
  check(fit, ErrorKind::kShape, "attention", "q is [B, H, N, K], k is [B, H, M, K], v is [B, H, M, Kv]: q is ", q.shape(),
        ", k is ", k.shape(), ", v is ", v.shape());
  check(q.dtype() == k.dtype() && q.dtype() == v.dtype(), ErrorKind::kValue, "attention", "dtypes differ: q is ",
        name_of(q.dtype()), ", k is ", name_of(k.dtype()), ", v is ", name_of(v.dtype()));
  return {q.size(0), q.size(1), q.size(2), k.size(2), q.size(3), v.size(3)};
}

double scale_or_default(double scale, int64_t width) {
  return scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(std::max<int64_t>(width, 1)));
}

// The matrix of one image and head.
template <class T>
MatrixView<const T> head(const Tensor& x, int64_t b, int64_t h) {
  return {x.data<T>() + b * x.stride(0) + h * x.stride(1), x.size(2), x.size(3), x.stride(2), x.stride(3)};
}

template <class T>
MatrixView<T> head(T* data, const Tensor& x, int64_t b, int64_t h) {
  return {data + b * x.stride(0) + h * x.stride(1), x.size(2), x.size(3), x.stride(2), x.stride(3)};
}

// BLIS's small-matrix kernels want both operands by rows: one transposed copy per head is cheaper than a transposed product.
template <class T>
MatrixView<const T> packed_transpose(MatrixView<const T> x, T* to) {
  for (int64_t i = 0; i < x.rows; ++i) {
    const T* row = x.data + i * x.row_stride;
    for (int64_t j = 0; j < x.cols; ++j) to[j * x.rows + i] = row[j * x.col_stride];
  }
  return {to, x.cols, x.rows, x.rows, 1};
}

// s + mask, where a u8 mask forbids where it is 0.
template <class T>
void apply_mask(T* s, int64_t n, const Tensor& mask, int64_t offset) {
  const int64_t step = mask.stride(3);
  if (mask.dtype() == Dtype::u8) {
    const uint8_t* allowed = mask.data<uint8_t>() + offset;
    for (int64_t j = 0; j < n; ++j) s[j] = allowed[j * step] ? s[j] : -std::numeric_limits<T>::infinity();
  } else {
    const T* bias = mask.data<T>() + offset;
    for (int64_t j = 0; j < n; ++j) s[j] += bias[j * step];
  }
}

// One row of scores becomes probabilities. -inf everywhere gives zeros.
template <class T>
void softmax_row(T* s, int64_t n) {
  T high = -std::numeric_limits<T>::infinity();
#pragma omp simd reduction(max : high)
  for (int64_t j = 0; j < n; ++j) high = s[j] > high ? s[j] : high;
  const T shift = high == -std::numeric_limits<T>::infinity() ? T{0} : high;
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < n; ++j) {
    s[j] = fast_exp(s[j] - shift);
    total += s[j];
  }
  const T factor = total == T{0} ? T{0} : 1 / total;
  for (int64_t j = 0; j < n; ++j) s[j] *= factor;
}

// dS = P (dP - rowsum(dP P)), in place of dP. The row sum equals rowsum(dO O).
template <class T>
void softmax_row_backward(T* dp, const T* p, int64_t n) {
  T dot = 0;
#pragma omp simd reduction(+ : dot)
  for (int64_t j = 0; j < n; ++j) dot += dp[j] * p[j];
  for (int64_t j = 0; j < n; ++j) dp[j] = p[j] * (dp[j] - dot);
}

// Calls item(b, h, scratch) for every image and head, with `scratch` elements of memory of its own.
template <class T, class Item>
void for_each_head(const Sizes& s, int64_t scratch, Item&& item) {
  const int64_t work = std::max<int64_t>(1, s.queries * s.keys * (s.width + s.value_width));
  parallel_for(s.batch * s.heads, std::max<int64_t>(1, (int64_t{1} << 16) / work), [&](int64_t begin, int64_t end) {
    const Storage memory(scratch * static_cast<int64_t>(sizeof(T)));
    for (int64_t i = begin; i < end; ++i) item(i / s.heads, i % s.heads, static_cast<T*>(memory.data()));
  });
}

template <class T>
void forward(const Sizes& s, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, T scale, Tensor& output,
             Tensor& probabilities) {
  T* out = output.mutable_data<T>();
  T* probs = probabilities.mutable_data<T>();
  for_each_head<T>(s, s.keys * s.width, [&](int64_t b, int64_t h, T* scratch) {
    const MatrixView<T> p = head(probs, probabilities, b, h);
    gemm_serial<T>(scale, head<T>(q, b, h), packed_transpose(head<T>(k, b, h), scratch), 0, p);  // [N, K] x [K, M]
    for (int64_t i = 0; i < s.queries; ++i) {
      T* row = p.data + i * s.keys;
      if (mask.defined()) apply_mask(row, s.keys, mask, b * mask.stride(0) + h * mask.stride(1) + i * mask.stride(2));
      softmax_row(row, s.keys);
    }
    gemm_serial<T>(1, {p.data, s.queries, s.keys, s.keys, 1}, head<T>(v, b, h), 0,
                   head(out, output, b, h));  // [N, M] x [M, Kv]
  });
}

template <class T>
void backward(const Sizes& s, const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& probabilities,
              T scale, AttentionGradients& d) {
  T* dq = d.dq.mutable_data<T>();
  T* dk = d.dk.mutable_data<T>();
  T* dv = d.dv.mutable_data<T>();
  T* dmask = d.dscores.defined() ? d.dscores.mutable_data<T>() : nullptr;
  for_each_head<T>(s, s.queries * s.keys + s.keys * s.value_width, [&](int64_t b, int64_t h, T* scratch) {
    const MatrixView<const T> p = head<T>(probabilities, b, h), go = head<T>(dy, b, h);
    T* ds_data = dmask ? dmask + (b * s.heads + h) * s.queries * s.keys : scratch;
    const MatrixView<T> ds{ds_data, s.queries, s.keys, s.keys, 1};
    gemm_serial<T>(1, p.transposed(), go, 0, head(dv, d.dv, b, h));                                  // [M, N] x [N, Kv]
    gemm_serial<T>(1, go, packed_transpose(head<T>(v, b, h), scratch + s.queries * s.keys), 0, ds);  // [N, Kv] x [Kv, M]
    for (int64_t i = 0; i < s.queries; ++i) softmax_row_backward(ds.data + i * s.keys, p.data + i * s.keys, s.keys);
    const MatrixView<const T> dss{ds.data, s.queries, s.keys, s.keys, 1};
    gemm_serial<T>(scale, dss, head<T>(k, b, h), 0, head(dq, d.dq, b, h));               // [N, M] x [M, K]
    gemm_serial<T>(scale, dss.transposed(), head<T>(q, b, h), 0, head(dk, d.dk, b, h));  // [M, N] x [N, K]
  });
}

}  // namespace

AttentionResult attention_forward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale) {
  const Sizes s = check_attention(q, k, v);
  Tensor m = mask;
  if (m.defined()) {
    check(m.dtype() == Dtype::u8 || m.dtype() == q.dtype(), ErrorKind::kValue, "attention",
          "mask is u8 or of q's dtype: mask is ", name_of(m.dtype()), ", q is ", name_of(q.dtype()));
    const Shape scores{s.batch, s.heads, s.queries, s.keys};
    check(broadcast_shapes(m.shape(), scores, "attention") == scores, ErrorKind::kShape, "attention",
          "mask must broadcast to [B, H, N, M]: mask is ", m.shape(), ", scores are ", scores);
    m = expand(m, scores);
  }
  AttentionResult result;
  result.output = transpose(empty({s.batch, s.queries, s.heads, s.value_width}, q.dtype(), "attention"), 1, 2);
  result.probabilities = empty({s.batch, s.heads, s.queries, s.keys}, q.dtype(), "attention");
  dispatch_float("attention", q.dtype(), [&](auto zero) {
    using T = decltype(zero);
    forward<T>(s, q, k, v, m, static_cast<T>(scale_or_default(scale, s.width)), result.output, result.probabilities);
  });
  return result;
}

void attention_backward_into(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& probabilities,
                             double scale, AttentionGradients& gradients) {
  const Sizes s = check_attention(q, k, v);
  dispatch_float("attention", q.dtype(), [&](auto zero) {
    using T = decltype(zero);
    backward<T>(s, dy, q, k, v, probabilities, static_cast<T>(scale_or_default(scale, s.width)), gradients);
  });
}

AttentionGradients attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v,
                                      const Tensor& probabilities, double scale, bool with_scores) {
  AttentionGradients d{empty_like(q), empty_like(k), empty_like(v), with_scores ? empty_like(probabilities) : Tensor()};
  attention_backward_into(dy, q, k, v, probabilities, scale, d);
  return d;
}

}  // namespace vitrail
