// The ViT's forward pass in parts: the logits of both heads of a distilled model, and stages whose results may be kept.
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "base/text.h"
#include "models/vit.h"

namespace vitrail::models {
namespace {

bool at_rest(nn::Module& module) { return !module.trainable() && !module.training(); }

}  // namespace

HeadLogits ViT::head_logits(const Variable& images) {
  if (!head_dist) return {(*this)(images), {}};
  const Variable tokens = forward_features(images);
  return {(*head)(forward_head(tokens, true)), (*head_dist)(select(tokens, 1, 1))};
}

// Whether embed() has neither a parameter that is trained nor dropout.
bool ViT::embedding_fixed() {
  if (config_.patch_drop_rate > 0 || !at_rest(patch_embed)) return false;
  if (pos_drop.training() && config_.pos_drop_rate > 0) return false;
  for (const Variable* own : {&cls_token, &dist_token, &reg_token, &pos_embed})
    if (own->defined() && own->requires_grad()) return false;
  return !norm_pre || at_rest(*norm_pre);
}

int64_t ViT::fixed_stages() {
  if (!embedding_fixed()) return 0;
  int64_t stages = 0;
  while (stages < config_.depth && at_rest(blocks[static_cast<size_t>(stages)])) ++stages;
  if (stages < config_.depth || stages == 0) return stages;
  // The norm belongs to the stage of the last block.
  if (norm && !at_rest(*norm)) return stages - 1;
  const bool pooling = (!fc_norm || at_rest(*fc_norm)) && (!attn_pool || at_rest(*attn_pool)) &&
                       (!head_drop.training() || config_.drop_rate == 0);
  return pooling && last_linear() ? stages + 1 : stages;
}

Variable ViT::run_stages(const Variable& images, int64_t stages) {
  check(stages >= 1 && stages <= config_.depth + 1, ErrorKind::kValue, "ViT", "stages must be in [1, ", config_.depth + 1,
        "]: it is ", stages, ".");
  return stages > config_.depth ? pooled_features(images) : run_blocks(embed(images), 0, stages);
}

Variable ViT::finish(const Variable& x, int64_t stages) {
  check(stages >= 1 && (stages <= config_.depth || (stages == config_.depth + 1 && last_linear())), ErrorKind::kValue, "ViT",
        "stages must be in [1, ", config_.depth + (last_linear() ? 1 : 0), "]: it is ", stages, ".");
  if (stages > config_.depth) return (*last_linear())(x);
  return forward_head(stages == config_.depth ? x : run_blocks(x, stages, config_.depth));
}

std::string ViT::describe_stages(int64_t stages) const {
  if (stages > config_.depth) return Classifier::describe_stages(stages);
  return cat("the embedding and ", stages, " of ", config_.depth, " blocks");
}

}  // namespace vitrail::models
