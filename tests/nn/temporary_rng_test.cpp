// Constructors take a generator by name or as a temporary; the values are the same.
#include <doctest/doctest.h>

#include "models/presets.h"
#include "nn/nn.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

bool same_state(nn::Module& a, nn::Module& b) {
  const nn::StateDict x = a.state_dict(), y = b.state_dict();
  bool same = x.size() == y.size() && !x.empty();
  for (size_t i = 0; same && i < x.size(); ++i) same = x[i].first == y[i].first && bit_equal(x[i].second, y[i].second);
  return same;
}

TEST_CASE("layers built from a temporary generator have the values of those built from a named one") {
  const auto named = [] { return Rng(4); };
  Rng r1 = named(), r2 = named(), r3 = named(), r4 = named(), r5 = named(), r6 = named(), r7 = named();
  nn::Linear linear(3, 2, r1), linear_t(3, 2, Rng(4));
  CHECK(same_state(linear, linear_t));
  nn::Embedding embedding(3, 2, r2), embedding_t(3, 2, Rng(4));
  CHECK(same_state(embedding, embedding_t));
  nn::Conv2d conv(1, 2, 3, 3, r3), conv_t(1, 2, 3, 3, Rng(4));
  CHECK(same_state(conv, conv_t));
  nn::MultiHeadAttention attn(8, 2, r4, {.qk_norm = true}), attn_t(8, 2, Rng(4), {.qk_norm = true});
  CHECK(same_state(attn, attn_t));
  nn::Mlp mlp(8, 16, r5), mlp_t(8, 16, Rng(4));
  CHECK(same_state(mlp, mlp_t));
  nn::EncoderBlock block(8, 2, r6), block_t(8, 2, Rng(4));
  CHECK(same_state(block, block_t));
  nn::PatchEmbed patches(4, 4, 1, 8, r7), patches_t(4, 4, 1, 8, Rng(4));
  CHECK(same_state(patches, patches_t));
}

TEST_CASE("initial values and models from a temporary generator, containers included") {
  Rng rng(4), again(4);
  CHECK(bit_equal(nn::trunc_normal({2, 3}, 1, rng), nn::trunc_normal({2, 3}, 1, Rng(4))));
  CHECK(bit_equal(nn::kaiming_uniform({2, 3}, again), nn::kaiming_uniform({2, 3}, Rng(4))));
  models::ViT model(tiny_config(), Rng(4));
  const auto made = models::make_model(models::ModelConfig(tiny_config()), Rng(4));
  CHECK(same_state(model, *made));
  nn::Sequential net;
  Rng other(4);
  net.add<nn::Linear>(3, 2, Rng(4));
  CHECK(bit_equal(net.state_dict()[0].second, nn::Linear(3, 2, other).weight.value()));
}

}  // namespace
}  // namespace vitrail::testing
