// Differentiable ops that rearrange elements: shapes, views, joining, elements chosen by index.
// The tensor function of the same name (tensor/view.h, tensor/ops/indexing.h, reduce.h) computes the value. Shapes and errors
// are documented there.
#pragma once

#include <vector>

#include "autograd/record.h"
#include "tensor/ops/indexing.h"
#include "tensor/view.h"

namespace vitrail {

// ---- shape (views where the tensor function returns a view) ----
// x repeated along new axes and axes of extent one; the backward pass sums dy over the copies. Error(kShape) if x does not
// broadcast to shape.
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
// y_i = x_{i - shift}, with indices modulo the extent.
Variable roll(const Variable& x, int64_t shift, int axis);
// The elements on and below (above) the k-th diagonal of the last two axes; 0 elsewhere.
Variable tril(const Variable& x, int64_t k = 0);
Variable triu(const Variable& x, int64_t k = 0);
Variable to(const Variable& x, Dtype dtype);  // between f32 and f64; Error(kValue) for integers

// ---- indexing ----
Variable index_select(const Variable& x, int axis, const Tensor& index);
Variable gather(const Variable& x, int axis, const Tensor& index);
// x with src added at the positions given by index.
Variable scatter_add(const Variable& x, int axis, const Tensor& index, const Variable& src);
// The rows of a table that index names.
Variable embedding(const Variable& weight, const Tensor& index);

// ---- chosen by rank or order ----
// topk: the k largest (smallest) elements along an axis, best first. sort: all elements in order. Equal ones stay in index
// order, NaN comes last. The gradient flows to the elements that were chosen; the indices (i64) have none.
struct TopkResult {
  Variable values;
  Tensor indices;
};
TopkResult topk(const Variable& x, int64_t k, int axis = -1, bool largest = true);
TopkResult sort(const Variable& x, int axis = -1, bool descending = false);

}  // namespace vitrail
