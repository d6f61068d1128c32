// The fast way through a block against its equation, which runs while the layers are observed.
#include <doctest/doctest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "nn/fused_block.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "tensor/ops/attention.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

// While it lives and `apart`, the block's layers run one by one.
class Apart {
 public:
  Apart(nn::Module& block, bool apart = true) {
    if (apart) watch_.emplace(block, [](const nn::Observation&) {});
  }

 private:
  std::optional<nn::ObserverGuard> watch_;
};

struct Case {
  std::string name;
  nn::BlockOptions options;
};

std::vector<Case> cases() {
  return {{"plain", {}},
          {"post-norm", {.post_norm = true}},
          {"LayerScale", {.init_values = 0.3}},
          {"drop path", {.drop_path = 0.4}},
          {"LayerScale and drop path", {.drop_path = 0.4, .init_values = 0.3}},
          {"all, post-norm", {.drop_path = 0.4, .init_values = 0.3, .post_norm = true}},
          {"qk_norm", {.attention = {.qk_norm = true}, .init_values = 0.3}},
          {"wide heads", {.attention = {.head_dim = 24}, .drop_path = 0.4, .init_values = 0.3}},
          {"no biases", {.attention = {.qkv_bias = false, .proj_bias = false}, .mlp_bias = false, .init_values = 0.3}}};
}

// {value, gradient of x, gradients of the parameters} of one training step; every parameter is random.
std::vector<Tensor> step(const nn::BlockOptions& options, Dtype dtype, bool apart, int64_t tokens = 17) {
  Rng rng(31);
  nn::EncoderBlock block(48, 3, rng, options);
  uint64_t seed = 50;
  for (const nn::NamedParameter& p : block.named_parameters())
    p.parameter->set_value(p.parameter->value() + rand_normal(p.parameter->shape(), 0, 0.1, Rng(++seed)));
  block.to(dtype);
  const Variable x(rand_normal({5, tokens, 48}, 0, 1, Rng(32), dtype), true);
  manual_seed(7);  // of drop path
  const Apart layers(block, apart);
  CHECK(nn::fused::applies(block) == !apart);
  const Variable y = block(x);
  y.backward(rand_normal(y.shape(), 0, 1, Rng(33), dtype));
  std::vector<Tensor> results{y.value(), x.grad()};
  for (const nn::NamedParameter& p : block.named_parameters()) results.push_back(p.parameter->grad());
  return results;
}

// |a - b| / |b|, or the numerator alone where b is small: the gradient of a bias of all keys is zero but for rounding.
double relative_l2(const Tensor& a, const Tensor& b) {
  const Tensor wide = to(b, Dtype::f64);
  return std::sqrt(sum(square(sub(to(a, Dtype::f64), wide))).item() / std::max(1.0, sum(square(wide)).item()));
}

}  // namespace

TEST_CASE("a fused block has the values and gradients of its equation") {
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
      const std::vector<Tensor> found = step(c.options, dtype, false), wanted = step(c.options, dtype, true);
      REQUIRE(found.size() == wanted.size());
      for (size_t i = 0; i < found.size(); ++i) {
        CAPTURE(i);
        CHECK(relative_l2(found[i], wanted[i]) < (dtype == Dtype::f64 ? 1e-12 : 1e-5));
      }
    }
  }
}

TEST_CASE("bf16: a fused block is off its equation by no more than its roundings") {
  const PrecisionGuard guard(Precision::kBf16);
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const std::vector<Tensor> found = step(c.options, Dtype::f32, false, 65), wanted = step(c.options, Dtype::f32, true, 65);
    for (size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      CHECK(relative_l2(found[i], wanted[i]) < 1e-2);
    }
  }
}

TEST_CASE("drop path in a fused block drops the samples that the layer would drop") {
  Rng rng(1);
  nn::EncoderBlock block(48, 3, rng, {.drop_path = 0.5});
  const Tensor x = rand_normal({16, 5, 48}, 0, 1, Rng(2));
  const auto moved = [&](bool apart) {
    manual_seed(3);
    const Apart layers(block, apart);
    return max(abs(sub(block(x).value(), x)), {1, 2});
  };
  const Tensor fused = moved(false), apart = moved(true);
  int kept = 0;
  for (int64_t i = 0; i < 16; ++i) {
    CHECK((fused.at({i}) == 0) == (apart.at({i}) == 0));
    kept += fused.at({i}) > 0;
  }
  CHECK(kept > 4);
  CHECK(kept < 16);
}

TEST_CASE("the fast way is taken unless somebody watches, dropout is active or the activation is another") {
  Rng rng(1);
  nn::EncoderBlock plain(48, 3, rng), quick(48, 3, rng, {.activation = nn::ActivationKind::kQuickGelu});
  nn::EncoderBlock drop(48, 3, rng, {.proj_drop = 0.1}), attn_drop(48, 3, rng, {.attention = {.attn_drop = 0.1}});
  CHECK(nn::fused::applies(plain));
  CHECK_FALSE(nn::fused::applies(quick));
  for (nn::EncoderBlock* block : {&drop, &attn_drop}) {
    CHECK_FALSE(nn::fused::applies(*block));
    block->eval();
    CHECK(nn::fused::applies(*block));
  }
  const Apart layers(plain);
  CHECK_FALSE(nn::fused::applies(plain));
}

TEST_CASE("a block that runs fused gives what its layers give one by one") {
  Rng rng(31);
  nn::EncoderBlock block(48, 3, rng, {.mlp_ratio = 2});
  block.eval();
  const Tensor x = rand_normal({2, 17, 48}, 0, 1, Rng(32));
  const Variable fused = block(x);
  int seen = 0;
  Variable apart;
  {
    const nn::ObserverGuard watch(block, [&](const nn::Observation&) { ++seen; });
    apart = block(x);
  }
  CHECK(seen >= 8);  // two norms, qkv, proj, fc1, gelu, fc2 and the attention itself
  CHECK(largest_difference(fused.value(), apart.value()) < 1e-5);
}

TEST_CASE("bf16: a block whose arrays are stored in bf16 has the bits of the layers one by one, whose arrays are f32") {
  Rng rng(36);
  nn::EncoderBlock block(96, 3, rng, {.mlp_ratio = 2});
  block.eval();
  const Tensor x = rand_normal({4, 33, 96}, 0, 1, Rng(37));
  const PrecisionGuard guard(Precision::kBf16);
  const Tensor trained = block(x).value();
  Tensor apart, alone;
  {
    const Apart layers(block);
    apart = block(x).value();
  }
  {
    const NoGradGuard no_grad;
    alone = block(x).value();
    alone = block(x).value();  // with packed weights
  }
  CHECK(largest_difference(trained, apart) < 1e-6);  // residuals are added in another order
  CHECK(bit_equal(trained, alone));
}

TEST_CASE("in bf16 the attention of a fused block stores q, k, v in bf16, with the bits of layers that run apart") {
  Rng rng(41);
  nn::EncoderBlock block(96, 3, rng);
  block.attn.qkv.bias.set_value(rand_normal({288}, 0, 1, Rng(42)));
  block.mlp.fc2.weight.set_value(zeros({96, 384}));  // what is left is the attention
  const Tensor dy = rand_normal({2, 65, 96}, 0, 1, Rng(44));
  const PrecisionGuard guard(Precision::kBf16);
  int64_t live = 0;
  const auto pass = [&] {
    const Variable x(rand_normal({2, 65, 96}, 0, 1, Rng(43)), true);
    const int64_t before = memory_stats().live_bytes;
    const Variable y = block(x);
    live = memory_stats().live_bytes - before;
    block.zero_grad();
    y.backward(dy);
    return std::vector<Tensor>{y.value(), x.grad(), block.attn.qkv.weight.grad(), block.attn.proj.weight.grad(),
                               block.attn.proj.bias.grad()};
  };
  const std::vector<Tensor> fused = pass();
  const int64_t fused_live = live;
  std::vector<Tensor> apart;
  {
    const Apart layers(block);
    apart = pass();
  }
  for (size_t i = 0; i < fused.size(); ++i) CHECK(bit_equal(fused[i], apart[i]));
  if (attention_takes_rounded(Precision::kBf16)) CHECK(fused_live < live - dy.numel() * 2 * 3);
  const NoGradGuard no_grad;
  CHECK(bit_equal(block(rand_normal({2, 65, 96}, 0, 1, Rng(43))).value(), fused[0]));  // by packed weights
}

}  // namespace vitrail::testing
