#include "nn/fused_block.h"

#include "autograd/ops/fused.h"
#include "nn/encoder_block.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/linear.h"

namespace vitrail::nn::fused {
namespace {

// norm(x), stored in bf16 if the product that reads it rounds its operands. The narrow products of low-rank updates do not.
Variable normalised(const LayerNorm& norm, const Variable& x, const Linear& reader) {
  const bool rounded = !reader.updated() && rounds_operands(x.value(), norm.weight.size(0), product_precision());
  return layer_norm(x, norm.weight, norm.bias, norm.eps, rounded);
}

// The concatenated heads [B, N, H K]. q, k, v and the result are stored in bf16 if all products that read them round their
// operands. It is enough to check the output projection, the smallest of these products.
Variable heads(MultiHeadAttention& attn, const Variable& x) {
  const Precision precision = product_precision();
  const bool stored_bf16 = !attn.q_norm && !attn.keep_attention_gradient && !attn.qkv.updated() && !attn.proj.updated() &&
                           x.dim() == 3 && attention_takes_rounded(precision) &&
                           rounds_operands(x.value(), attn.proj.weight.size(0), precision);
  if (!stored_bf16) return attn.heads(x);
  const Variable qkv = linear_rounded(x, attn.qkv.own_matrix(), attn.qkv.bias);
  return qkv_attention(qkv, attn.num_heads, {}, 0, attn.keep_attention_map ? &attn.attention_map : nullptr);
}

// residual + drop(scale(attn(x)))
Variable add_attention(MultiHeadAttention& attn, const LayerScale& scale, DropPath& drop, const Variable& x,
                       const Variable& residual) {
  const Variable h = heads(attn, x);
  const Branch branch{scale.gamma, drop.factors(residual)};
  return attn.proj.add_updates(linear_add(h, attn.proj.own_matrix(), attn.proj.bias, residual, branch), h, branch);
}

// residual + drop(scale(mlp(x)))
Variable add_mlp(Mlp& mlp, const LayerScale& scale, DropPath& drop, const Variable& x, const Variable& residual) {
  const Branch branch{scale.gamma, drop.factors(residual)};
  if (!mlp.fc1.updated() && !mlp.fc2.updated())
    return vitrail::mlp(x, mlp.fc1.own_matrix(), mlp.fc1.bias, mlp.fc2.own_matrix(), mlp.fc2.bias, residual, branch);
  const Variable h = mlp.act(mlp.fc1(x));
  return mlp.fc2.add_updates(linear_add(h, mlp.fc2.own_matrix(), mlp.fc2.bias, residual, branch), h, branch);
}

// Whether a layer of the block has trained row lengths, which only its own forward() applies.
bool stretched(const EncoderBlock& b) {
  return b.attn.qkv.stretched() || b.attn.proj.stretched() || b.mlp.fc1.stretched() || b.mlp.fc2.stretched();
}

}  // namespace

bool applies(const EncoderBlock& b) {
  return !observed() && b.mlp.act.kind == ActivationKind::kGelu && !b.attn.attn_drop.active() && !b.attn.proj_drop.active() &&
         !b.mlp.drop1.active() && !b.mlp.drop2.active() && !stretched(b);
}

Variable forward(EncoderBlock& b, const Variable& x) {
  if (b.post_norm) {
    const Variable y = b.norm1(add_attention(b.attn, b.ls1, b.drop_path1, x, x));
    return b.norm2(add_mlp(b.mlp, b.ls2, b.drop_path2, y, y));
  }
  const Variable y = add_attention(b.attn, b.ls1, b.drop_path1, normalised(b.norm1, x, b.attn.qkv), x);
  return add_mlp(b.mlp, b.ls2, b.drop_path2, normalised(b.norm2, y, b.mlp.fc1), y);
}

}  // namespace vitrail::nn::fused
