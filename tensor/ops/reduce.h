// Reductions over any axes. An empty list of axes means all of them. With keepdim the reduced axes stay with extent one.
// Sums are accumulated in double over fixed blocks that are combined in order: accurate, and the same for any number of
// threads.
// NaN (PyTorch's rules): a range that holds one has the sum, mean, product, variance, maximum, minimum and logsumexp NaN;
// argmax and argmin name its place. Errors: Error(kShape) for an axis out of range or named twice; Error(kValue) for an empty
// range where no value exists.
#pragma once

#include <climits>
#include <concepts>
#include <initializer_list>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// One axis, or a list: sum(x, 0), sum(x, {0, 2}). Negative axes count from the end.
class Axes : public std::vector<int> {
 public:
  Axes() = default;
  Axes(std::initializer_list<int> axes) : std::vector<int>(axes) {}  // NOLINT
  Axes(std::vector<int> axes) : std::vector<int>(std::move(axes)) {}  // NOLINT
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)  // sum(x, true) is a keepdim in the wrong place
  Axes(Integer axis) : std::vector<int>{std::in_range<int>(axis) ? static_cast<int>(axis) : INT_MAX} {}  // NOLINT
};

Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false);   // of nothing: 0; i64 stays i64, u8 gives i64
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false);  // float only; of nothing: NaN
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdim = false);  // of nothing: 1; integers give i64
// Largest and smallest. Of nothing: Error(kValue), even if the result itself is empty: max of a [0, 0] over axis 1 is refused,
// max of a [0, 2] over axis 1 has shape [0].
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
// sum (x - mean)^2 / (n - correction), two passes in double; NaN or infinite where n <= correction. Error(kValue) unless
// correction is finite.
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdim = false, double correction = 1);
// log sum e^x = m + log sum e^(x - m) with m = max x; a range of -inf only gives -inf.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
// Sum over leading and extent-one axes so that the result has `shape`: the inverse of broadcasting. Error(kShape) if
// `shape` does not broadcast to x.shape().
Tensor sum_to(const Tensor& x, const Shape& shape);

// Index of the largest (smallest) element along one axis, i64; the first of equals, or the last with select_last.
// NaN counts as the largest (smallest).
Tensor argmax(const Tensor& x, int axis = -1, bool keepdim = false, bool select_last = false);
Tensor argmin(const Tensor& x, int axis = -1, bool keepdim = false, bool select_last = false);

// The k largest (or smallest) along an axis, best first, equal ones in index order, NaN last: {values, i64 indices}.
// Error(kValue) unless 0 <= k <= extent.
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true);
// Sorted along an axis, stable, NaN last: {values, i64 indices}.
std::pair<Tensor, Tensor> sort(const Tensor& x, int axis = -1, bool descending = false);
// Running sum along an axis; u8 gives i64, as sum does.
Tensor cumsum(const Tensor& x, int axis);

}  // namespace vitrail
