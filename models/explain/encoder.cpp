#include "models/explain/encoder.h"

#include "autograd/ops/layers.h"
#include "base/json.h"
#include "models/explain/encoder_vit.h"
#include "models/presets.h"
#include "models/vit.h"
#include "nn/conv.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

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
    e = vit_encoder(*vit, image);
  } else if (auto* cct = dynamic_cast<Cct*>(&model)) {
    e = of_cct(*cct);
  } else {
    fail(ErrorKind::kValue, "explain", "the model has no attention to show: its architecture is ",
         architecture_of(config_from_json(model.config_json())), ". Hint: vit and cct have.");
  }
  check(!e.blocks.empty(), ErrorKind::kValue, "explain", "the model has no attention to show: its depth is 0.");
  check(model.num_classes() > 0, ErrorKind::kValue, "explain",
        "the model has no classes, so nothing was decided that could be explained: num_classes is 0. "
        "Hint: vitrail finetune or probe gives it some.");
  e.model = &model, e.image = image;
  return e;
}

Tensor class_probabilities(const Encoder& encoder, const Tensor& logits) {
  return encoder.multi_label ? sigmoid(logits) : softmax(logits);
}

}  // namespace vitrail::models::explain
