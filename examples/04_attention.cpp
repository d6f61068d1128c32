// 04: what attention is for. Sixteen tokens show one of eight signs each; output i must name the sign of token 15 - i.
//
// What it teaches: without attention, token i knows nothing of token 15 - i, so no amount of training can do better than
// guessing (12.5 %). With one attention layer the task is solved, and the attention map shows how: each token looks at its
// mirror image, an anti-diagonal.
// What to expect: 12.5 % without, 100 % with attention, and the map drawn in characters, in a few seconds.
#include <cstdio>

#include "autograd/ops.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "train/metrics.h"
#include "train/optim/optim.h"

using namespace vitrail;

constexpr int64_t kTokens = 16, kSigns = 8, kWidth = 32, kBatch = 64;

class MirrorReader : public nn::Module {
 public:
  MirrorReader(bool with_attention, Rng& rng)
      : use_attention(with_attention),
        sign(kSigns, kWidth, rng),
        place(nn::normal({1, kTokens, kWidth}, 0.5, rng), true),
        norm(kWidth),
        attention(kWidth, 1, rng),
        mlp(kWidth, 4 * kWidth, rng),
        head(kWidth, kSigns, rng) {
    register_module("sign", sign);
    register_parameter("place", place);
    register_module("norm", norm);
    register_module("attention", attention);
    register_module("mlp", mlp);
    register_module("head", head);
  }
  Variable operator()(const Tensor& signs) {  // [B, N] -> [B, N, signs]
    Variable x = sign(signs) + place;
    if (use_attention) x = x + attention(norm(x));
    return head(x + mlp(x));
  }

  bool use_attention;
  nn::Embedding sign;
  Variable place;
  nn::LayerNorm norm;
  nn::MultiHeadAttention attention;
  nn::Mlp mlp;
  nn::Linear head;
};

double train(MirrorReader& model, int steps) {
  AdamW optimizer(single_group(model));
  RunningMean accuracy;
  for (int step = 0; step < steps; ++step) {
    const Tensor signs =
        rand_int({kBatch, kTokens}, 0, kSigns, Rng(7).at(static_cast<uint64_t>(step)));  // fresh ones in every step
    const Tensor mirrored = flatten(flip(signs, {1}));
    const Variable scores = reshape(model(signs), {kBatch * kTokens, kSigns});
    cross_entropy(scores, mirrored).backward();
    optimizer.step(3e-3);
    optimizer.zero_grad();
    if (step >= steps - 20) accuracy.add(top_k_accuracy(scores.value(), mirrored));
  }
  return accuracy.mean();
}

int main() {
  Rng rng(3);
  MirrorReader without(false, rng), with(true, rng);
  std::printf("without attention: %5.1f %% right (1 in %lld is chance)\n", 100 * train(without, 300),
              static_cast<long long>(kSigns));
  std::printf("with attention:    %5.1f %% right\n\n", 100 * train(with, 800));

  with.attention.keep_attention_map = true;
  const NoGradGuard no_grad;
  with(rand_int({1, kTokens}, 0, kSigns, Rng(8)));
  std::printf("where each token (row) looks:\n");
  for (int64_t i = 0; i < kTokens; ++i) {
    for (int64_t j = 0; j < kTokens; ++j) {
      const double p = with.attention.attention_map.at({0, 0, i, j});
      std::printf(" %c", p > 0.5 ? '#' : p > 0.2 ? '+' : p > 0.1 ? '-' : '.');
    }
    std::printf("\n");
  }
}
