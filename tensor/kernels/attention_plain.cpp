// Attention, one (image, head) at a time: two products by BLIS around a softmax of rows.
#include <algorithm>

#include "tensor/kernels/attention_detail.h"
#include "tensor/machine/fast_exp.h"
#include "tensor/machine/parallel.h"

namespace vitrail::detail {
namespace {

// BLIS's small-matrix kernels need row-major operands. One transposed copy per head is cheaper than a product with a transposed
// operand.
template <class T>
MatrixView<const T> packed_transpose(MatrixView<const T> x, T* to) {
  for (int64_t i = 0; i < x.rows; ++i) {
    const T* row = x.data + i * x.row_stride;
    for (int64_t j = 0; j < x.cols; ++j) to[j * x.rows + i] = row[j * x.col_stride];
  }
  return {to, x.cols, x.rows, x.rows, 1};
}

// The maximum of n numbers without NaN; -inf if n = 0. Keeps eight maxima, which the compiler can vectorise. It cannot
// vectorise a single maximum, because with NaN the result depends on the order.
template <class T>
T highest(const T* s, int64_t n) {
  constexpr int kLanes = 8;
  T highs[kLanes];
  std::fill(highs, highs + kLanes, -std::numeric_limits<T>::infinity());
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    for (int i = 0; i < kLanes; ++i) highs[i] = s[j + i] > highs[i] ? s[j + i] : highs[i];
  }
  for (; j < n; ++j) highs[0] = s[j] > highs[0] ? s[j] : highs[0];
  T high = highs[0];
  for (const T x : highs) high = x > high ? x : high;
  return high;
}

// Turns one row of scores into probabilities, in place. A row of -inf only gives zeros.
template <class T>
void softmax_row(T* s, int64_t n) {
  const T high = highest(s, n);
  const T shift = high == -std::numeric_limits<T>::infinity() ? T{0} : high;
  for (int64_t j = 0; j < n; ++j) s[j] = fast_exp(s[j] - shift);
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < n; ++j) total += s[j];
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

// Calls item(b, h, memory) for every image and head, each with `scratch` elements of its own memory.
template <class T, class Item>
void for_each_head(const AttentionCall& c, int64_t scratch, Item&& item) {
  const int64_t work = std::max<int64_t>(1, c.queries * c.keys * (c.width + c.value_width));
  parallel_for(c.batch * c.heads, std::max<int64_t>(1, (int64_t{1} << 16) / work), [&](int64_t begin, int64_t end) {
    const Storage memory(scratch * static_cast<int64_t>(sizeof(T)));
    for (int64_t i = begin; i < end; ++i) item(i / c.heads, i % c.heads, static_cast<T*>(memory.data()));
  });
}

}  // namespace

template <class T>
void attention_forward_plain(const AttentionCall& c, AttentionResult& result) {
  T* out = result.output.mutable_data<T>();
  T* kept = result.probabilities.defined() ? result.probabilities.mutable_data<T>() : nullptr;
  const int64_t scores = c.queries * c.keys;
  for_each_head<T>(c, c.keys * c.width + (kept ? 0 : scores), [&](int64_t b, int64_t h, T* scratch) {
    T* p_data = kept ? kept + (b * c.heads + h) * scores : scratch + c.keys * c.width;
    const MatrixView<T> p{p_data, c.queries, c.keys, c.keys, 1};
    gemm_serial<T>(static_cast<T>(c.scale), head<T>(c.q, b, h), packed_transpose(head<T>(c.k, b, h), scratch), 0, p);
    for (int64_t i = 0; i < c.queries; ++i) {
      T* row = p.data + i * c.keys;
      if (c.mask.defined()) apply_mask(row, c.keys, c.mask, b, h, i);
      softmax_row(row, c.keys);
    }
    gemm_serial<T>(1, {p.data, c.queries, c.keys, c.keys, 1}, head<T>(c.v, b, h), 0, head(out, result.output, b, h));
  });
}

template <class T>
void attention_backward_plain(const AttentionCall& c, const Tensor& dy, const AttentionResult& forward, AttentionGradients& d) {
  const T scale = static_cast<T>(c.scale);
  T* dq = d.dq.mutable_data<T>();
  T* dk = d.dk.mutable_data<T>();
  T* dv = d.dv.mutable_data<T>();
  T* dmask = d.dscores.defined() ? d.dscores.mutable_data<T>() : nullptr;
  const int64_t scores = c.queries * c.keys;
  for_each_head<T>(c, scores + c.keys * c.value_width, [&](int64_t b, int64_t h, T* scratch) {
    const MatrixView<const T> p = head<T>(forward.probabilities, b, h), go = head<T>(dy, b, h);
    T* ds_data = dmask ? dmask + (b * c.heads + h) * scores : scratch;
    const MatrixView<T> ds{ds_data, c.queries, c.keys, c.keys, 1};
    gemm_serial<T>(1, p.transposed(), go, 0, head(dv, d.dv, b, h));                           // [M, N] x [N, Kv]
    gemm_serial<T>(1, go, packed_transpose(head<T>(c.v, b, h), scratch + scores), T{0}, ds);  // [N, Kv] x [Kv, M]
    for (int64_t i = 0; i < c.queries; ++i) softmax_row_backward(ds.data + i * c.keys, p.data + i * c.keys, c.keys);
    const MatrixView<const T> dss{ds.data, c.queries, c.keys, c.keys, 1};
    gemm_serial<T>(scale, dss, head<T>(c.k, b, h), 0, head(dq, d.dq, b, h));               // [N, M] x [M, K]
    gemm_serial<T>(scale, dss.transposed(), head<T>(c.q, b, h), 0, head(dk, d.dk, b, h));  // [M, N] x [N, K]
  });
}

template void attention_forward_plain<float>(const AttentionCall&, AttentionResult&);
template void attention_forward_plain<double>(const AttentionCall&, AttentionResult&);
template void attention_backward_plain<float>(const AttentionCall&, const Tensor&, const AttentionResult&, AttentionGradients&);
template void attention_backward_plain<double>(const AttentionCall&, const Tensor&, const AttentionResult&,
                                               AttentionGradients&);

}  // namespace vitrail::detail
