// Activation functions, softmax and log-softmax.
#include "autograd/ops.h"
#include "tensor/ops/softmax.h"

namespace vitrail {

// y = max(x, 0), y' = 1 where y > 0, else 0.
// Keeps y, not x: the layer that follows keeps y as its own input anyway, so it costs nothing.
Variable relu(const Variable& x) {
  Tensor y = relu(x.value());
  return record("relu", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) {
    const Tensor zero = scalar(0, dy.dtype());
    d[0] = where(greater(*yv, zero), dy, zero);
  });
}

// y = x > 0 ? x : slope x, y' = 1 or slope
Variable leaky_relu(const Variable& x, double slope) {
  return record("leaky_relu", leaky_relu(x.value(), slope), {x}, [xv = Saved(x), slope](const Tensor& dy, Grads& d) {
    d[0] = where(greater(*xv, scalar(0, dy.dtype())), dy, dy * slope);
  });
}

// y = x > 0 ? x : alpha (e^x - 1), y' = 1 or alpha e^x (Clevert et al., arXiv:1511.07289)
Variable elu(const Variable& x, double alpha) {
  return record("elu", elu(x.value(), alpha), {x}, [xv = Saved(x), alpha](const Tensor& dy, Grads& d) {
    d[0] = where(greater(*xv, scalar(0, dy.dtype())), dy, dy * (exp(*xv) * alpha));
  });
}

// y = 1 / (1 + e^-x), y' = y (1 - y)
Variable sigmoid(const Variable& x) {
  Tensor y = sigmoid(x.value());
  return record("sigmoid", y, {x}, [yv = Saved(y)](const Tensor& dy, Grads& d) { d[0] = dy * (*yv * (1 - *yv)); });
}

// y = log(1 + e^x), y' = sigmoid(x)
Variable softplus(const Variable& x) {
  return record("softplus", softplus(x.value()), {x},
                [xv = Saved(x)](const Tensor& dy, Grads& d) { d[0] = dy * sigmoid(*xv); });
}

// y = x s with s = sigmoid(x), y' = s (1 + x (1 - s))
Variable silu(const Variable& x) {
  return record("silu", silu(x.value()), {x}, [xv = Saved(x)](const Tensor& dy, Grads& d) {
    const Tensor s = sigmoid(*xv);
    d[0] = dy * (s * (1 + *xv * (1 - s)));
  });
}

// y = x Phi(x), y' = Phi(x) + x Phi'(x), in one pass for each kind of Phi
Variable gelu(const Variable& x, Gelu kind) {
  return record("gelu", gelu(x.value(), kind), {x},
                [xv = Saved(x), kind](const Tensor& dy, Grads& d) { d[0] = gelu_backward(dy, *xv, kind); });
}

Variable softmax(const Variable& x, int axis) {
  const Tensor y = softmax(x.value(), axis);
  return record("softmax", y, {x},
                [yv = Saved(y), axis](const Tensor& dy, Grads& d) { d[0] = softmax_backward(dy, *yv, axis); });
}

Variable log_softmax(const Variable& x, int axis) {
  const Tensor y = log_softmax(x.value(), axis);
  return record("log_softmax", y, {x},
                [yv = Saved(y), axis](const Tensor& dy, Grads& d) { d[0] = log_softmax_backward(dy, *yv, axis); });
}

}  // namespace vitrail
