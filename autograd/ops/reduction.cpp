// Reductions over axes, and running sums.
#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/ops/math.h"
#include "autograd/rule.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

// dy of a reduction of `shape` over `axes` (with or without keepdim), with the reduced axes as extents of one.
Tensor keep_axes(const Tensor& dy, const Axes& axes, const Shape& shape) {
  return reshape(dy, reduced_shape(shape, normalize_axes(axes, shape.size(), "reduction"), true));
}

// The same, expanded over the elements that each value came from: a view.
Tensor spread(const Tensor& dy, const Axes& axes, const Shape& shape) { return expand(keep_axes(dy, axes, shape), shape); }

// How many elements go into one result.
int64_t reduced_count(const Axes& axes, const Shape& shape) {
  Shape reduced;
  for (int axis : normalize_axes(axes, shape.size(), "reduction")) reduced.push_back(shape[axis]);
  return checked_numel(reduced, "reduction");
}

// The order of axes that puts the reduced ones last: after permute(x, order), each reduced range is one row.
std::vector<int> reduced_last(const Axes& axes, int rank) {
  std::vector<int> order;
  const std::vector<int> reduced = normalize_axes(axes, rank, "reduction");
  for (int axis = 0; axis < rank; ++axis) {
    if (std::find(reduced.begin(), reduced.end(), axis) == reduced.end()) order.push_back(axis);
  }
  order.insert(order.end(), reduced.begin(), reduced.end());
  return order;
}

}  // namespace

// y = sum x; dx = dy, repeated as a view
Variable sum(const Variable& x, const Axes& axes, bool keepdim) {
  // LAB 3.6 BEGIN  The sum over `axes`; spread() above is given. Nothing of x but its shape is needed.
  return record("sum", sum(x.value(), axes, keepdim), {x},
                [axes, from = x.shape()](const Tensor& dy, Grads& d) { d[0] = spread(dy, axes, from); });
  // LAB 3.6 END
}

// y = sum x / n; dx = dy / n
Variable mean(const Variable& x, const Axes& axes, bool keepdim) {
  return record("mean", mean(x.value(), axes, keepdim), {x}, [axes, from = x.shape()](const Tensor& dy, Grads& d) {
    d[0] = spread(div(dy, static_cast<double>(reduced_count(axes, from))), axes, from);
  });
}

namespace {

// m 2^e with 0.5 <= |m| < 1 (or m = 0, infinity, NaN): so a product of any number of factors neither overflows nor underflows.
struct Scaled {
  double m = 1;
  int64_t e = 0;
  void multiply(double factor) {
    int of_factor = 0, of_product = 0;
    m = std::frexp(m * std::frexp(factor, &of_factor), &of_product);
    e += of_factor + of_product;
  }
  double times(const Scaled& other) const {
    return std::ldexp(m * other.m, static_cast<int>(std::clamp<int64_t>(e + other.e, -5000, 5000)));
  }
};

// out_i = the product of all x_j with j != i: the product of the elements before i times the product of those after it.
void products_of_others(const double* x, int64_t n, double* out) {
  std::vector<Scaled> behind(static_cast<size_t>(n) + 1);
  for (int64_t i = n - 1; i >= 0; --i) {
    behind[i] = behind[i + 1];
    behind[i].multiply(x[i]);
  }
  Scaled before;
  for (int64_t i = 0; i < n; ++i) {
    out[i] = before.times(behind[i + 1]);
    before.multiply(x[i]);
  }
}

}  // namespace

// y = prod x; dx_i = dy prod_{j != i} x_j. Not y / x_i, since y may be 0 or overflow where the gradient does not.
Variable prod(const Variable& x, const Axes& axes, bool keepdim) {
  return record("prod", prod(x.value(), axes, keepdim), {x}, [axes, xv = Saved(x)](const Tensor& dy, Grads& d) {
    const std::vector<int> order = reduced_last(axes, xv->dim());
    const Tensor rows = contiguous(permute(to(*xv, Dtype::f64), order));
    Tensor others = empty_like(rows);
    const int64_t n = reduced_count(axes, xv->shape()), count = n > 0 ? rows.numel() / n : 0;
    const double* from = rows.data<double>();
    double* to_rows = others.mutable_data<double>();
    parallel_for(count, std::max<int64_t>(1, kElementwiseGrain / 8 / std::max<int64_t>(1, n)), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) products_of_others(from + row * n, n, to_rows + row * n);
    });
    std::vector<int> inverse(order.size());
    for (size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<int>(i);
    d[0] = to(to(keep_axes(dy, axes, xv->shape()), Dtype::f64) * permute(others, inverse), dy.dtype());
  });
}

namespace {

// The rule of max and min: the elements that equal y share dy equally, so the gradient does not depend on their order. If x
// holds NaN, y is NaN, and the NaN elements share dy.
Tensor share_among_chosen(const Tensor& dy, const Tensor& x, const Tensor& y, const Axes& axes) {
  // LAB 3.6 BEGIN  dx of y = max x or min x: elements equal to y share its dy equally; where y is NaN, the NaNs of x do.
  const Tensor extremum = keep_axes(y, axes, x.shape());
  const Tensor chosen = logical_or(equal(x, extremum), logical_and(isnan(x), isnan(extremum)));
  const Tensor share = keep_axes(dy, axes, x.shape()) / sum(to(chosen, dy.dtype()), axes, true);
  return where(chosen, share, scalar(0, dy.dtype()));
  // LAB 3.6 END
}

}  // namespace

// y = max x; dx = dy / (number of maxima) at each maximum, else 0
Variable max(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = max(x.value(), axes, keepdim);
  return record("max", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    d[0] = share_among_chosen(dy, *xv, *yv, axes);
  });
}

// y = min x; likewise
Variable min(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = min(x.value(), axes, keepdim);
  return record("min", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    d[0] = share_among_chosen(dy, *xv, *yv, axes);
  });
}

// y = sum (x - m)^2 / (n - correction) with m = mean x; dx = 2 dy (x - m) / (n - correction): the derivative of m cancels. In
// double, since in f32 the rounding error of m may exceed x - m where m is large.
Variable var(const Variable& x, const Axes& axes, bool keepdim, double correction) {
  return record("var", var(x.value(), axes, keepdim, correction), {x},
                [axes, correction, xv = Saved(x)](const Tensor& dy, Grads& d) {
                  const double divisor = static_cast<double>(reduced_count(axes, xv->shape())) - correction;
                  const Tensor wide = to(*xv, Dtype::f64), dy_wide = to(keep_axes(dy, axes, xv->shape()), Dtype::f64);
                  d[0] = to((wide - mean(wide, axes, true)) * (dy_wide * (2 / divisor)), dy.dtype());
                });
}

// y = log sum e^x; dx = dy e^x / sum e^x = dy e / sum e with e = e^(x - max x): not e^(x - y), since y is rounded. Elements of
// +inf share dy, and the others in their range get 0; in a range of -inf only, all get 0.
Variable logsumexp(const Variable& x, const Axes& axes, bool keepdim) {
  return record("logsumexp", logsumexp(x.value(), axes, keepdim), {x}, [axes, xv = Saved(x)](const Tensor& dy, Grads& d) {
    if (xv->numel() == 0) return void(d[0] = zeros_like(*xv));
    const Tensor wide = to(*xv, Dtype::f64), largest = max(wide, axes, true), one = scalar(1, Dtype::f64);
    const Tensor nothing = equal(largest, scalar(-INFINITY, Dtype::f64));
    const Tensor e = where(equal(wide, largest), one, exp(wide - largest));  // inf - inf would be NaN
    const Tensor p = where(nothing, scalar(0, Dtype::f64), e / sum(e, axes, true));
    d[0] = to(to(keep_axes(dy, axes, xv->shape()), Dtype::f64) * p, dy.dtype());
  });
}

// y_i = x_0 + ... + x_i; dx_i = dy_i + dy_{i+1} + ...: a running sum from the end
Variable cumsum(const Variable& x, int axis) {
  return record("cumsum", cumsum(x.value(), axis), {x},
                [axis](const Tensor& dy, Grads& d) { d[0] = flip(cumsum(flip(dy, {axis}), axis), {axis}); });
}

}  // namespace vitrail
