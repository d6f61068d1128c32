// Differentiable ops that move elements: shapes, views, parts put together, elements chosen by index.
// The tensor function of the same name is the definition of the value; shapes and errors are its own (tensor/ops/).
#pragma once

#include <vector>

#include "autograd/record.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {

// ---- shape (all are views where the tensor function is one) ----
// The only op that knows how to reduce a gradient: its rule sums over the copies.
Variable broadcast_to(const Variable& x, const Shape& shape);
Variable reshape(const Variable& x, const Shape& shape);
Variable flatten(const Variable& x, int start = 0, int end = -1);
Variable transpose(const Variable& x, int a = -2, int b = -1);
Variable permute(const Variable& x, const std::vector<int>& axes);
Variable slice(const Variable& x, int axis, int64_t start, int64_t end, int64_t step = 1);
Variable select(const Variable& x, int axis, int64_t index);
Variable expand(const Variable& x, const Shape& shape);
Variable unsqueeze(const Variable& x, int axis);
Variable squeeze(const Variable& x, int axis);
Variable contiguous(const Variable& x);
// Windows of one axis: [..., L, ...] -> [..., W, ..., size] with W = (L - size) / step + 1.
Variable unfold(const Variable& x, int axis, int64_t size, int64_t step);
Variable concat(const std::vector<Variable>& parts, int axis);
Variable stack(const std::vector<Variable>& parts, int axis);
std::vector<Variable> split(const Variable& x, const std::vector<int64_t>& lengths, int axis);
std::vector<Variable> chunk(const Variable& x, int64_t count, int axis);
// `before` and `after`: elements to add at both ends of each axis; negative counts cut off.
Variable pad(const Variable& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after,
             PadMode mode = PadMode::kConstant, double value = 0);
Variable tile(const Variable& x, const std::vector<int64_t>& repeats);
Variable flip(const Variable& x, const std::vector<int>& axes);
// y_i = x_{i - shift}, around the end of the axis.
Variable roll(const Variable& x, int64_t shift, int axis);
// What lies on and below (above) the k-th diagonal of the last two axes; 0 elsewhere.
Variable tril(const Variable& x, int64_t k = 0);
Variable triu(const Variable& x, int64_t k = 0);
Variable to(const Variable& x, Dtype dtype);  // between f32 and f64

// ---- indexing ----
Variable index_select(const Variable& x, int axis, const Tensor& index);
Variable gather(const Variable& x, int axis, const Tensor& index);
// x with src added at the places of index.
Variable scatter_add(const Variable& x, int axis, const Tensor& index, const Variable& src);
// The rows of a table that index names.
Variable embedding(const Variable& weight, const Tensor& index);

// ---- chosen by rank or order ----
// The k largest (smallest) along an axis, best first, and all of them in order; equal ones in index order, NaN last. The
// gradient flows to the elements that were chosen; the indices (i64) have none.
struct TopkResult {
  Variable values;
  Tensor indices;
};
TopkResult topk(const Variable& x, int64_t k, int axis = -1, bool largest = true);
TopkResult sort(const Variable& x, int axis = -1, bool descending = false);

}  // namespace vitrail
