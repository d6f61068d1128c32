#include "models/explain/encoder.h"

#include "autograd/ops/layers.h"
#include "base/json.h"
#include "models/presets.h"
#include "nn/conv.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

// The same for the tokens [first, tokens), nothing for those before.
Tensor equal_shares(int64_t first, int64_t tokens, Dtype dtype) {
  Tensor shares = zeros({tokens}, dtype);
  fill_(slice(shares, 0, first, tokens), 1.0 / static_cast<double>(tokens - first));
  return shares;
}

Encoder of_vit(ViT& model, Size2d image) {
  const ViTConfig& c = model.config();
  Encoder e;
  e.grid = {image.h / c.patch_size.h, image.w / c.patch_size.w};
  if (c.class_token) e.prefix_names.emplace_back("class token");
  for (int64_t i = 1; i <= c.reg_tokens; ++i) e.prefix_names.push_back(cat("register ", i));
  const Tensor own = model.pos_embed.defined() ? model.pos_embed.value() : model.pos_embed_fixed;
  e.positions_grid = model.grid();
  if (own.defined())
    e.positions = select(slice(own, 1, own.size(1) - e.positions_grid.h * e.positions_grid.w, own.size(1)), 0, 0);
  const Tensor& weight = model.patch_embed.proj.weight.value();
  e.filters = reshape(contiguous(weight), {c.embed_dim, c.in_chans, c.patch_size.h, c.patch_size.w});
  for (const auto& block : model.blocks) e.blocks.push_back(block.get());
  const bool token = c.global_pool == "token";
  const int64_t prefix = model.num_prefix_tokens(), first = c.pool_include_prefix ? 0 : prefix, tokens = e.tokens();
  e.run = [&model, token, first, tokens](const Variable& x) {
    const Variable logits = model(x);
    Tensor shares = token ? zeros({tokens}, logits.dtype()) : equal_shares(first, tokens, logits.dtype());
    if (token) fill_(slice(shares, 0, 0, 1), 1);
    return Encoder::Output{logits, shares};
  };
  return e;
}

Encoder of_cct(Cct& model) {
  Encoder e;
  e.grid = e.positions_grid = cct_grid(model.config());
  if (model.pos_embed.defined()) e.positions = select(model.pos_embed.value(), 0, 0);
  if (const auto* conv = dynamic_cast<nn::Conv2d*>(&model.tokenizer[0])) e.filters = conv->weight.value();
  for (const auto& block : model.blocks) e.blocks.push_back(block.get());
  e.run = [&model](const Variable& x) {
    const Variable tokens = model.forward_features(x);
    const Tensor shares = softmax(model.attention_pool(tokens), 1).value();  // [1, N, 1]
    return Encoder::Output{model.head(model.pool(tokens)), flatten(shares)};
  };
  return e;
}

}  // namespace

Encoder encoder_of(Classifier& model, Size2d image) {
  Encoder e;
  if (auto* vit = dynamic_cast<ViT*>(&model)) {
    e = of_vit(*vit, image);
  } else if (auto* cct = dynamic_cast<Cct*>(&model)) {
    e = of_cct(*cct);
  } else {
    fail(ErrorKind::kValue, "explain", "the model has no attention to show: its architecture is ",
         architecture_of(config_from_json(model.config_json())), ". Hint: vit and cct have.");
  }
  check(!e.blocks.empty(), ErrorKind::kValue, "explain", "the model has no attention to show: its depth is 0.");
  check(model.num_classes() > 0, ErrorKind::kValue, "explain",
        "the model has no classes, so nothing was decided that could be explained: num_classes is 0.");
  e.model = &model, e.image = image;
  return e;
}

}  // namespace vitrail::models::explain
