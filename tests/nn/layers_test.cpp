#include <doctest/doctest.h>

#include <cmath>

#include "nn/nn.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

TEST_CASE("patch embedding is a convolution whose stride is its kernel") {
  Rng rng(1);
  nn::PatchEmbed embed(2, 4, 3, 5, rng);
  embed.proj.bias.set_value(rand_normal({5}, 0, 1, Rng(2)));
  const Tensor images = random_images({2, 3, 6, 8});
  const Variable convolved = conv2d(images, embed.proj.weight, embed.proj.bias, {.stride_h = 2, .stride_w = 4});
  const Variable as_convolution = transpose(flatten(convolved, 2), 1, 2);
  CHECK(largest_difference(embed(images).value(), contiguous(as_convolution).value()) < 1e-5);
  CHECK(contains(message_of([&] { embed(random_images({1, 3, 7, 8})); }), "patch is 2 x 4"));
  CHECK(contains(message_of([&] { embed(random_images({1, 2, 6, 8})); }), "channels of the weight"));
}

TEST_CASE("self-attention equals attention written out with matrix products") {
  Rng rng(1);
  nn::MultiHeadAttention attn(6, 2, rng);
  attn.qkv.bias.set_value(rand_normal({18}, 0, 1, Rng(2)));
  attn.keep_attention_map = true;
  const Tensor x = random_images({2, 4, 6});
  const Tensor fused = linear(x, attn.qkv.weight.value(), attn.qkv.bias.value());
  const auto part = [&](int64_t i, int64_t head) { return slice(fused, 2, 6 * i + 3 * head, 6 * i + 3 * head + 3); };
  std::vector<Tensor> heads, maps;
  for (int64_t h = 0; h < 2; ++h) {
    maps.push_back(softmax(matmul(part(0, h), transpose(part(1, h))) / std::sqrt(3.0)));
    heads.push_back(matmul(maps.back(), part(2, h)));
  }
  const Tensor expected = linear(concat(heads, 2), attn.proj.weight.value(), attn.proj.bias.value());
  CHECK(largest_difference(attn(x).value(), expected) < 1e-5);
  CHECK(largest_difference(attn.attention_map, stack(maps, 1)) < 1e-5);
}

TEST_CASE("heads are cut off and merged as views, and wrong shapes are named") {
  const Tensor x = random_images({2, 4, 6});
  const Variable heads = nn::split_heads(x, 3);
  CHECK(heads.shape() == Shape{2, 3, 4, 2});
  CHECK(heads.value().at({1, 2, 3, 0}) == x.at({1, 3, 4}));
  CHECK(nn::merge_heads(heads).value().storage() == x.storage());
  CHECK(bit_equal(nn::merge_heads(heads).value(), x));
  CHECK(contains(message_of([&] { nn::split_heads(x, 4); }), "x is [2, 4, 6], heads is 4"));
  CHECK(contains(message_of([&] { nn::merge_heads(x); }), "x is [B, H, N, K]: x is [2, 4, 6]"));
}

TEST_CASE("cross-attention to itself is self-attention") {
  Rng rng(1);
  nn::MultiHeadAttention attn(6, 2, rng, {.qk_norm = true});
  const Tensor x = random_images({2, 4, 6});
  CHECK(largest_difference(attn(x).value(), attn.cross(x, x).value()) < 1e-5);
  CHECK(attn.cross(x, random_images({2, 7, 6})).shape() == Shape{2, 4, 6});
}

TEST_CASE("a causal mask hides later tokens") {
  Rng rng(1);
  nn::MultiHeadAttention attn(6, 2, rng);
  const Tensor mask = to(tril(ones({4, 4})), Dtype::u8);
  Tensor x = random_images({1, 4, 6});
  const Tensor before = attn.self(x, mask).value();
  fill_(select(x, 1, 3), 9);
  const Tensor after = attn.self(x, mask).value();
  CHECK(largest_difference(slice(before, 1, 0, 3), slice(after, 1, 0, 3)) < 1e-6);
  CHECK(largest_difference(before, after) > 1e-3);
}

TEST_CASE("heads that do not divide the width are refused, unless their own width is given") {
  Rng rng(1);
  CHECK(contains(message_of([&] { nn::MultiHeadAttention(10, 3, rng); }), "dim is 10, num_heads is 3"));
  CHECK(contains(message_of([&] { nn::MultiHeadAttention(10, 3, rng); }), "head_dim"));
  CHECK(contains(message_of([&] { nn::MultiHeadAttention(10, 3, rng, {.head_dim = -1}); }), "head_dim is -1"));
}

TEST_CASE("heads of another width than dim / num_heads") {
  Rng rng(1);
  nn::MultiHeadAttention attn(10, 3, rng, {.head_dim = 4});
  CHECK(attn.qkv.weight.shape() == Shape{36, 10});
  CHECK(attn.proj.weight.shape() == Shape{10, 12});
  const Tensor x = random_images({2, 5, 10});
  std::vector<Tensor> heads;
  for (int64_t h = 0; h < 3; ++h) {
    const auto part = [&](int64_t i) {
      const int64_t first = 12 * i + 4 * h;
      return linear(x, slice(attn.qkv.weight.value(), 0, first, first + 4));
    };
    heads.push_back(matmul(softmax(matmul(part(0), transpose(part(1))) / 2.0), part(2)));
  }
  const Tensor expected = linear(concat(heads, 2), attn.proj.weight.value());
  CHECK(largest_difference(attn(x).value(), expected) < 1e-5);
  CHECK(largest_difference(attn.cross(x, x).value(), expected) < 1e-5);
  CHECK(attn.macs({2, 5, 10}, {2, 5, 10}) == 2 * 2 * 5 * 5 * 12);
  nn::EncoderBlock block(10, 3, rng, {.attention = {.head_dim = 4}});
  CHECK(block(x).shape() == Shape{2, 5, 10});
}

TEST_CASE("some outputs of a linear layer are slices of all of them") {
  Rng rng(1);
  nn::Linear layer(6, 9, rng);
  layer.bias.set_value(rand_normal({9}, 0, 1, Rng(2)));
  const Tensor x = random_images({2, 4, 6});
  CHECK(largest_difference(layer.outputs(x, 2, 7).value(), contiguous(slice(layer(x).value(), 2, 2, 7))) < 1e-6);
}

TEST_CASE("the projection of patches is a linear layer whose weight is stored as a convolution's") {
  Rng rng(1);
  nn::PatchEmbed embed(2, 4, 3, 5, rng);
  CHECK(embed.proj.weight.shape() == Shape{5, 3, 2, 4});
  CHECK(embed.proj.matrix().shape() == Shape{5, 24});
  CHECK(embed.proj.matrix().value().storage() == embed.proj.weight.value().storage());
  CHECK(embed.proj.macs({2, 6, 24}, {2, 6, 5}) == 2 * 6 * 5 * 24);
  sum(embed(random_images({2, 3, 4, 8}))).backward();
  CHECK(embed.proj.weight.grad().shape() == Shape{5, 3, 2, 4});
  CHECK(contains(message_of([&] { nn::PatchEmbed(0, 4, 3, 5, rng); }), "the weight is [5, 3, 0, 4]"));
}

TEST_CASE("dropout of attention, or of nothing, keeps the values of evaluation") {
  Rng rng(1);
  nn::MultiHeadAttention attn(8, 2, rng, {.attn_drop = 0.5});
  const Tensor x = random_images({2, 4, 8});
  attn.eval();
  const Tensor calm = attn(x).value();
  CHECK(bit_equal(calm, attn(x).value()));
  attn.train();
  manual_seed(1);
  const Tensor first = attn(x).value();
  CHECK_FALSE(bit_equal(first, attn(x).value()));
  manual_seed(1);
  CHECK(bit_equal(first, attn(x).value()));
}

TEST_CASE("blocks are pre-norm or post-norm as asked") {
  Rng rng(1);
  nn::EncoderBlock pre(8, 2, rng), post(8, 2, rng, {.post_norm = true});
  const Variable x = random_images({2, 4, 8});
  const Variable y = x + pre.attn(pre.norm1(x));
  CHECK(largest_difference(pre(x).value(), (y + pre.mlp(pre.norm2(y))).value()) < 1e-6);
  const Variable z = post.norm1(x + post.attn(x));
  CHECK(largest_difference(post(x).value(), post.norm2(z + post.mlp(z)).value()) < 1e-6);
}

TEST_CASE("LayerScale near zero makes a block nearly the identity") {
  Rng rng(1);
  nn::EncoderBlock block(8, 2, rng, {.init_values = 1e-6});
  const Tensor x = random_images({2, 4, 8});
  CHECK(largest_difference(block(x).value(), x) < 1e-4);
}

TEST_CASE("activation names go both ways and an unknown one is answered with the list") {
  for (const char* name : {"relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "tanh", "sigmoid"}) {
    CHECK(std::string(nn::activation_name(nn::activation_from_name(name))) == name);
  }
  CHECK(contains(message_of([] { nn::activation_from_name("swish"); }), "silu"));
}

TEST_CASE("batch norm uses the batch in training and its memory in evaluation") {
  nn::BatchNorm2d norm(2);
  const Tensor x = random_images({4, 2, 3, 3}) * 3.0 + 5.0;
  const Tensor trained = norm(x).value();
  CHECK(std::abs(mean(trained).item()) < 1e-5);
  CHECK(mean(norm.running_mean).item() == doctest::Approx(0.1 * mean(x).item()).epsilon(1e-4));
  norm.eval();
  CHECK(mean(norm(x).value()).item() > 1);
}

TEST_CASE("the summary shows every layer's output, parameters and work") {
  Rng rng(1);
  nn::Sequential net;
  net.add<nn::Conv2d>(1, 4, 3, 3, rng, Conv2dOptions{.padding_h = 1, .padding_w = 1});
  net.add<nn::Flatten>();
  net.add<nn::Linear>(4 * 6 * 6, 10, rng);
  net.train();
  net[1].eval();
  const nn::Summary summary = nn::summarize(net, {1, 1, 6, 6});
  CHECK(summary.parameters == 40 + 1450);
  CHECK(summary.macs == 36 * 4 * 9 + 1440);
  CHECK(contains(to_string(summary), "[1, 4, 6, 6]"));
  CHECK(net.training());
  CHECK_FALSE(net[1].training());
}

}  // namespace

TEST_CASE("without gradients a layer keeps its packed weight until the weight changes") {
  Rng rng(33);
  nn::Linear layer(96, 80, rng);
  const Tensor x = rand_normal({20, 96}, 0, 1, Rng(34));
  const Tensor recorded = layer(x).value();
  const NoGradGuard no_grad;
  const Tensor first = layer(x).value();
  CHECK(largest_difference(first, recorded) < 1e-5);
  const int64_t before = memory_stats().live_bytes;
  CHECK(bit_equal(layer(x).value(), first));
  CHECK(memory_stats().live_bytes == before);  // packed once
  fill_(layer.weight.value(), 0.5);            // in place
  CHECK(largest_difference(layer(x).value(), add(mul(sum(x, {1}, true), 0.5), zeros({1, 80}))) < 1e-4);
  layer.weight.set_value(zeros({80, 96}));  // other memory
  CHECK(max(abs(layer(x).value())).item() == 0);
  {
    const PrecisionGuard guard(Precision::kBf16);
    layer.weight.set_value(rand_normal({80, 96}, 0, 1, Rng(35)));
    const Tensor half = layer(x).value();
    const PrecisionGuard exact(Precision::kF32);
    const double error = largest_difference(half, layer(x).value());
    CHECK(error > 1e-4);
    CHECK(error < 0.3);
  }
}

}  // namespace vitrail::testing
