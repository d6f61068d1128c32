// Normalisation by the statistics of a row, a group of channels or a batch, and regularisation by dropout.
#include <algorithm>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/norm.h"
#include "tensor/view.h"

namespace vitrail {

// y = h weight + bias with h = (x - mean) rstd over the last axis of D elements (Ba et al., arXiv:1607.06450)
// dx = rstd (g - mean(g) - h mean(g h)) with g = dy weight; dweight = sum dy h, dbias = sum dy
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps, bool rounded) {
  const Tensor w = weight.defined() ? weight.value() : Tensor(), b = bias.defined() ? bias.value() : Tensor();
  const LayerNormResult result = layer_norm_forward(x.value(), w, b, eps, rounded);
  return record(
      "layer_norm", result.output, {x, weight, bias},
      [xv = Saved(x), wv = Saved(w), mean = Saved(result.mean), rstd = Saved(result.rstd)](const Tensor& dy, Grads& d) {
        const NormGradients g = layer_norm_backward(dy, *xv, *wv, *mean, *rstd);
        if (d.needs(0)) d[0] = g.dx;
        if (d.needs(1)) d[1] = g.dweight;
        if (d.needs(2)) d[2] = g.dbias;
      });
}

// y = h weight with h = x / sqrt(mean(x^2) + eps) over the last axis (Zhang and Sennrich, arXiv:1910.07467)
// dx = rrms (g - h mean(g h)) with g = dy weight; dweight = sum dy h
Variable rms_norm(const Variable& x, const Variable& weight, double eps) {
  const Tensor w = weight.defined() ? weight.value() : Tensor();
  const RmsNormResult result = rms_norm_forward(x.value(), w, eps);
  return record("rms_norm", result.output, {x, weight},
                [xv = Saved(x), wv = Saved(w), rrms = Saved(result.rrms)](const Tensor& dy, Grads& d) {
                  const NormGradients g = rms_norm_backward(dy, *xv, *wv, *rrms);
                  if (d.needs(0)) d[0] = g.dx;
                  if (d.needs(1)) d[1] = g.dweight;
                });
}

// layer_norm with the statistics of one sample and one group of channels (Wu and He, arXiv:1803.08494)
Variable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias, double eps) {
  const Tensor w = weight.defined() ? weight.value() : Tensor(), b = bias.defined() ? bias.value() : Tensor();
  const GroupNormResult result = group_norm_forward(x.value(), groups, w, b, eps);
  return record(
      "group_norm", result.output, {x, weight, bias},
      [xv = Saved(x), wv = Saved(w), mean = Saved(result.mean), rstd = Saved(result.rstd), groups](const Tensor& dy, Grads& d) {
        const NormGradients g = group_norm_backward(dy, *xv, groups, *wv, *mean, *rstd);
        if (d.needs(0)) d[0] = g.dx;
        if (d.needs(1)) d[1] = g.dweight;
        if (d.needs(2)) d[2] = g.dbias;
      });
}

namespace {

// r = (1 - momentum) r + momentum s; does nothing when a checkpoint recomputes the layer
void move_towards(Tensor& running, const Tensor& now, double momentum) {
  if (running.defined() && !recomputing()) copy_(running, add(mul(to(running, Dtype::f64), 1 - momentum), mul(now, momentum)));
}

// Evaluation: y = (x - running mean) / sqrt(running var + eps) weight + bias, of elementwise ops
Variable with_running_statistics(const Variable& x, const Variable& weight, const Variable& bias, const Tensor& mean_value,
                                 const Tensor& var_value, double eps) {
  Shape channel = x.shape();
  for (int i = 0; i < x.dim(); ++i) channel[i] = i == 1 ? x.size(1) : 1;
  const Tensor rstd = to(rsqrt(add(to(var_value, Dtype::f64), eps)), x.dtype());
  Variable y = (x - reshape(to(mean_value, x.dtype()), channel)) * reshape(rstd, channel);
  if (weight.defined()) y = y * reshape(weight, channel);
  if (bias.defined()) y = y + reshape(bias, channel);
  return y;
}

}  // namespace

// Training: layer_norm with the statistics of one channel over the batch (Ioffe and Szegedy, arXiv:1502.03167)
Variable batch_norm(const Variable& x, const Variable& weight, const Variable& bias, Tensor running_mean, Tensor running_var,
                    bool training, double momentum, double eps) {
  check(x.dim() >= 2, ErrorKind::kShape, "batch_norm", "x is [B, C, ...]: x is ", x.shape());
  if (!training) {
    check(running_mean.defined() && running_var.defined(), ErrorKind::kValue, "batch_norm",
          "evaluation needs running statistics");
    return with_running_statistics(x, weight, bias, running_mean, running_var, eps);
  }
  const Tensor w = weight.defined() ? weight.value() : Tensor(), b = bias.defined() ? bias.value() : Tensor();
  const BatchNormResult result = batch_norm_forward(x.value(), w, b, eps);
  if (x.numel() > 0) {  // an empty batch has no statistics
    const double n = static_cast<double>(x.numel() / x.size(1));
    move_towards(running_mean, result.mean, momentum);
    move_towards(running_var, mul(result.var, n / (n - 1)), momentum);  // the unbiased variance; n = 1 has been refused
  }
  return record(
      "batch_norm", result.output, {x, weight, bias},
      [xv = Saved(x), wv = Saved(w), mean = Saved(result.mean), var = Saved(result.var), eps](const Tensor& dy, Grads& d) {
        const NormGradients g = batch_norm_backward(dy, *xv, *wv, *mean, *var, eps);
        if (d.needs(0)) d[0] = g.dx;
        if (d.needs(1)) d[1] = g.dweight;
        if (d.needs(2)) d[2] = g.dbias;
      });
}

// y = x m / (1 - p), m = 1 with probability 1 - p, else 0, drawn for each element; dx = dy m / (1 - p)
Variable dropout(const Variable& x, double p, bool training, const Rng& rng) {
  check_drop_probability("dropout", p);
  // LAB 4.6 BEGIN  x itself outside of training; else an op whose rule uses the very mask of the forward pass.
  if (!training || p == 0) return x;
  const DropoutResult result = dropout_forward(x.value(), p, rng);
  return record("dropout", result.output, {x},
                [mask = Saved(result.mask), p](const Tensor& dy, Grads& d) { d[0] = dropout_backward(dy, *mask, p); });
  // LAB 4.6 END
}

// The same with one m for each sample (index of axis 0)
Variable drop_path(const Variable& x, double p, bool training, const Rng& rng) {
  check_drop_probability("drop_path", p);
  if (!training || p == 0) return x;
  const Tensor factors = drop_path_factors(x.value(), p, rng);  // [B, 1, ...]
  return record("drop_path", mul(x.value(), factors), {x},
                [f = Saved(factors)](const Tensor& dy, Grads& d) { d[0] = mul(dy, *f); });
}

}  // namespace vitrail
