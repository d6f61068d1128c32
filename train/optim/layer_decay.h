// Learning rates that differ by the depth of a layer, and what is trained at all: for models that are trained already.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/module.h"
#include "train/optim/optim.h"

namespace vitrail {

// Whether a dotted path is below the last layer, whose rows are classes: head, head_dist, fc, classifier.
bool is_head(const std::string& path);

// Whether a dotted path is of what lies between the norm behind the blocks and the head: fc_norm, attention_pool (CCT),
// attn_pool (ViT), projection (CLIP).
bool is_pooling(const std::string& path);

// The layer of a parameter of a model with D blocks ("blocks.0." ... "blocks.D-1."), counted as timm does: 0 for what comes
// before the blocks (patch_embed, pos_embed, cls_token, tokenizer, ...), i + 1 for block i, D for the norm behind the blocks,
// D + 1 for is_pooling() and is_head().
int64_t layer_of(const std::string& path, int64_t blocks);

// The number of blocks that the paths name: 1 + the largest i of "blocks.i.".
int64_t count_blocks(const std::vector<std::string>& paths);

// The groups, split so that each has one rate: lr_scale *= layer_decay^(D + 1 - layer) for the layers of layer_of(), and *=
// head_lr for the head. So block i of D has layer_decay^(D - i), the head 1 * head_lr (Bao et al., BEiT, arXiv:2106.08254,
// section 3; the counting is that of timm's param_groups_layer_decay). With both factors 1 the groups stay as they are.
// Error(kValue) if layer_decay is not 1 and no path begins with "blocks.".
std::vector<ParamGroup> scaled_by_layer(std::vector<ParamGroup> groups, double layer_decay, double head_lr);

}  // namespace vitrail
