// Low-rank updates: the same output at first, the right formula and gradients, merging, what is refused.
#include "nn/lora.h"

#include <doctest/doctest.h>

#include <cmath>
#include <optional>

#include "autograd/ops.h"
#include "autograd/ops/layers.h"
#include "base/error.h"
#include "nn/fused_block.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "tensor/precision.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) { return a.shape() == b.shape() && bit_equal(a, b); }

nn::LoraOptions options(const std::string& targets, bool dora = false) {
  return {.rank = 3, .alpha = 5, .dora = dora, .targets = targets};  // alpha / rank is neither 1 nor 2
}

std::unique_ptr<models::ViT> vit(const models::ViTConfig& config = tiny_config()) {
  auto model = std::make_unique<models::ViT>(config, Rng(3));
  model->eval();
  return model;
}

// Random values in every parameter of the updates.
void fill_updates(nn::Module& module) {
  uint64_t seed = 70;
  for (const nn::NamedParameter& p : module.named_parameters())
    if (nn::is_lora(p.name))
      p.parameter->set_value(p.parameter->value() +
                             rand_normal(p.parameter->shape(), 0, 0.2, Rng(++seed), p.parameter->dtype()));
}

const char* const kAll = "attn.qkv,attn.proj,mlp.fc1,mlp.fc2";

}  // namespace

TEST_CASE("lora: at the start the output has the bits of the base model") {
  const Tensor images = random_images({3, 3, 8, 8});
  const Tensor wanted = vit()->forward(images).value();
  for (const char* targets : {"attn.qkv", "attn.q,attn.v", kAll, "*", "patch_embed.proj"}) {
    for (const bool dora : {false, true}) {
      CAPTURE(targets);
      CAPTURE(dora);
      const auto model = vit();
      Rng rng(9);
      nn::add_lora(*model, options(targets, dora), rng);
      CHECK(same_bits(model->forward(images).value(), wanted));
      model->train();  // gradients on, as in training
      CHECK(same_bits(model->forward(images).value(), wanted));
    }
  }
}

TEST_CASE("lora: y = x W^T + b + s (x A^T) B^T, with s = alpha / r, or alpha / sqrt(r)") {
  for (const bool stabilized : {false, true}) {
    nn::Linear layer(6, 4, Rng(1));
    layer.bias.set_value(rand_normal({4}, 0, 1, Rng(2)));
    layer.to(Dtype::f64);
    nn::LoraOptions o{.rank = 2, .alpha = 3, .rank_stabilized = stabilized};
    Rng rng(5);
    layer.add_update("lora", std::make_unique<nn::LowRank>(layer.weight.value(), 0, 4, o, rng));
    fill_updates(layer);
    const nn::LowRank& u = *layer.updates().front();
    const Tensor x = rand_normal({5, 6}, 0, 1, Rng(4), Dtype::f64);
    const double s = stabilized ? 3 / std::sqrt(2.0) : 1.5;
    const Tensor w = add(layer.weight.value(), mul(matmul(u.b.value(), u.a.value()), s));
    const Tensor wanted = add(matmul(x, transpose(w)), layer.bias.value());
    CHECK(largest_difference(layer(x).value(), wanted) < 1e-12);
    CHECK(largest_difference(layer.matrix().value(), w) < 1e-12);
    CHECK(largest_difference(layer.outputs(x, 1, 3).value(), slice(wanted, 1, 1, 3)) < 1e-12);
  }
}

TEST_CASE("lora: parts of qkv change their own rows alone") {
  nn::MultiHeadAttention attn(8, 2, Rng(1));
  Rng rng(2);
  CHECK(nn::add_lora(attn, options("q,v"), rng) == 2);
  fill_updates(attn);
  const Tensor change = sub(attn.qkv.matrix().value(), attn.qkv.weight.value());
  CHECK(max(abs(slice(change, 0, 0, 8))).item() > 0.01);
  CHECK(max(abs(slice(change, 0, 8, 16))).item() == 0);
  CHECK(max(abs(slice(change, 0, 16, 24))).item() > 0.01);
  std::vector<std::string> names;
  for (const nn::NamedParameter& p : attn.named_parameters())
    if (nn::is_lora(p.name)) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"qkv.lora_q.A", "qkv.lora_q.B", "qkv.lora_v.A", "qkv.lora_v.B"});
}

TEST_CASE("lora: DoRA gives the rows of W + s B A the lengths m") {
  nn::Linear layer(6, 4, Rng(1));
  layer.bias.set_value(rand_normal({4}, 0, 1, Rng(2)));
  layer.to(Dtype::f64);
  Rng rng(5);
  nn::LoraOptions o = options("x", true);
  layer.add_update("lora", std::make_unique<nn::LowRank>(layer.weight.value(), 0, 4, o, rng));
  fill_updates(layer);
  const nn::LowRank& u = *layer.updates().front();
  const Tensor w = add(layer.weight.value(), mul(matmul(u.b.value(), u.a.value()), nn::lora_scale(o)));
  const Tensor length = sqrt(sum(square(w), {1}, true));
  const Tensor stretched = mul(w, div(reshape(u.magnitude.value(), {4, 1}), length));
  const Tensor x = rand_normal({5, 6}, 0, 1, Rng(4), Dtype::f64);
  CHECK(largest_difference(layer(x).value(), add(matmul(x, transpose(stretched)), layer.bias.value())) < 1e-12);
  CHECK(largest_difference(layer.matrix().value(), stretched) < 1e-12);
  CHECK(largest_difference(nn::merged_weight(layer.weight.value(), layer.updates()), stretched) < 1e-12);
}

TEST_CASE("lora: gradients are those of the updated weight; the weight and its bias have none") {
  for (const char* targets : {"attn.qkv", "attn.q,attn.v", kAll}) {
    CAPTURE(targets);
    nn::EncoderBlock block(12, 3, Rng(1), {.init_values = 0.3});
    block.to(Dtype::f64);
    Rng rng(2);
    nn::add_lora(block, options(targets), rng);
    fill_updates(block);
    const Tensor x = rand_normal({2, 5, 12}, 0, 1, Rng(3), Dtype::f64), dy = rand_normal({2, 5, 12}, 0, 1, Rng(4), Dtype::f64);
    block.forward(x).backward(dy);
    for (const nn::NamedParameter& p : block.named_parameters()) {
      CAPTURE(p.name);
      if (!nn::is_lora(p.name)) {
        CHECK(p.parameter->grad().defined() == p.parameter->requires_grad());
        continue;
      }
      REQUIRE(p.parameter->grad().defined());
      const Tensor own = p.parameter->value(), step = rand_normal(own.shape(), 0, 1, Rng(5), Dtype::f64);
      const auto value = [&](double h) {
        p.parameter->set_value(add(own, mul(step, h)));
        const NoGradGuard no_grad;
        return sum(mul(block.forward(x).value(), dy)).item();
      };
      const double slope = (value(1e-5) - value(-1e-5)) / 2e-5;
      p.parameter->set_value(own);
      CHECK(sum(mul(p.parameter->grad(), step)).item() == doctest::Approx(slope).epsilon(1e-6));
    }
  }
}

TEST_CASE("lora: at the first step the gradient reaches B, and A from the second on") {
  nn::Linear layer(6, 4, Rng(1));
  Rng rng(2);
  layer.add_update("lora", std::make_unique<nn::LowRank>(layer.weight.value(), 0, 4, options("x"), rng));
  const nn::LowRank& u = *layer.updates().front();
  layer(rand_normal({5, 6}, 0, 1, Rng(4))).backward(rand_normal({5, 4}, 0, 1, Rng(5)));
  CHECK(max(abs(u.b.grad())).item() > 0.01);
  CHECK(max(abs(u.a.grad())).item() == 0);
}

TEST_CASE("lora: a fused block has the values and gradients of its equation") {
  for (const char* targets : {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2", kAll}) {
    CAPTURE(targets);
    std::vector<Tensor> results[2];
    for (const bool apart : {false, true}) {
      nn::EncoderBlock block(48, 3, Rng(1), {.drop_path = 0.4, .init_values = 0.3});
      block.to(Dtype::f64);
      Rng rng(2);
      nn::add_lora(block, options(targets), rng);
      fill_updates(block);
      std::optional<nn::ObserverGuard> watch;
      if (apart) watch.emplace(block, [](const nn::Observation&) {});
      CHECK(nn::fused::applies(block) == !apart);
      manual_seed(7);
      const Variable x(rand_normal({5, 7, 48}, 0, 1, Rng(3), Dtype::f64), true), y = block(x);
      y.backward(rand_normal(y.shape(), 0, 1, Rng(4), Dtype::f64));
      results[apart] = {y.value(), x.grad()};
      for (const nn::NamedParameter& p : block.named_parameters())
        if (p.parameter->requires_grad()) results[apart].push_back(p.parameter->grad());
    }
    REQUIRE(results[0].size() == results[1].size());
    for (size_t i = 0; i < results[0].size(); ++i) CHECK(largest_difference(results[0][i], results[1][i]) < 1e-10);
  }
}

TEST_CASE("lora: in bf16 the updates are seen too") {
  const PrecisionGuard bf16(Precision::kBf16);
  const auto model = vit({.img_size = 32, .patch_size = 4, .num_classes = 5, .embed_dim = 64, .depth = 2, .num_heads = 2});
  const Tensor images = random_images({8, 3, 32, 32});
  const Tensor base = model->forward(images).value();
  Rng rng(2);
  nn::add_lora(*model, options(kAll), rng);
  CHECK(largest_difference(model->forward(images).value(), base) < 0.05);
  fill_updates(*model);
  const Tensor updated = model->forward(images).value();
  CHECK(largest_difference(updated, base) > 0.1);
  nn::merge_lora(*model);
  CHECK(largest_difference(model->forward(images).value(), updated) < 0.1);
}

TEST_CASE("lora: dropout acts on what the updates read, in training alone") {
  nn::Linear layer(6, 4, Rng(1));
  Rng rng(2);
  nn::LoraOptions o = options("x");
  o.dropout = 0.5;
  layer.add_update("lora", std::make_unique<nn::LowRank>(layer.weight.value(), 0, 4, o, rng));
  fill_updates(layer);
  const Tensor x = rand_normal({50, 6}, 0, 1, Rng(4));
  manual_seed(1);
  const Tensor dropped = layer(x).value(), other = layer(x).value();
  layer.eval();
  const Tensor whole = layer(x).value();
  CHECK(largest_difference(dropped, whole) > 0.01);
  CHECK(largest_difference(dropped, other) > 0.01);
  CHECK(largest_difference(whole, matmul(x, transpose(layer.matrix().value()))) < 1e-6);
}

TEST_CASE("lora: merging keeps the logits within 1e-6, and taking out gives back the base's bits") {
  for (const bool dora : {false, true}) {
    CAPTURE(dora);
    const auto model = vit();
    const nn::StateDict before = model->state_dict();
    Rng rng(2);
    nn::add_lora(*model, options("attn.q,attn.v,attn.proj,mlp.*,patch_embed.proj", dora), rng);
    fill_updates(*model);
    const Tensor images = random_images({3, 3, 8, 8});
    const Tensor base = vit()->forward(images).value(), unmerged = model->forward(images).value();
    CHECK(largest_difference(unmerged, base) > 0.05);
    const nn::StateDict merged_state = nn::merged_state_dict(*model);
    nn::merge_lora(*model);
    const Tensor merged = model->forward(images).value();
    CHECK(largest_difference(merged, unmerged) < 1e-6 * std::max(1.0, max(abs(unmerged)).item()));
    // What a plain model has of it.
    const auto plain = vit();
    plain->load_state_dict(merged_state);
    CHECK(same_bits(plain->forward(images).value(), merged));
    REQUIRE(merged_state.size() == before.size());
    nn::unmerge_lora(*model);
    CHECK(same_bits(model->forward(images).value(), unmerged));
    for (const auto& [key, value] : model->state_dict()) {
      if (nn::is_lora(key)) continue;
      for (const auto& [name, old] : before)
        if (name == key) CHECK(same_bits(value, old));
    }
  }
}

TEST_CASE("lora: a merged model is not merged twice, nor taken apart after a change") {
  const auto model = vit();
  CHECK_THROWS_WITH_AS(nn::merge_lora(*model), doctest::Contains("no low-rank updates to merge"), Error);
  CHECK_THROWS_WITH_AS(nn::unmerge_lora(*model), doctest::Contains("no low-rank updates to take out"), Error);
  Rng rng(2);
  nn::add_lora(*model, options("attn.qkv"), rng);
  CHECK_THROWS_WITH_AS(nn::unmerge_lora(*model), doctest::Contains("are not merged"), Error);
  nn::merge_lora(*model);
  CHECK_THROWS_WITH_AS(nn::merge_lora(*model), doctest::Contains("merged already"), Error);
  Tensor weight = model->blocks[1].attn.qkv.weight.value();
  fill_(weight, 0.5);
  CHECK_THROWS_WITH_AS(nn::unmerge_lora(*model), doctest::Contains("a merged weight was changed since"), Error);
}

TEST_CASE("lora: the options are found again; a second time is refused") {
  const auto model = vit();
  CHECK(!nn::lora_of(*model));
  Rng rng(2);
  nn::add_lora(*model, options("attn.qkv"), rng);
  CHECK(nn::lora_of(*model) == options("attn.qkv"));
  CHECK_THROWS_WITH_AS(nn::add_lora(*model, options("mlp.fc1"), rng), doctest::Contains("has low-rank updates already"), Error);
}

TEST_CASE("lora: a pattern that names no linear layer, and numbers out of range, are refused") {
  const auto model = vit();
  Rng rng(2);
  const auto refusal = [&](nn::LoraOptions o) { return message_of([&] { nn::add_lora(*model, o, rng); }); };
  CHECK(contains(refusal(options("attn.qkv,query")),
                 "no linear layer is named by \"query\". Hint: there are patch_embed.proj, "));
  CHECK(contains(refusal(options("")), "targets name no layer"));
  CHECK(contains(refusal({.rank = 0}), "rank must be in [1, 4096]: it is 0"));
  CHECK(contains(refusal({.alpha = 0}), "alpha must be a finite number above 0: it is 0"));
  CHECK(contains(refusal({.dropout = 1}), "dropout must be in [0, 1): it is 1"));
  CHECK(!nn::lora_of(*model));
}

TEST_CASE("lora: multiply-adds of the updates are counted until they are merged") {
  nn::Linear layer(6, 4, Rng(1));
  Rng rng(2);
  CHECK(layer.macs({5, 6}, {5, 4}) == 5 * 24);
  layer.add_update("lora", std::make_unique<nn::LowRank>(layer.weight.value(), 0, 4, options("x"), rng));
  CHECK(layer.macs({5, 6}, {5, 4}) == 5 * (24 + 3 * 6 + 4 * 3));
  layer.merge();
  CHECK(layer.macs({5, 6}, {5, 4}) == 5 * 24);
}

}  // namespace vitrail::testing
