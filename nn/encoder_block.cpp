#include "nn/encoder_block.h"

#include "autograd/checkpoint.h"
#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "nn/fused_block.h"

namespace vitrail::nn {
namespace {

int64_t hidden_width(int64_t dim, const BlockOptions& o) {
  if (o.mlp_hidden > 0) return o.mlp_hidden;
  check(o.mlp_ratio > 0 && o.mlp_ratio <= 1024, ErrorKind::kValue, "EncoderBlock", "mlp_ratio must be positive: it is ",
        o.mlp_ratio);
  return static_cast<int64_t>(static_cast<double>(dim) * o.mlp_ratio);
}

}  // namespace

EncoderBlock::EncoderBlock(int64_t dim, int64_t num_heads, Rng& rng, const BlockOptions& o)
    : post_norm(o.post_norm),
      norm1(dim, o.norm_eps),
      attn(dim, num_heads, rng, o.attention),
      ls1(dim, o.init_values),
      drop_path1(o.drop_path),
      norm2(dim, o.norm_eps),
      mlp(dim, hidden_width(dim, o), rng, o.activation, o.proj_drop, o.mlp_bias),
      ls2(dim, o.init_values),
      drop_path2(o.drop_path) {
  register_module("norm1", norm1);
  register_module("attn", attn);
  if (ls1.gamma.defined()) register_module("ls1", ls1);
  register_module("drop_path1", drop_path1);
  register_module("norm2", norm2);
  register_module("mlp", mlp);
  if (ls2.gamma.defined()) register_module("ls2", ls2);
  register_module("drop_path2", drop_path2);
}

Variable EncoderBlock::forward(const Variable& input) {
  if (fused::applies(*this)) return fused::forward(*this, input);
  // LAB 6.6 BEGIN  The two equations of nn/encoder_block.h; each branch ends with its ls and drop_path.
  Variable x = input;
  if (post_norm) {
    x = norm1(x + drop_path1(ls1(attn(x))));
    x = norm2(x + drop_path2(ls2(mlp(x))));
  } else {
    x = x + drop_path1(ls1(attn(norm1(x))));
    x = x + drop_path2(ls2(mlp(norm2(x))));
  }
  return x;
  // LAB 6.6 END
}

Variable run_block(EncoderBlock& block, const Variable& x, bool recompute) {
  if (grad_enabled() && !x.requires_grad() && !block.attn.keep_attention_gradient && !block.trainable()) {
    const NoGradGuard no_grad;  // nothing is kept for a gradient that nobody wants
    return block(x);
  }
  if (!recompute || !grad_enabled()) return block(x);
  return checkpoint([&block](const Variable& t) { return block(t); }, x);
}

}  // namespace vitrail::nn
