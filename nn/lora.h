// Low-rank adaptation (Hu et al., arXiv:2106.09685): the weight of a linear layer stays as it is, and what training changes is
// the product of two small matrices that is added to it.
//
//   nn::add_lora(model, {.rank = 8, .targets = "attn.q,attn.v"}, rng);   // y = x W^T + b + s (drop(x) A^T) B^T
//   ... train; W has no gradient ...
//   nn::merge_lora(model);                                               // W + s B A, as fast as before
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nn/activation.h"
#include "nn/module.h"

namespace vitrail::nn {

class Linear;

struct LoraOptions {
  int64_t rank = 8;              // r, the rows of A
  double alpha = 16;             // s = alpha / r
  double dropout = 0;            // of x before A, in training
  bool rank_stabilized = false;  // s = alpha / sqrt(r) (rsLoRA, Kalajdzievski, arXiv:2312.03732, theorem 3.2)
  // DoRA (Liu et al., arXiv:2402.09353, equation 5): the rows of W + s B A are given the lengths m, which are trained too.
  bool dora = false;
  // Paths of linear layers by their ends (base/path_pattern.h), between commas: "attn.qkv,mlp.fc1", or "blocks.8-11.*". A layer
  // X.qkv that computes q, k and v in one product is also found as X.q, X.k and X.v: then each gets matrices of its own, as in
  // models that keep three layers. Where a pattern names the whole and another its parts, the whole is taken.
  std::string targets = "attn.qkv";

  friend bool operator==(const LoraOptions&, const LoraOptions&) = default;
};
// s of the options.
double lora_scale(const LoraOptions& options);
// Error(kValue) naming the field: rank in [1, 4096], alpha above 0 and finite, dropout in [0, 1), patterns that can be read.
void validate(const LoraOptions& options);

// The update of the rows [first, last) of a linear layer's weight [N, K]. Parameters: A [r, K], uniform in +-1 / sqrt(K)
// (PEFT's kaiming_uniform with a = sqrt 5), B [last - first, r], zero, and with DoRA magnitude [last - first], the lengths of
// the rows.
class LowRank : public Module {
 public:
  LowRank(const Tensor& weight, int64_t first, int64_t last, const LoraOptions& options, Rng& rng);

  const LoraOptions options;
  const int64_t first, last;
  Variable a, b, magnitude;  // magnitude is undefined without DoRA
  Dropout drop;
};
using LowRankList = std::vector<std::unique_ptr<LowRank>>;

// drop(x) A^T of all updates side by side, [..., K] -> [..., R], and their s B as one matrix, [N, R], whose rows that belong to
// no update are zero: the term that is added to y is inner outer^T.
Variable lora_inner(const Variable& x, const LowRankList& updates);
Variable lora_outer(int64_t rows, const LowRankList& updates);
// y with the updates added, y = x W^T + b: [..., N]. As long as B is zero (and DoRA's magnitude untouched) the values stay the
// same. DoRA's row lengths are constants for the gradient, as the paper proposes (section 4.3).
Variable lora_output(const Variable& y, const Variable& x, const Variable& weight, const Variable& bias,
                     const LowRankList& updates);
// The weight that has the same effect without dropout, W + s B A, [N, K], differentiable in A, B and magnitude.
Variable lora_weight(const Variable& weight, const LowRankList& updates);
// The same as numbers, computed in f64 and rounded once.
Tensor merged_weight(const Tensor& weight, const LowRankList& updates);

// Adds an update to each linear layer that options.targets name; the weights and biases of these layers require no gradient
// from then on (other parameters: train/finetune). Its parameters stand below the layer: blocks.0.attn.qkv.lora.A, or lora_q.A,
// lora_v.A for parts. Returns the number of updates. Error(kValue) for a pattern that names no linear layer, listing those
// there are, if the module has updates already, and as validate(). Then nothing has been changed.
int64_t add_lora(Module& module, const LoraOptions& options, Rng& rng);
// The options of the updates that the module has.
std::optional<LoraOptions> lora_of(Module& module);
// Whether a dotted path is a parameter of an update.
bool is_lora(const std::string& path);

// Puts the updated weights in the place of the weights, and back: the same bits as before. While merged, the updates have no
// effect of their own and must not be trained. Error(kValue) if there are none, if they are (not) merged already, or if a
// merged weight was changed since.
void merge_lora(Module& module);
void unmerge_lora(Module& module);

// The state of the module as if it had no updates: their parameters are left out, and the weights hold them. What a file for
// others gets. The module is not changed; without updates this is its state_dict().
StateDict merged_state_dict(Module& module);

}  // namespace vitrail::nn
