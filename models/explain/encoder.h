// What pictures of attention need to know of a model: its encoder blocks, where its tokens lie on the image, and how the tokens
// of the last block become logits.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "models/classifier.h"
#include "nn/encoder_block.h"

namespace vitrail::models::explain {

// The tokens are [prefix..., patches row by row].
struct Encoder {
  Classifier* model = nullptr;
  std::vector<nn::EncoderBlock*> blocks;
  Size2d image;                           // pixels of the model's input
  Size2d grid;                            // patches vertically and horizontally: each is image / grid pixels
  std::vector<std::string> prefix_names;  // "class token", "distillation token", "register 1", ...
  Tensor positions;                       // [N, D], of the patches of the model's own grid; undefined if it has no positions
  Size2d positions_grid;
  Tensor filters;  // [D, C, h, w]: the patch embedding, or the first convolution

  struct Output {
    Variable logits;  // [1, K]
    Tensor shares;    // [T], sums to one: how much of each token after the last block the pooling takes
  };
  // One image [1, C, H, W]. Pooling by the largest value has no shares of its own: each token counts alike; attention pooling
  // has those of its attention, the mean of its heads.
  std::function<Output(const Variable& image)> run;

  bool multi_label = false;  // each class has a probability of its own: sigmoid of its logit, not softmax over all

  int64_t prefix() const { return static_cast<int64_t>(prefix_names.size()); }
  int64_t tokens() const { return prefix() + grid.h * grid.w; }
  int64_t heads() const { return blocks.front()->attn.num_heads; }
};

// logits [B, C] as probabilities.
Tensor class_probabilities(const Encoder& encoder, const Tensor& logits);

// Of a model that takes images of `image` pixels; it must outlive the result. Error(kValue) for a model without attention (by
// name), without blocks or without classes.
Encoder encoder_of(Classifier& model, Size2d image);

}  // namespace vitrail::models::explain
