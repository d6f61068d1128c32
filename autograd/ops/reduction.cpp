// Reductions over axes, and running sums.
#include "autograd/ops.h"
#include "tensor/view.h"

namespace vitrail {

namespace {

// dy of a reduction of `shape` over `axes` (with or without keepdim), with the reduced axes as extents of one.
Tensor keep_axes(const Tensor& dy, const Axes& axes, const Shape& shape) {
  return reshape(dy, reduced_shape(shape, normalize_axes(axes, shape.size(), "reduction"), true));
}

// The same, each value repeated over the elements that it came from: a view.
Tensor spread(const Tensor& dy, const Axes& axes, const Shape& shape) {
  return expand(keep_axes(dy, axes, shape), shape);
}

// How many elements go into one result.
int64_t reduced_count(const Axes& axes, const Shape& shape) {
  Shape reduced;
  for (int axis : normalize_axes(axes, shape.size(), "reduction")) reduced.push_back(shape[axis]);
  return checked_numel(reduced, "reduction");
}

}  // namespace

// Every element counts once: dy is repeated, as a view.
Variable sum(const Variable& x, const Axes& axes, bool keepdim) {
  return record("sum", sum(x.value(), axes, keepdim), {x},
                [axes, from = x.shape()](const Tensor& dy, Grads& d) { d[0] = spread(dy, axes, from); });
}

// Every element counts 1 / n.
Variable mean(const Variable& x, const Axes& axes, bool keepdim) {
  return record("mean", mean(x.value(), axes, keepdim), {x}, [axes, from = x.shape()](const Tensor& dy, Grads& d) {
    d[0] = spread(div(dy, static_cast<double>(reduced_count(axes, from))), axes, from);
  });
}

// dy/dx_i is the product of all others: y / x_i, unless something is 0. With one zero only its own derivative is not 0,
// with two all are 0.
Variable prod(const Variable& x, const Axes& axes, bool keepdim) {
  return record("prod", prod(x.value(), axes, keepdim), {x}, [axes, xv = Saved(x)](const Tensor& dy, Grads& d) {
    const Dtype dtype = dy.dtype();
    const Tensor zero = scalar(0, dtype), one = scalar(1, dtype);
    const Tensor is_zero = equal(*xv, zero);
    const Tensor safe = where(is_zero, one, *xv);  // x without its zeros
    const Tensor others = prod(safe, axes, true);  // product of what is not 0
    const Tensor zeros_in = sum(to(is_zero, dtype), axes, true);
    const Tensor at_zero = where(equal(zeros_in, one), others, zero);
    const Tensor elsewhere = where(equal(zeros_in, zero), others / safe, zero);
    d[0] = keep_axes(dy, axes, xv->shape()) * where(is_zero, at_zero, elsewhere);
  });
}

// Equal maxima share the gradient, so that it does not depend on their order.
Variable max(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = max(x.value(), axes, keepdim);
  return record("max", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor chosen = equal(*xv, keep_axes(*yv, axes, xv->shape()));
    const Tensor share = keep_axes(dy, axes, xv->shape()) / sum(to(chosen, dy.dtype()), axes, true);
    d[0] = where(chosen, share, scalar(0, dy.dtype()));
  });
}

// Equal minima share the gradient, so that it does not depend on their order.
Variable min(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = min(x.value(), axes, keepdim);
  return record("min", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor chosen = equal(*xv, keep_axes(*yv, axes, xv->shape()));
    const Tensor share = keep_axes(dy, axes, xv->shape()) / sum(to(chosen, dy.dtype()), axes, true);
    d[0] = where(chosen, share, scalar(0, dy.dtype()));
  });
}

// y = sum (x - mean)^2 / (n - correction), dy/dx = 2 (x - mean) / (n - correction): the mean's own share cancels.
Variable var(const Variable& x, const Axes& axes, bool keepdim, double correction) {
  return record("var", var(x.value(), axes, keepdim, correction), {x},
                [axes, correction, xv = Saved(x)](const Tensor& dy, Grads& d) {
                  const double divisor = static_cast<double>(reduced_count(axes, xv->shape())) - correction;
                  const Tensor deviation = sub(*xv, mean(*xv, axes, true));
                  d[0] = deviation * mul(keep_axes(dy, axes, xv->shape()), 2 / divisor);
                });
}

// y = log sum e^x, dy/dx = e^(x - y): the softmax. A range of -inf only (y = -inf) gets no gradient.
Variable logsumexp(const Variable& x, const Axes& axes, bool keepdim) {
  Tensor y = logsumexp(x.value(), axes, keepdim);
  return record("logsumexp", y, {x}, [axes, xv = Saved(x), yv = Saved(y)](const Tensor& dy, Grads& d) {
    // -inf - 0 instead of -inf - -inf, which is NaN
    const Tensor shift = where(isfinite(*yv), *yv, scalar(0, dy.dtype()));
    d[0] = exp(*xv - keep_axes(shift, axes, xv->shape())) * keep_axes(dy, axes, xv->shape());
  });
}

// y_i = x_0 + ... + x_i, so x_i is part of y_i and all that follow: a running sum from the end.
Variable cumsum(const Variable& x, int axis) {
  return record("cumsum", cumsum(x.value(), axis), {x},
                [axis](const Tensor& dy, Grads& d) { d[0] = flip(cumsum(flip(dy, {axis}), axis), {axis}); });
}

}  // namespace vitrail
