// Every differentiable operation. The tensor function of the same name is the definition of the value; shapes and errors
// are its own (see tensor/ops/). One file per op in autograd/ops/, forward and backward on one screen; one row per op in
// tests/op_cases.h, or the build fails. What has no gradient (argmax, comparisons, sort) takes and returns Tensor.
//
// Binary ops broadcast by broadcast_to, the only op that knows how to reduce a gradient. Mixed float dtypes are an error.
#pragma once

#include <vector>

#include "autograd/record.h"
#include "autograd/variable.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

namespace vitrail {

// ---- shape (all are views where the tensor function is one) ----
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
Variable unfold(const Variable& x, int axis, int64_t size, int64_t step);
Variable concat(const std::vector<Variable>& parts, int axis);
Variable stack(const std::vector<Variable>& parts, int axis);
std::vector<Variable> split(const Variable& x, const std::vector<int64_t>& lengths, int axis);
std::vector<Variable> chunk(const Variable& x, int64_t count, int axis);
Variable pad(const Variable& x, const std::vector<int64_t>& before, const std::vector<int64_t>& after,
             PadMode mode = PadMode::kConstant, double value = 0);
Variable tile(const Variable& x, const std::vector<int64_t>& repeats);
Variable flip(const Variable& x, const std::vector<int>& axes);
Variable roll(const Variable& x, int64_t shift, int axis);
Variable tril(const Variable& x, int64_t k = 0);
Variable triu(const Variable& x, int64_t k = 0);
Variable to(const Variable& x, Dtype dtype);  // between f32 and f64

// ---- two operands, broadcasting ----
Variable add(const Variable& a, const Variable& b);
Variable sub(const Variable& a, const Variable& b);
Variable mul(const Variable& a, const Variable& b);
Variable div(const Variable& a, const Variable& b);
Variable pow(const Variable& a, const Variable& b);      // d/db needs a > 0
Variable maximum(const Variable& a, const Variable& b);  // where equal, half the gradient each
Variable minimum(const Variable& a, const Variable& b);
Variable where(const Tensor& condition, const Variable& a, const Variable& b);

Variable add(const Variable& a, double b);
Variable sub(const Variable& a, double b);
Variable mul(const Variable& a, double b);
Variable div(const Variable& a, double b);
Variable pow(const Variable& a, double b);
Variable rsub(double a, const Variable& b);
Variable rdiv(double a, const Variable& b);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator+(const Variable& a, double b) { return add(a, b); }
inline Variable operator-(const Variable& a, double b) { return sub(a, b); }
inline Variable operator*(const Variable& a, double b) { return mul(a, b); }
inline Variable operator/(const Variable& a, double b) { return div(a, b); }
inline Variable operator+(double a, const Variable& b) { return add(b, a); }
inline Variable operator-(double a, const Variable& b) { return rsub(a, b); }
inline Variable operator*(double a, const Variable& b) { return mul(b, a); }
inline Variable operator/(double a, const Variable& b) { return rdiv(a, b); }

// ---- one operand ----
Variable neg(const Variable& x);
inline Variable operator-(const Variable& x) { return neg(x); }
Variable abs(const Variable& x);  // gradient 0 at 0
Variable square(const Variable& x);
Variable exp(const Variable& x);
Variable log(const Variable& x);
Variable sqrt(const Variable& x);  // gradient inf at 0
Variable rsqrt(const Variable& x);
Variable reciprocal(const Variable& x);
Variable sin(const Variable& x);
Variable cos(const Variable& x);
Variable tanh(const Variable& x);
Variable erf(const Variable& x);
Variable sigmoid(const Variable& x);
Variable softplus(const Variable& x);
Variable relu(const Variable& x);  // gradient 0 at 0
Variable leaky_relu(const Variable& x, double slope = 0.01);
Variable elu(const Variable& x, double alpha = 1);
Variable silu(const Variable& x);
Variable gelu(const Variable& x, Gelu kind = Gelu::kExact);
Variable clamp(const Variable& x, double low, double high);  // gradient 1 on [low, high]

// ---- reductions ----
Variable sum(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable mean(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable prod(const Variable& x, const Axes& axes = {}, bool keepdim = false);  // exact with zeros in x
Variable max(const Variable& x, const Axes& axes = {}, bool keepdim = false);   // equal maxima share the gradient
Variable min(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable var(const Variable& x, const Axes& axes = {}, bool keepdim = false, double correction = 1);
Variable logsumexp(const Variable& x, const Axes& axes = {}, bool keepdim = false);
Variable cumsum(const Variable& x, int axis);
// {values, indices}; the gradient flows to the chosen elements.
struct TopkResult {
  Variable values;
  Tensor indices;
};
TopkResult topk(const Variable& x, int64_t k, int axis = -1, bool largest = true);
TopkResult sort(const Variable& x, int axis = -1, bool descending = false);

// ---- products ----
Variable matmul(const Variable& a, const Variable& b);
// x W^T + b; bias may be undefined. `rounded`: the result is bf16, for one qkv_attention (where rounds_operands()).
Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {}, bool rounded = false);
// residual + x W^T + b and gelu(x W^T + b) (the exact GELU), each one pass over the output: what a Transformer block is made
// of.
Variable linear_add(const Variable& x, const Variable& weight, const Variable& bias, const Variable& residual);
Variable linear_gelu(const Variable& x, const Variable& weight, const Variable& bias);
// residual + gelu(x W1^T + b1) W2^T + b2: the two-layer perceptron of a Transformer block with its residual, as one node.
Variable mlp(const Variable& x, const Variable& weight1, const Variable& bias1, const Variable& weight2, const Variable& bias2,
             const Variable& residual);
// softmax(scale q k^T + mask) v; see tensor/ops/attention.h for shapes. scale <= 0 means 1 / sqrt(K).
// A float mask that requires a gradient (a learned bias) gets one. If `probabilities` is given, it receives P [B, H, N, M].
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Variable& mask = {}, double scale = 0,
                   Tensor* probabilities = nullptr);
// Self-attention on the fused projection: qkv [B, N, 3 H K], laid out (3, H, K) as timm's -> [B, N, H K]. One node: no split
// of q, k, v, and their gradients are written straight into one buffer. Of a bf16 qkv (where attention_takes_rounded()) the
// result is bf16, for a linear layer, and so is the gradient: qkv must have no other use, since bf16 cannot be added up.
Variable qkv_attention(const Variable& qkv, int64_t heads, const Variable& mask = {}, double scale = 0,
                       Tensor* probabilities = nullptr);

// ---- normalisation ----
Variable softmax(const Variable& x, int axis = -1);
Variable log_softmax(const Variable& x, int axis = -1);
// `rounded`: y is bf16, which only linear, linear_add, linear_gelu and mlp take (x must be f32; gradients stay f32).
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps = 1e-6, bool rounded = false);
Variable rms_norm(const Variable& x, const Variable& weight, double eps = 1e-6);
Variable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias, double eps = 1e-5);
// Training: batch statistics; running statistics (where defined) are moved: r = (1 - momentum) r + momentum s, with the
// unbiased variance. Else the running statistics are used.
Variable batch_norm(const Variable& x, const Variable& weight, const Variable& bias, Tensor running_mean, Tensor running_var,
                    bool training, double momentum = 0.1, double eps = 1e-5);

// ---- images ----
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias = {}, const Conv2dOptions& options = {});
Variable max_pool2d(const Variable& x, const Pool2dOptions& options);
Variable avg_pool2d(const Variable& x, const Pool2dOptions& options);
Variable adaptive_avg_pool2d(const Variable& x, int64_t out_h, int64_t out_w);
Variable resize(const Variable& x, int64_t out_h, int64_t out_w, const ResizeOptions& options = {});

// ---- indexing ----
Variable index_select(const Variable& x, int axis, const Tensor& index);
Variable gather(const Variable& x, int axis, const Tensor& index);
Variable scatter_add(const Variable& x, int axis, const Tensor& index, const Variable& src);
Variable embedding(const Variable& weight, const Tensor& index);

// ---- regularisation: identity unless training and p > 0; Error(kValue) unless 0 <= p < 1 ----
// Each element is zeroed with probability p, the others scaled by 1 / (1 - p) (Srivastava et al., JMLR 2014).
Variable dropout(const Variable& x, double p, bool training, const Rng& rng);
// Each sample (index of axis 0) is zeroed with probability p, the others scaled: stochastic depth (Huang et al.,
// arXiv:1603.09382).
Variable drop_path(const Variable& x, double p, bool training, const Rng& rng);

// ---- losses ----
// -log softmax(logits)[target], averaged. logits [B, C] or [B, C, d1, ...]; target i64 [B] or [B, d1, ...], or float of the
// logits' shape (soft targets). All targets ignored: 0. Error(kValue) for a class outside [0, C), naming value and place.
Variable cross_entropy(const Variable& logits, const Tensor& target, const CrossEntropyOptions& options = {});
// -log_probabilities[target], weighted and averaged likewise.
Variable nll_loss(const Variable& log_probabilities, const Tensor& target, const CrossEntropyOptions& options = {});
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
// 0.5 d^2 / beta if |d| < beta else |d| - 0.5 beta (Girshick, arXiv:1504.08083, equation 3).
Variable smooth_l1_loss(const Variable& x, const Variable& target, double beta = 1, Reduction reduction = Reduction::kMean);
// max(x, 0) - x t + log(1 + e^-|x|): binary cross-entropy of sigmoid(x), stable for any x.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
// t (log t - x), x log-probabilities, t probabilities; kMean divides by the batch (axis 0).
Variable kl_div(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);

}  // namespace vitrail
