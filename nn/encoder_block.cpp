#include "nn/encoder_block.h"

#include <cmath>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"

namespace vitrail::nn {
namespace {

int64_t hidden_width(int64_t dim, double ratio) {
  check(ratio > 0 && ratio <= 1024, ErrorKind::kValue, "EncoderBlock", "mlp_ratio must be positive: it is ", ratio);
  return static_cast<int64_t>(static_cast<double>(dim) * ratio);
}

}  // namespace

EncoderBlock::EncoderBlock(int64_t dim, int64_t num_heads, Rng& rng, const BlockOptions& o)
    : post_norm(o.post_norm),
      norm1(dim, o.norm_eps),
      attn(dim, num_heads, rng, o.attention),
      drop_path1(o.drop_path),
      norm2(dim, o.norm_eps),
      mlp(dim, hidden_width(dim, o.mlp_ratio), rng, o.activation, o.proj_drop, o.mlp_bias),
      drop_path2(o.drop_path) {
  register_module("norm1", norm1);
  register_module("attn", attn);
  if (o.init_values > 0) {
    ls1 = std::make_unique<LayerScale>(dim, o.init_values);
    ls2 = std::make_unique<LayerScale>(dim, o.init_values);
    register_module("ls1", *ls1);
  }
  register_module("drop_path1", drop_path1);
  register_module("norm2", norm2);
  register_module("mlp", mlp);
  if (ls2) register_module("ls2", *ls2);
  register_module("drop_path2", drop_path2);
}

// x + drop_path(scale(branch(input))); where neither stands between, the addition is part of the branch's last product.
template <class Branch>
Variable EncoderBlock::residual(const Variable& x, Branch& branch, const Variable& input, LayerScale* scale, DropPath& drop) {
  if (!scale && !drop.active()) return branch.add_to(x, input);
  const Variable y = branch(input);
  return x + drop(scale ? (*scale)(y) : y);
}

Variable EncoderBlock::forward(const Variable& x) {
  if (post_norm) {
    const Variable y = norm1(residual(x, attn, x, ls1.get(), drop_path1));
    return norm2(residual(y, mlp, y, ls2.get(), drop_path2));
  }
  const Variable y = residual(x, attn, norm1.before_linear(x), ls1.get(), drop_path1);
  return residual(y, mlp, norm2.before_linear(y), ls2.get(), drop_path2);
}

}  // namespace vitrail::nn
