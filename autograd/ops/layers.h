// Differentiable ops for layers: activations, products, norms, images, regularisation, losses.
// The tensor function of the same name (tensor/ops/) computes the value. Formula, shapes and errors are documented there.
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
// [..., M, K] x [..., K, N] -> [..., M, N].
Variable matmul(const Variable& a, const Variable& b);
// x W^T + b: x [..., K], weight [N, K], bias [N] or undefined -> [..., N].
Variable linear(const Variable& x, const Variable& weight, const Variable& bias = {});
// softmax(scale q k^T + mask) v; see tensor/ops/attention.h for shapes. scale <= 0 means 1 / sqrt(K).
// A float mask that requires a gradient (a learned bias) gets one. If `probabilities` is given, it receives P [B, H, N, M].
Variable attention(const Variable& q, const Variable& k, const Variable& v, const Variable& mask = {}, double scale = 0,
                   Tensor* probabilities = nullptr);
// Self-attention on the fused projection: qkv [B, N, 3 H K], with the last axis laid out (3, H, K) as in timm -> [B, N, H K].
// One node: q, k and v are not split, and their gradients are written directly into one buffer. If qkv is bf16 (which needs
// attention_takes_rounded()), the result is bf16, for a linear layer, and so is the gradient. Such a qkv must have no other
// use, since bf16 gradients cannot be added. Error(kShape) unless 3 heads divides the last axis.
Variable qkv_attention(const Variable& qkv, int64_t heads, const Variable& mask = {}, double scale = 0,
                       Tensor* probabilities = nullptr);

// ---- normalisation ----
// `rounded`: y is stored in bf16 and must be read by products with weights only (x must be f32; gradients stay f32).
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias, double eps = 1e-6, bool rounded = false);
Variable rms_norm(const Variable& x, const Variable& weight, double eps = 1e-6);
Variable group_norm(const Variable& x, int64_t groups, const Variable& weight, const Variable& bias, double eps = 1e-5);
// x [B, C, ...].
// In training it normalises with the statistics of the batch and updates the running statistics, if defined, with the unbiased
// variance: r = (1 - momentum) r + momentum s. Error(kValue) if a channel has only one value; an empty batch does not change
// the running statistics, nor does the recomputation of a checkpoint. In evaluation it normalises with the running statistics;
// Error(kValue) if they are undefined.
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
// logits' shape (soft targets). If all targets are ignored, the loss is 0. Error(kValue) for a class outside [0, C), naming
// value and position.
Variable cross_entropy(const Variable& logits, const Tensor& target, const CrossEntropyOptions& options = {});
// -log_probabilities[target], weighted and averaged likewise.
Variable nll_loss(const Variable& log_probabilities, const Tensor& target, const CrossEntropyOptions& options = {});
// The losses below compare x with a target of the same shape, else Error(kShape); kMean divides by the number of elements.
// (x - t)^2
Variable mse_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
// |x - t|
Variable l1_loss(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
// With d = x - t: 0.5 d^2 / beta if |d| < beta, else |d| - 0.5 beta (Girshick, arXiv:1504.08083, equation 3). Error(kValue) if
// beta < 0.
Variable smooth_l1_loss(const Variable& x, const Variable& target, double beta = 1, Reduction reduction = Reduction::kMean);
// max(x, 0) - x t + log(1 + e^-|x|): binary cross-entropy of sigmoid(x), stable for any x; a term with weight 0 (t or 1 - t)
// adds nothing, even if x is infinite.
Variable bce_with_logits(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);
// t (log t - x) for log-probabilities x and probabilities t; where t = 0, value and gradient are 0 for any x. kMean divides by
// the size of the batch (axis 0), not by the number of elements.
Variable kl_div(const Variable& x, const Variable& target, Reduction reduction = Reduction::kMean);

}  // namespace vitrail
