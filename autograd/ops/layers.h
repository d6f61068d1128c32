// Differentiable ops that layers are made of: activations, products, norms, images, regularisation, losses.
// The tensor function of the same name is the definition of the value; shapes and errors are its own (tensor/ops/).
#pragma once

#include "autograd/record.h"
#include "tensor/ops/conv.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/loss.h"
#include "tensor/ops/pool.h"
#include "tensor/ops/resize.h"
#include "tensor/rng.h"

namespace vitrail {

// ---- activation ----
Variable sigmoid(const Variable& x);
Variable softplus(const Variable& x);
Variable relu(const Variable& x);  // gradient 0 at x <= 0, dy at NaN
Variable leaky_relu(const Variable& x, double slope = 0.01);
Variable elu(const Variable& x, double alpha = 1);
Variable silu(const Variable& x);
Variable gelu(const Variable& x, Gelu kind = Gelu::kExact);
Variable softmax(const Variable& x, int axis = -1);
Variable log_softmax(const Variable& x, int axis = -1);

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
// `rounded`: y is bf16, which only linear, linear_add, linear_gelu and mlp take (x must be f32; gradients stay f32).
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps = 1e-6, bool rounded = false);
Variable rms_norm(const Variable& x, const Variable& weight, double eps = 1e-6);
Variable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias, double eps = 1e-5);
// Training: batch statistics; running statistics (where defined) are moved: r = (1 - momentum) r + momentum s, with the
// unbiased variance. Error(kValue) for one value a channel; an empty batch leaves the running statistics alone, and so does a
// checkpoint's recomputation. Else the running statistics are used.
Variable batch_norm(const Variable& x, const Variable& weight, const Variable& bias, Tensor running_mean, Tensor running_var,
                    bool training, double momentum = 0.1, double eps = 1e-5);

// ---- images ----
Variable conv2d(const Variable& x, const Variable& weight, const Variable& bias = {}, const Conv2dOptions& options = {});
Variable max_pool2d(const Variable& x, const Pool2dOptions& options);
Variable avg_pool2d(const Variable& x, const Pool2dOptions& options);
Variable adaptive_avg_pool2d(const Variable& x, int64_t out_h, int64_t out_w);
Variable resize(const Variable& x, int64_t out_h, int64_t out_w, const ResizeOptions& options = {});

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
// max(x, 0) - x t + log(1 + e^-|x|): binary cross-entropy of sigmoid(x), stable for any x; a term of weight 0 counts as
// nothing also at infinity.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
// t (log t - x), x log-probabilities, t probabilities; 0 at t = 0 for any x, and there no gradient; kMean divides by the batch (axis 0).
Variable kl_div(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);

}  // namespace vitrail
