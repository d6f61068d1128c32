// The gradient of a logit with respect to attention, held against central differences through a twin of the model that is
// written here from tensor functions alone.
#include "models/explain/attention.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/modes.h"
#include "models/cct.h"
#include "models/cnn.h"
#include "models/mlp.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;
using explain::AttentionRecord;
using explain::Encoder;
using explain::encoder_of;
using explain::record_attention;

// A change of one entry of one layer's attention.
struct Nudge {
  int64_t layer = -1, head = 0, row = 0, column = 0;
  double by = 0;
};

Tensor times(const Tensor& x, const nn::Linear& layer) {
  const Tensor y = matmul(x, transpose(layer.matrix().value()));
  return layer.bias.defined() ? y + layer.bias.value() : y;
}
Tensor normal(const Tensor& x, const nn::LayerNorm& n) {
  const Tensor centred = x - mean(x, {-1}, true);
  return centred / sqrt(mean(square(centred), {-1}, true) + n.eps) * n.weight.value() + n.bias.value();
}

// x [T, D] through one block; the attention of the block, after the nudge, is appended to `maps`.
Tensor block_twin(nn::EncoderBlock& b, const Tensor& x, const Nudge* nudge, std::vector<Tensor>* maps) {
  const int64_t tokens = x.size(0), heads = b.attn.num_heads, width = b.attn.head_dim;
  const Tensor qkv = permute(reshape(times(normal(x, b.norm1), b.attn.qkv), {tokens, 3, heads, width}), {1, 2, 0, 3});
  Tensor q = select(qkv, 0, 0), k = select(qkv, 0, 1);
  if (b.attn.q_norm) q = normal(q, *b.attn.q_norm), k = normal(k, *b.attn.k_norm);
  Tensor p = clone(softmax(matmul(q, transpose(k)) * (1 / std::sqrt(static_cast<double>(width)))));
  if (nudge) p.mutable_data<double>()[(nudge->head * tokens + nudge->row) * tokens + nudge->column] += nudge->by;
  if (maps) maps->push_back(p);
  const Tensor merged = reshape(contiguous(transpose(matmul(p, select(qkv, 0, 2)), 0, 1)), {tokens, heads * width});
  const Tensor y = x + times(merged, b.attn.proj);
  return y + times(gelu(times(normal(y, b.norm2), b.mlp.fc1)), b.mlp.fc2);
}

// The logits of a ViT with a class token and a final norm for one image.
Tensor vit_twin(ViT& model, const Tensor& image, const Nudge& nudge = {}, std::vector<Tensor>* maps = nullptr) {
  Tensor x = select(model.embed(image).value(), 0, 0);
  for (int64_t i = 0; i < model.config().depth; ++i)
    x = block_twin(model.blocks[static_cast<size_t>(i)], x, i == nudge.layer ? &nudge : nullptr, maps);
  const Tensor tokens = model.norm ? normal(x, *model.norm) : x;
  Tensor pooled = model.norm ? slice(tokens, 0, 0, 1) : mean(slice(x, 0, model.num_prefix_tokens(), x.size(0)), {0}, true);
  if (model.fc_norm) pooled = normal(pooled, *model.fc_norm);
  return select(times(pooled, *model.head), 0, 0);
}

// max over all entries of |mean over heads of max(0, dy/dA A) - the same by central differences|
double worst_relevance(ViT& model, const Tensor& image, const AttentionRecord& record) {
  const NoGradGuard no_grad;
  std::vector<Tensor> maps;
  vit_twin(model, image, {}, &maps);
  const int64_t layers = record.attention.size(0), heads = record.attention.size(1), tokens = record.attention.size(2);
  double worst = 0;
  for (int64_t layer = 0; layer < layers; ++layer)
    for (int64_t row = 0; row < tokens; ++row)
      for (int64_t column = 0; column < tokens; ++column) {
        double sum = 0;
        for (int64_t head = 0; head < heads; ++head) {
          const auto logit = [&](double by) {
            return vit_twin(model, image, {layer, head, row, column, by}).at({record.target});
          };
          const double gradient = (logit(1e-5) - logit(-1e-5)) / 2e-5;
          sum += std::max(0.0, gradient * maps[static_cast<size_t>(layer)].at({head, row, column}));
        }
        worst = std::max(worst, std::abs(sum / static_cast<double>(heads) - record.relevance.at({layer, row, column})));
      }
  return worst;
}

// Weights of a trained size: at initialisation every attention is nearly even.
void enlarge(ViT& model) {
  model.to(Dtype::f64);
  Rng rng(8);
  for (const auto& p : model.named_parameters())
    if (p.parameter->dim() > 1) p.parameter->set_value(rand_normal(p.parameter->shape(), 0, 0.4, rng.split(), Dtype::f64));
}

TEST_CASE("gradient-weighted attention equals central differences of a twin in f64, for every entry of every layer") {
  std::vector<ViTConfig> configs(3, tiny_config());
  configs[1].qk_norm = true, configs[1].reg_tokens = 1;
  configs[2].global_pool = "avg";
  for (const ViTConfig& config : configs) {
    Rng rng(2);
    ViT model(config, rng);
    enlarge(model);
    const Tensor image = rand_normal({1, 3, 8, 8}, 0, 1, Rng(6), Dtype::f64);
    const Encoder encoder = encoder_of(model, 8);
    for (const int64_t target : {1, 4}) {
      const AttentionRecord record = record_attention(encoder, image, target);
      std::vector<Tensor> maps;
      CHECK(largest_difference(record.logits, vit_twin(model, image, {}, &maps)) < 1e-12);
      CHECK(largest_difference(record.attention, stack(maps, 0)) < 1e-12);
      CHECK(max(record.relevance).item() > 1e-3);
      CHECK(worst_relevance(model, image, record) < 1e-8);
    }
  }
}

TEST_CASE("a look leaves logits, modes, gradients and requires_grad as they were") {
  Rng rng(1);
  ViT model(tiny_config(), rng);
  model.blocks[0].attn.qkv.weight.set_requires_grad(false);
  const Tensor image = random_images({1, 3, 8, 8});
  {
    const nn::EvalGuard evaluation(model);
    const Tensor before = model(image).value();
    const NoGradGuard no_grad;  // as a command may hold one
    const AttentionRecord record = record_attention(encoder_of(model, 8), image);
    CHECK(largest_difference(unsqueeze(record.logits, 0), before) < 1e-5);
    CHECK(record.target == static_cast<int64_t>(argmax(record.logits).item()));
    CHECK(bit_equal(model(image).value(), before));
  }
  CHECK(model.training());
  CHECK(!model.blocks[0].attn.qkv.weight.requires_grad());
  CHECK(model.blocks[1].attn.qkv.weight.requires_grad());
  for (const auto& p : model.named_parameters()) CHECK(!p.parameter->grad().defined());
  CHECK(!model.blocks[0].attn.keep_attention_gradient);
  CHECK(!model.blocks[0].attn.attention_map.defined());
}

TEST_CASE("rows of attention sum to one, and the pooling says which tokens count") {
  for (const char* pool : {"token", "avg", "max"}) {
    ViTConfig config = tiny_config();
    config.global_pool = pool, config.reg_tokens = 2;
    Rng rng(1);
    ViT model(config, rng);
    const Encoder encoder = encoder_of(model, 8);
    CHECK(encoder.prefix_names == std::vector<std::string>{"class token", "register 1", "register 2"});
    const AttentionRecord record = record_attention(encoder, random_images({1, 3, 8, 8}));
    CHECK(record.attention.shape() == Shape{2, 2, 7, 7});
    CHECK(largest_difference(sum(record.attention, {3}), ones({2, 2, 7})) < 1e-5);
    const std::vector<double> shares = to_vector<double>(record.shares);
    CHECK(shares == (std::string(pool) == "token" ? std::vector<double>{1, 0, 0, 0, 0, 0, 0}
                                                  : std::vector<double>{0, 0, 0, 0.25, 0.25, 0.25, 0.25}));
  }
}

TEST_CASE("two tokens or two heads share what the pooling takes, and attention pooling gives the shares of its attention") {
  ViTConfig config = tiny_config();
  const auto shares = [&] {
    Rng rng(1);
    ViT model(config, rng);
    const Encoder encoder = encoder_of(model, 8);
    CHECK(encoder.prefix() == model.num_prefix_tokens());
    return to_vector<double>(record_attention(encoder, random_images({1, 3, 8, 8})).shares);
  };
  config.global_pool = "token_avg";
  CHECK(shares() == std::vector<double>{0.5, 0.125, 0.125, 0.125, 0.125});
  config.global_pool = "token", config.dist_token = config.dist_head = true;
  CHECK(shares() == std::vector<double>{0.5, 0.5, 0, 0, 0, 0});
  config = tiny_config(), config.global_pool = "map";
  const std::vector<double> of_patches = shares();  // as timm, the pooling does not see the class token
  CHECK(of_patches[0] == 0);
  CHECK(of_patches[1] + of_patches[2] + of_patches[3] + of_patches[4] == doctest::Approx(1));
  config.pool_include_prefix = true;
  Rng rng(1);
  ViT model(config, rng);
  model.to(Dtype::f64);
  model.attn_pool->latent.set_value(rand_normal({1, 1, 16}, 0, 9, Rng(5), Dtype::f64));
  const Tensor image = rand_normal({1, 3, 8, 8}, 0, 1, Rng(6), Dtype::f64);
  const AttentionRecord record = record_attention(encoder_of(model, 8), image);
  CHECK(sum(record.shares).item() == doctest::Approx(1));
  // The same from the pooling's own output: with values that say which token they are of and the rest of the pooling taken
  // away, it is the shares themselves. Token t has the value e_t in both heads, of width 8.
  const NoGradGuard no_grad;
  const Tensor tokens = model.forward_features(image).value();
  const Tensor keys = slice(model.attn_pool->kv(tokens).value(), 2, 0, 16);
  Tensor values = zeros({1, 5, 16}, Dtype::f64);
  for (int64_t t = 0; t < 5; ++t)
    for (const int64_t head : {0, 1}) values.mutable_data<double>()[t * 16 + head * 8 + t] = 1;
  const auto split = [](const Tensor& x) { return transpose(reshape(contiguous(x), {1, x.size(1), 2, 8}), 1, 2); };
  const Tensor out =
      attention_forward(split(model.attn_pool->q(model.attn_pool->latent).value()), split(keys), split(values)).output;
  CHECK(largest_difference(slice(mean(reshape(contiguous(out), {2, 8}), {0}), 0, 0, 5), record.shares) < 1e-12);
}

TEST_CASE("a CCT has blocks too: its sequence pooling gives the shares") {
  Rng rng(1);
  Cct model({.img_size = 16, .num_classes = 3, .embed_dim = 16, .conv_width = 8}, rng);
  const Encoder encoder = encoder_of(model, 16);
  CHECK(encoder.prefix() == 0);
  CHECK(encoder.grid == Size2d(4));
  CHECK(encoder.filters.shape() == Shape{8, 3, 3, 3});
  const AttentionRecord record = record_attention(encoder, random_images({1, 3, 16, 16}));
  CHECK(record.attention.shape() == Shape{2, 2, 16, 16});
  CHECK(std::abs(sum(record.shares).item() - 1) < 1e-6);
  model.eval();
  CHECK(largest_difference(unsqueeze(record.logits, 0), model(random_images({1, 3, 16, 16})).value()) < 1e-5);
  CHECK(max(record.relevance).item() > 0);
}

TEST_CASE("what cannot be explained is refused with the reason") {
  Rng rng(1);
  MlpClassifier mlp({.img_size = 8, .in_chans = 1}, rng);
  CHECK(contains(message_of([&] { encoder_of(mlp, 8); }),
                 "the model has no attention to show: its architecture is mlp. Hint: vit and cct have."));
  ViTConfig config = tiny_config();
  config.depth = 0;
  ViT flat(config, rng);
  CHECK(contains(message_of([&] { encoder_of(flat, 8); }), "its depth is 0"));
  config.depth = 1, config.num_classes = 0;
  ViT headless(config, rng);
  CHECK(contains(message_of([&] { encoder_of(headless, 8); }), "the model has no classes"));
  ViT model(tiny_config(), rng);
  const Encoder encoder = encoder_of(model, 8);
  CHECK(contains(message_of([&] {
                   record_attention(encoder, random_images({1, 3, 8, 8}), 5);
                 }),
                 "there is no class 5: the model has 5"));
  fill_(model.head->weight.value(), NAN);
  CHECK(contains(message_of([&] {
                   record_attention(encoder, random_images({1, 3, 8, 8}));
                 }),
                 "the model's answer is not finite"));
}

}  // namespace
}  // namespace vitrail::testing
