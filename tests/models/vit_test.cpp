#include <doctest/doctest.h>

#include <algorithm>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;

Tensor logits_of(const ViTConfig& c, const Tensor& images) {
  Rng rng(3);
  ViT model(c, rng);
  model.eval();
  return model(images).value();
}

TEST_CASE("parameter paths are timm's keys") {
  ViTConfig c = tiny_config();
  c.depth = 1, c.qk_norm = true, c.init_values = 0.1, c.reg_tokens = 2, c.pre_norm = true;
  Rng rng(1);
  ViT model(c, rng);
  std::vector<std::string> names;
  for (const auto& p : model.named_parameters()) names.push_back(p.name);
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"blocks.0.attn.k_norm.bias",
                                          "blocks.0.attn.k_norm.weight",
                                          "blocks.0.attn.proj.bias",
                                          "blocks.0.attn.proj.weight",
                                          "blocks.0.attn.q_norm.bias",
                                          "blocks.0.attn.q_norm.weight",
                                          "blocks.0.attn.qkv.bias",
                                          "blocks.0.attn.qkv.weight",
                                          "blocks.0.ls1.gamma",
                                          "blocks.0.ls2.gamma",
                                          "blocks.0.mlp.fc1.bias",
                                          "blocks.0.mlp.fc1.weight",
                                          "blocks.0.mlp.fc2.bias",
                                          "blocks.0.mlp.fc2.weight",
                                          "blocks.0.norm1.bias",
                                          "blocks.0.norm1.weight",
                                          "blocks.0.norm2.bias",
                                          "blocks.0.norm2.weight",
                                          "cls_token",
                                          "head.bias",
                                          "head.weight",
                                          "norm.bias",
                                          "norm.weight",
                                          "norm_pre.bias",
                                          "norm_pre.weight",
                                          "patch_embed.proj.weight",
                                          "pos_embed",
                                          "reg_token"});
  CHECK(model.no_weight_decay() == std::vector<std::string>{"cls_token", "reg_token", "pos_embed"});
}

TEST_CASE("every option gives logits of the right shape") {
  std::vector<ViTConfig> configs(9, tiny_config());
  configs[1].global_pool = "avg", configs[1].class_token = false;
  configs[2].global_pool = "avgmax", configs[2].pool_include_prefix = true, configs[2].reg_tokens = 2,
  configs[2].fc_norm = false;
  configs[3].pos_embed = "sincos2d", configs[3].no_embed_class = true;
  configs[4].pos_embed = "none", configs[4].qk_norm = true, configs[4].act_layer = "quick_gelu";
  configs[5].pre_norm = true, configs[5].post_norm = true, configs[5].final_norm = false;
  configs[6].weight_init = "jax", configs[6].init_values = 1e-5;
  configs[7].weight_init = "moco", configs[7].fix_init = true, configs[7].qkv_bias = configs[7].proj_bias = false,
  configs[7].depth = 0;
  configs[8].attn_drop_rate = configs[8].proj_drop_rate = configs[8].drop_path_rate = configs[8].patch_drop_rate = 0.3;
  for (size_t i = 0; i < configs.size(); ++i) {
    CAPTURE(i);
    Rng rng(1);
    ViT model(configs[i], rng);
    for (const bool training : {true, false}) {
      model.train(training);
      CHECK(model(random_images({3, 3, 8, 8})).shape() == Shape{3, 5});
    }
  }
}

TEST_CASE("without classes the model gives features, and the tokens come prefix first") {
  ViTConfig c = tiny_config();
  c.num_classes = 0, c.reg_tokens = 2, c.img_size = {8, 16};
  Rng rng(1);
  ViT model(c, rng);
  const Tensor images = random_images({2, 3, 8, 16});
  CHECK(model(images).shape() == Shape{2, 16});
  CHECK(model.forward_features(images).shape() == Shape{2, 1 + 2 + 8, 16});
  const Tensor tokens = model.embed(images).value();
  const Tensor expected = add(select(model.cls_token.value(), 1, 0), select(model.pos_embed.value(), 1, 0));
  CHECK(largest_difference(select(tokens, 1, 0), Tensor(vitrail::contiguous(expand(expected, {2, 16})))) < 1e-7);
}

TEST_CASE("images that do not fit are refused with both shapes") {
  Rng rng(1);
  ViT model(tiny_config(), rng);
  const std::string message = message_of([&] { model(random_images({1, 3, 12, 8})); });
  CHECK(contains(message, "images is [1, 3, 12, 8], the model takes [B, 3, 8, 8]"));
}

TEST_CASE("a dynamic model takes other sizes and agrees with itself at its own") {
  ViTConfig c = tiny_config();
  const Tensor images = random_images({2, 3, 8, 8});
  const Tensor fixed = logits_of(c, images);
  c.dynamic_img_size = true;
  CHECK(bit_equal(fixed, logits_of(c, images)));
  CHECK(logits_of(c, random_images({2, 3, 12, 16})).shape() == Shape{2, 5});
}

// The two halves of every image exchanged.
Tensor halves_swapped(const Tensor& images) { return roll(images, images.size(3) / 2, 3); }

TEST_CASE("without positions a ViT cannot tell left from right, with them it can") {
  ViTConfig c = tiny_config();
  const Tensor images = random_images({2, 3, 8, 8});
  CHECK(largest_difference(logits_of(c, images), logits_of(c, halves_swapped(images))) > 1e-4);
  c.pos_embed = "none";
  CHECK(largest_difference(logits_of(c, images), logits_of(c, halves_swapped(images))) < 1e-5);
  c.global_pool = "avg";
  CHECK(largest_difference(logits_of(c, images), logits_of(c, halves_swapped(images))) < 1e-5);
}

TEST_CASE("attention maps come one per block on request, and their rows sum to one") {
  Rng rng(1);
  ViT model(tiny_config(), rng);
  model(random_images({2, 3, 8, 8}));
  CHECK(model.attention_maps().empty());
  model.capture_attention(true);
  model(random_images({2, 3, 8, 8}));
  REQUIRE(model.attention_maps().size() == 2);
  for (const Tensor& map : model.attention_maps()) {
    CHECK(map.shape() == Shape{2, 2, 5, 5});
    CHECK(largest_difference(sum(map, {3}), ones({2, 2, 5})) < 1e-5);
  }
}

std::vector<Tensor> gradients(ViT& model, const Tensor& images) {
  model.zero_grad();
  manual_seed(11);
  cross_entropy(model(images), from_vector(std::vector<int64_t>{0, 4, 2}, {3})).backward();
  std::vector<Tensor> result;
  for (const auto& p : model.named_parameters()) result.push_back(p.parameter->grad());
  return result;
}

TEST_CASE("after one backward pass every trainable parameter has a gradient and every frozen one has none") {
  ViTConfig c = tiny_config();
  c.qk_norm = true, c.reg_tokens = 1, c.init_values = 0.5, c.drop_path_rate = 0.1;
  Rng rng(1);
  ViT model(c, rng);
  model.patch_embed.proj.weight.set_requires_grad(false);
  model.eval(), model.train();
  gradients(model, random_images({3, 3, 8, 8}));
  for (const auto& p : model.named_parameters()) {
    CAPTURE(p.name);
    CHECK(p.parameter->requires_grad() == (p.name != "patch_embed.proj.weight"));
    CHECK(p.parameter->grad().defined() == p.parameter->requires_grad());
    if (!p.parameter->grad().defined()) continue;
    CHECK(sum(isfinite(p.parameter->grad())).item() == static_cast<double>(p.parameter->numel()));
    CHECK(max(abs(p.parameter->grad())).item() > 0);
  }
}

TEST_CASE("the bias of the keys gets no gradient: softmax does not see a constant per row") {
  Rng rng(1);
  ViT model(tiny_config(), rng);
  model.to(Dtype::f64);
  gradients(model, to(random_images({3, 3, 8, 8}), Dtype::f64));
  const Tensor grad = model.blocks[0].attn.qkv.bias.grad();
  CHECK(max(abs(slice(grad, 0, 16, 32))).item() < 1e-12);
  CHECK(max(abs(slice(grad, 0, 32, 48))).item() > 1e-6);
}

TEST_CASE("gradient checkpointing changes neither value nor gradient, dropout included") {
  ViTConfig c = tiny_config();
  c.proj_drop_rate = 0.2, c.drop_path_rate = 0.2;
  Rng rng(1);
  ViT model(c, rng);
  const Tensor images = random_images({3, 3, 8, 8});
  const std::vector<Tensor> plain = gradients(model, images);
  model.set_grad_checkpointing(true);
  const std::vector<Tensor> again = gradients(model, images);
  for (size_t i = 0; i < plain.size(); ++i) CHECK(largest_difference(plain[i], again[i]) < 1e-6);
}

TEST_CASE("forward and backward give the same bits for 1, 2 and 4 threads") {
  ViTConfig c = tiny_config();
  c.embed_dim = 48, c.num_heads = 3, c.drop_path_rate = 0.1, c.proj_drop_rate = 0.1, c.img_size = 32;
  const int before = num_threads();
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Rng rng(1);
    ViT model(c, rng);
    results.push_back(gradients(model, random_images({3, 3, 32, 32})));
  }
  set_num_threads(before);
  for (size_t i = 0; i < results[0].size(); ++i) {
    CHECK(bit_equal(results[0][i], results[1][i]));
    CHECK(bit_equal(results[0][i], results[2][i]));
  }
}

TEST_CASE("the fixed sin-cos positions follow their formula, x before y") {
  const Tensor table = sincos2d({2, 3}, 8);
  const double omega = 1e-4;  // of the second frequency
  CHECK(table.at({0, 5, 0}) == doctest::Approx(std::sin(2.0)));
  CHECK(table.at({0, 5, 1}) == doctest::Approx(std::sin(2 * omega)));
  CHECK(table.at({0, 5, 2}) == doctest::Approx(std::cos(2.0)));
  CHECK(table.at({0, 5, 4}) == doctest::Approx(std::sin(1.0)));
  CHECK(table.at({0, 5, 6}) == doctest::Approx(std::cos(1.0)));
}

}  // namespace
}  // namespace vitrail::testing
