#include "models/explain/relevance.h"

#include <cmath>

#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

void check_attention(const char* op, const Tensor& a) {
  check(a.dim() == 4 && a.size(0) >= 1 && a.size(1) >= 1 && a.size(2) == a.size(3) && a.size(2) >= 1, ErrorKind::kShape, op,
        "attention is [L, H, T, T], L, H and T at least 1: it is ", a.shape());
}

// [H, T, T] -> [T, T]
Tensor fused(const Tensor& heads, HeadFusion fusion) {
  switch (fusion) {
    case HeadFusion::kMax: return max(heads, {0});
    case HeadFusion::kMin: return min(heads, {0});
    case HeadFusion::kMean: break;
  }
  return mean(heads, {0});
}

// The smallest `share` of each row set to zero; of equal ones those with the smaller index stay.
Tensor without_smallest(const Tensor& matrix, double share) {
  const int64_t rows = matrix.size(0), columns = matrix.size(1);
  const auto kept = columns - static_cast<int64_t>(std::floor(share * static_cast<double>(columns)));
  const auto [values, index] = topk(matrix, kept);
  return scatter_add(zeros({rows, columns}, matrix.dtype()), 1, index, values);
}

}  // namespace

Tensor rollout(const Tensor& attention, const RolloutOptions& options) {
  check_attention("rollout", attention);
  check(options.discard >= 0 && options.discard < 1, ErrorKind::kValue, "rollout", "discard must be in [0, 1): it is ",
        options.discard, ".");
  const Tensor identity = eye(attention.size(2), Dtype::f64);
  // LAB 9.4 BEGIN  From the first layer to the last: fuse, discard, add the residual, divide the rows, multiply.
  Tensor result = identity;
  for (int64_t layer = 0; layer < attention.size(0); ++layer) {
    Tensor a = fused(to(select(attention, 0, layer), Dtype::f64), options.fusion);
    if (options.discard > 0) a = without_smallest(a, options.discard);
    a = 0.5 * a + 0.5 * identity;
    result = matmul(a / sum(a, {1}, true), result);
  }
  return result;
  // LAB 9.4 END
}

Tensor gradient_rollout(const Tensor& relevance) {
  check(relevance.dim() == 3 && relevance.size(1) == relevance.size(2) && relevance.size(1) >= 1, ErrorKind::kShape,
        "gradient_rollout", "relevance is [L, T, T]: it is ", relevance.shape());
  const Tensor identity = eye(relevance.size(1), Dtype::f64);
  // LAB 9.4 BEGIN  R = R + E R for each layer, beginning with I, which is taken away in the end.
  Tensor result = identity;
  for (int64_t layer = 0; layer < relevance.size(0); ++layer)
    result = result + matmul(to(select(relevance, 0, layer), Dtype::f64), result);
  return result - identity;
  // LAB 9.4 END
}

Tensor last_attention(const Tensor& attention) {
  check_attention("last_attention", attention);
  return mean(to(select(attention, 0, attention.size(0) - 1), Dtype::f64), {0});
}

Tensor patch_map(const Tensor& relation, const Tensor& shares, int64_t prefix, Size2d grid) {
  const int64_t tokens = prefix + grid.h * grid.w;
  check(relation.shape() == Shape{tokens, tokens} && shares.shape() == Shape{tokens}, ErrorKind::kShape, "patch_map",
        "relation and shares must have one row per token: relation is ", relation.shape(), ", shares is ", shares.shape(), ", ",
        prefix, " prefix tokens and ", grid.h, " x ", grid.w, " patches are ", tokens, ".");
  // LAB 9.4 BEGIN  The rows of the relation weighted by their shares; the columns of the patches as a grid.
  const Tensor row = matmul(reshape(to(shares, Dtype::f64), {1, tokens}), to(relation, Dtype::f64));
  return reshape(contiguous(slice(row, 1, prefix, tokens)), {grid.h, grid.w});
  // LAB 9.4 END
}

}  // namespace vitrail::models::explain
