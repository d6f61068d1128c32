#include "nn/fused_block.h"

#include "autograd/ops/fused.h"
#include "nn/encoder_block.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/linear.h"

namespace vitrail::nn::fused {
namespace {

// norm(x), stored in bf16 if the product that reads it rounds its operands.
Variable normalised(const LayerNorm& norm, const Variable& x) {
  return layer_norm(x, norm.weight, norm.bias, norm.eps, rounds_operands(x.value(), norm.weight.size(0), product_precision()));
}

// The concatenated heads [B, N, H K]. q, k, v and the result are stored in bf16 if all products that read them round their
// operands. It is enough to check the output projection, the smallest of these products.
Variable heads(MultiHeadAttention& attn, const Variable& x) {
  const Precision precision = product_precision();
  const bool stored_bf16 = !attn.q_norm && x.dim() == 3 && attention_takes_rounded(precision) &&
                           rounds_operands(x.value(), attn.proj.weight.size(0), precision);
  if (!stored_bf16) return attn.heads(x);
  const Variable qkv = linear_rounded(x, attn.qkv.matrix(), attn.qkv.bias);
  return qkv_attention(qkv, attn.num_heads, {}, 0, attn.keep_attention_map ? &attn.attention_map : nullptr);
}

// residual + drop(scale(attn(x)))
Variable add_attention(MultiHeadAttention& attn, const LayerScale& scale, DropPath& drop, const Variable& x,
                       const Variable& residual) {
  return linear_add(heads(attn, x), attn.proj.matrix(), attn.proj.bias, residual, {scale.gamma, drop.factors(residual)});
}

// residual + drop(scale(mlp(x)))
Variable add_mlp(const Mlp& mlp, const LayerScale& scale, DropPath& drop, const Variable& x, const Variable& residual) {
  return vitrail::mlp(x, mlp.fc1.matrix(), mlp.fc1.bias, mlp.fc2.matrix(), mlp.fc2.bias, residual,
                      {scale.gamma, drop.factors(residual)});
}

}  // namespace

bool applies(const EncoderBlock& b) {
  return !observed() && b.mlp.act.kind == ActivationKind::kGelu && !b.attn.attn_drop.active() && !b.attn.proj_drop.active() &&
         !b.mlp.drop1.active() && !b.mlp.drop2.active();
}

Variable forward(EncoderBlock& b, const Variable& x) {
  if (b.post_norm) {
    const Variable y = b.norm1(add_attention(b.attn, b.ls1, b.drop_path1, x, x));
    return b.norm2(add_mlp(b.mlp, b.ls2, b.drop_path2, y, y));
  }
  const Variable y = add_attention(b.attn, b.ls1, b.drop_path1, normalised(b.norm1, x), x);
  return add_mlp(b.mlp, b.ls2, b.drop_path2, normalised(b.norm2, y), y);
}

}  // namespace vitrail::nn::fused
