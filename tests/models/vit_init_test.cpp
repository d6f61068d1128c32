// The initialisation schemes, each against the distribution that its source names.
#include <doctest/doctest.h>

#include <cmath>

#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;

ViTConfig wide_config(const std::string& scheme) {
  ViTConfig c = tiny_config();
  c.embed_dim = 96, c.num_heads = 4, c.mlp_ratio = 3, c.num_classes = 50, c.weight_init = scheme;
  return c;
}

struct Built {
  explicit Built(const ViTConfig& c) : rng(9), model(c, rng) {}
  Rng rng;
  ViT model;
};

double deviation(const Variable& x) { return std::sqrt(var(x.value()).item()); }
double largest(const Variable& x) { return max(abs(x.value())).item(); }

void check_uniform(const Variable& x, double bound) {
  CHECK(largest(x) <= bound);
  CHECK(largest(x) > 0.95 * bound);
  CHECK(deviation(x) == doctest::Approx(bound / std::sqrt(3.0)).epsilon(0.03));
}

TEST_CASE("timm's scheme: narrow normal matrices, no biases; the empty name means the same") {
  Built b(wide_config("timm")), same(wide_config(""));
  CHECK(deviation(b.model.blocks[0].attn.qkv.weight) == doctest::Approx(0.02 * 0.8796).epsilon(0.03));
  CHECK(deviation(b.model.pos_embed) == doctest::Approx(0.02 * 0.8796).epsilon(0.1));
  CHECK(largest(b.model.cls_token) < 1e-5);
  CHECK(largest(b.model.cls_token) > 0);
  CHECK(largest(b.model.blocks[1].mlp.fc1.bias) == 0);
  CHECK(bit_equal(b.model.head->weight.value(), same.model.head->weight.value()));
}

TEST_CASE("moco: Q, K and V each have fans of their own, everything else is Xavier") {
  Built b(wide_config("moco"));
  check_uniform(b.model.blocks[0].attn.qkv.weight, std::sqrt(6.0 / (96 + 96)));
  check_uniform(b.model.blocks[1].attn.proj.weight, std::sqrt(6.0 / (96 + 96)));
  check_uniform(b.model.blocks[1].mlp.fc1.weight, std::sqrt(6.0 / (96 + 288)));
  check_uniform(b.model.head->weight, std::sqrt(6.0 / (96 + 50)));
  CHECK(largest(b.model.blocks[0].attn.qkv.bias) == 0);
  CHECK(largest(b.model.head->bias) == 0);
}

TEST_CASE("jax: Xavier matrices, a head of zeros, tiny MLP biases; nlhb starts at -log K") {
  Built b(wide_config("jax")), nlhb(wide_config("jax_nlhb"));
  check_uniform(b.model.blocks[0].attn.qkv.weight, std::sqrt(6.0 / (96 + 288)));
  CHECK(deviation(b.model.patch_embed.proj.weight) == doctest::Approx(1 / std::sqrt(48.0)).epsilon(0.03));
  CHECK(largest(b.model.patch_embed.proj.bias) == 0);
  CHECK(deviation(b.model.blocks[0].mlp.fc1.bias) == doctest::Approx(1e-6).epsilon(0.2));
  CHECK(largest(b.model.blocks[0].attn.qkv.bias) == 0);
  CHECK(largest(b.model.head->weight) == 0);
  CHECK(largest(b.model.head->bias) == 0);
  CHECK(nlhb.model.head->bias.value().at({7}) == doctest::Approx(-std::log(50.0)));
}

TEST_CASE("skip: PyTorch's layer defaults stay") {
  Built b(wide_config("skip"));
  check_uniform(b.model.blocks[0].attn.qkv.weight, 1 / std::sqrt(96.0));
  CHECK(largest(b.model.blocks[0].mlp.fc2.bias) <= 1 / std::sqrt(288.0));
  CHECK(largest(b.model.blocks[0].mlp.fc2.bias) > 0);
}

TEST_CASE("fix_init divides the last matrices of block i by the root of 2 i, and nothing else") {
  ViTConfig c = wide_config("timm");
  Built plain(c);
  c.fix_init = true;
  Built fixed(c);
  for (size_t i = 0; i < 2; ++i) {
    const double factor = 1 / std::sqrt(2.0 * static_cast<double>(i + 1));
    nn::EncoderBlock &a = plain.model.blocks[i], &b = fixed.model.blocks[i];
    CHECK(largest_difference(mul(a.attn.proj.weight.value(), factor), b.attn.proj.weight.value()) < 1e-8);
    CHECK(largest_difference(mul(a.mlp.fc2.weight.value(), factor), b.mlp.fc2.weight.value()) < 1e-8);
    CHECK(bit_equal(a.mlp.fc1.weight.value(), b.mlp.fc1.weight.value()));
  }
}

TEST_CASE("the pools see the patches alone, or every token if told so") {
  ViTConfig c = tiny_config();
  c.num_classes = 0, c.reg_tokens = 2, c.final_norm = false, c.global_pool = "avg";
  const Tensor tokens = rand_normal({2, 3 + 4, 16}, 0, 1, Rng(4));
  const Tensor patches = vitrail::contiguous(slice(tokens, 1, 3, 7));
  const auto pooled = [&] { return Built(c).model.forward_head(tokens).value(); };
  CHECK(largest_difference(pooled(), mean(patches, {1})) < 1e-6);
  c.global_pool = "avgmax";
  CHECK(largest_difference(pooled(), mul(add(mean(patches, {1}), max(patches, {1})), 0.5)) < 1e-6);
  c.global_pool = "max", c.pool_include_prefix = true;
  CHECK(largest_difference(pooled(), max(tokens, {1})) < 1e-6);
}

}  // namespace
}  // namespace vitrail::testing
