#include "tensor/ops/attention.h"

#include <algorithm>
#include <cmath>

#include "tensor/kernels/attention_detail.h"
#include "tensor/plain.h"
#include "tensor/reference/attention.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

using detail::AttentionCall;

// P is kept for the backward pass if it takes at most this many bytes in one call.
constexpr int64_t kKeptBytes = int64_t{4} << 20;

// The dtype of everything but the operands of products: f32 if q, k and v are stored in bf16.
Dtype number_dtype(Dtype dtype) { return dtype == Dtype::bf16 ? Dtype::f32 : dtype; }

bool tiled(Dtype dtype) { return detail::has_tiled_attention() && number_dtype(dtype) == Dtype::f32; }

// Rows that are not contiguous (a transposed q, an expanded dy) are rare, so they are copied and the kernels need not support
// them.
Tensor with_dense_rows(const Tensor& x) { return x.stride(3) == 1 ? x : contiguous(x); }

Tensor checked_mask(const Tensor& mask, Dtype dtype, const Shape& scores) {
  if (!mask.defined()) return mask;
  check(mask.dtype() == Dtype::u8 || mask.dtype() == dtype, ErrorKind::kValue, "attention",
        "mask is u8 or of q's dtype: mask is ", name_of(mask.dtype()), ", q is ", name_of(dtype));
  check(broadcast_shapes(mask.shape(), scores, "attention") == scores, ErrorKind::kShape, "attention",
        "mask must broadcast to [B, H, N, M]: mask is ", mask.shape(), ", scores are ", scores);
  return expand(mask, scores);
}

bool is_empty(const Tensor& x) { return !x.defined() || x.numel() == 0; }

// The kernels read and write bf16 tensors by contiguous rows.
bool has_dense_rows(const Tensor& x) { return x.stride(3) == 1 || x.numel() == 0; }

void check_rounded(const Tensor& q, const Tensor& k, const Tensor& v, Precision precision) {
  check(attention_takes_rounded(precision), ErrorKind::kValue, "attention",
        "rounded q, k, v need the tiled form with bf16 products: precision is ", precision_name(precision),
        ". Hint: convert with to(x, Dtype::f32).");
  check(has_dense_rows(q) && has_dense_rows(k) && has_dense_rows(v), ErrorKind::kValue, "attention",
        "rows of rounded q, k, v must have no gaps: strides of the last axis are ", q.stride(3), ", ", k.stride(3), ", ",
        v.stride(3));
}

AttentionCall checked_call(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale,
                           Precision precision) {
  const bool fit = q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && q.size(0) == k.size(0) && q.size(1) == k.size(1) &&
                   q.size(3) == k.size(3) && v.size(0) == k.size(0) && v.size(1) == k.size(1) && v.size(2) == k.size(2);
  check(fit, ErrorKind::kShape, "attention", "q is [B, H, N, K], k is [B, H, M, K], v is [B, H, M, Kv]: q is ", q.shape(),
        ", k is ", k.shape(), ", v is ", v.shape());
  check(q.dtype() == k.dtype() && q.dtype() == v.dtype(), ErrorKind::kValue, "attention", "dtypes differ: q is ",
        name_of(q.dtype()), ", k is ", name_of(k.dtype()), ", v is ", name_of(v.dtype()));
  if (q.dtype() == Dtype::bf16) check_rounded(q, k, v, precision);
  if (scale <= 0) scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(q.size(3), 1)));
  return {q.size(0),
          q.size(1),
          q.size(2),
          k.size(2),
          q.size(3),
          v.size(3),
          with_dense_rows(q),
          with_dense_rows(k),
          with_dense_rows(v),
          checked_mask(mask, number_dtype(q.dtype()), {q.size(0), q.size(1), q.size(2), k.size(2)}),
          scale,
          precision};
}

reference::AttentionInput plain_input(const AttentionCall& c) {
  return {c.q, c.k, c.v, c.mask, c.scale, c.precision == Precision::kBf16};
}

}  // namespace

bool attention_takes_rounded(Precision precision) { return precision == Precision::kBf16 && detail::has_tiled_attention(); }

AttentionKeep attention_keep_for_backward(int64_t scores, Dtype dtype) {
  return tiled(dtype) && scores > kKeptBytes / size_of(number_dtype(dtype)) ? AttentionKeep::kStatistics
                                                                            : AttentionKeep::kProbabilities;
}

AttentionResult attention_forward(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale,
                                  AttentionKeep keep, Precision precision) {
  const AttentionCall c = checked_call(q, k, v, mask, scale, precision);
  const Dtype dtype = q.dtype();
  const bool plain = runs_plain(PlainOp::kAttention);
  if (keep == AttentionKeep::kStatistics && (plain || !tiled(dtype))) keep = AttentionKeep::kProbabilities;
  AttentionResult result;
  result.output = transpose(empty({c.batch, c.queries, c.heads, c.value_width}, dtype, "attention"), 1, 2);
  if (keep == AttentionKeep::kProbabilities) {
    result.probabilities = empty({c.batch, c.heads, c.queries, c.keys}, number_dtype(dtype), "attention");
  } else if (keep == AttentionKeep::kStatistics) {
    result.statistics = empty({c.batch, c.heads, c.queries, 2}, Dtype::f32, "attention");
  }
  // With heads of width 0, their number may be too large for a loop.
  if (is_empty(result.output) && is_empty(result.probabilities) && is_empty(result.statistics)) return result;
  if (plain) {
    reference::attention(plain_input(c), result.output, result.probabilities);
  } else if (tiled(dtype)) {
    detail::attention_forward_tiled(c, result);
  } else {
    dispatch_float("attention", dtype, [&](auto zero) { detail::attention_forward_plain<decltype(zero)>(c, result); });
  }
  return result;
}

void attention_backward_into(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                             const AttentionResult& forward, double scale, AttentionGradients& gradients, Precision precision) {
  const AttentionCall c = checked_call(q, k, v, mask, scale, precision);
  check(forward.probabilities.defined() || forward.statistics.defined(), ErrorKind::kValue, "attention",
        "the forward pass kept nothing for the gradients. Hint: pass attention_keep_for_backward() to attention_forward().");
  const Tensor *dq = &gradients.dq, *dk = &gradients.dk, *dv = &gradients.dv;
  check(
      dq->dtype() == q.dtype() && dk->dtype() == q.dtype() && dv->dtype() == q.dtype() && dy.dtype() == number_dtype(q.dtype()),
      ErrorKind::kValue, "attention", "gradients are of q's dtype, dy too, or f32 where q is rounded: q is ",
      name_of(q.dtype()), ", dy is ", name_of(dy.dtype()), ", dq is ", name_of(dq->dtype()));
  if (q.dtype() == Dtype::bf16) check_rounded(*dq, *dk, *dv, precision);
  if (is_empty(*dq) && is_empty(*dk) && is_empty(*dv) && is_empty(gradients.dscores)) return;
  if (runs_plain(PlainOp::kAttention)) {
    reference::attention_backward(plain_input(c), dy, *dq, *dk, *dv, gradients.dscores);
  } else if (tiled(q.dtype())) {
    detail::attention_backward_tiled(c, with_dense_rows(dy), forward, gradients);
  } else {
    dispatch_float("attention", q.dtype(),
                   [&](auto zero) { detail::attention_backward_plain<decltype(zero)>(c, dy, forward, gradients); });
  }
}

AttentionGradients attention_backward(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                                      const AttentionResult& forward, double scale, bool with_scores, Precision precision) {
  AttentionGradients d{empty_like(q), empty_like(k), empty_like(v), {}};
  if (with_scores) d.dscores = empty({q.size(0), q.size(1), q.size(2), k.size(2)}, number_dtype(q.dtype()), "attention");
  attention_backward_into(dy, q, k, v, mask, forward, scale, d, precision);
  return d;
}

}  // namespace vitrail
