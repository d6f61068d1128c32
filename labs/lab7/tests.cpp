// Lab 7: the parts of a ViT against loops over every element, theorems about positions, and what a walk over the model counts.
#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "labs/common/weights.h"
#include "models/cct.h"
#include "models/presets.h"
#include "models/vit.h"
#include "nn/conv.h"
#include "tensor/ops.h"

using namespace vitrail;
using models::CctConfig;
using models::ViTConfig;

namespace {

using lab::fixed, lab::randomise;

// 4 x 6 pixels in patches of 2 x 3: 2 x 2 patches.
ViTConfig small() {
  ViTConfig c;
  c.img_size = {4, 6}, c.patch_size = {2, 3}, c.in_chans = 2, c.num_classes = 3, c.embed_dim = 8, c.depth = 1, c.num_heads = 2,
  c.mlp_ratio = 1.5;
  return c;
}

std::vector<std::pair<std::string, ViTConfig>> varied() {
  std::vector<std::pair<std::string, ViTConfig>> all;
  const auto with = [&](const char* what, auto change) {
    ViTConfig c = small();
    change(c);
    all.emplace_back(what, c);
  };
  with("as it is", [](ViTConfig&) {});
  with("no class token, mean", [](ViTConfig& c) { c.class_token = false, c.global_pool = "avg"; });
  with("no positions", [](ViTConfig& c) { c.pos_embed = "none"; });
  with("positions for patches only", [](ViTConfig& c) { c.no_embed_class = true, c.reg_tokens = 3; });
  with("registers and distillation", [](ViTConfig& c) { c.reg_tokens = 2, c.dist_token = c.dist_head = true; });
  with("LayerScale", [](ViTConfig& c) { c.init_values = 0.1; });
  with("norms of q and k", [](ViTConfig& c) { c.qk_norm = true, c.head_dim = 3; });
  with("no biases", [](ViTConfig& c) { c.qkv_bias = c.proj_bias = false, c.patch_bias = false; });
  with("patch norms, pre-norm", [](ViTConfig& c) { c.patch_norms = true, c.pre_norm = true; });
  with("token and mean", [](ViTConfig& c) { c.global_pool = "token_avg", c.fc_norm = true; });
  with("attention pooling", [](ViTConfig& c) { c.global_pool = "map"; });
  with("projection", [](ViTConfig& c) { c.projection = 5; });
  with("no final norm", [](ViTConfig& c) { c.final_norm = false, c.depth = 3; });
  with("no classes", [](ViTConfig& c) { c.num_classes = 0; });
  with("hidden width given", [](ViTConfig& c) { c.mlp_hidden = 7; });
  with("three rows of two patches", [](ViTConfig& c) { c.img_size = {6, 6}; });
  return all;
}

}  // namespace

LAB_PROBE("7.1") {
  std::string text;
  for (const auto& [what, config] : varied()) text += cat(models::count_parameters(config), " ");
  return text;
}

TEST_SUITE("7.1") {
  TEST_CASE("the published sizes") {
    const auto count = [](int64_t dim, int64_t heads, int64_t depth, int64_t patch) {
      ViTConfig c;
      c.embed_dim = dim, c.num_heads = heads, c.depth = depth, c.patch_size = patch;
      return models::count_parameters(c);
    };
    CHECK(count(192, 3, 12, 16) == 5717416);
    CHECK(count(384, 6, 12, 16) == 22050664);
    CHECK(count(768, 12, 12, 16) == 86567656);
    CHECK(count(1024, 16, 24, 16) == 304326632);
    CHECK(count(768, 12, 12, 32) == 88224232);
  }
  TEST_CASE("the formula gives what a walk over the model counts, for every option") {
    for (const auto& both : varied()) {
      const auto& what = both.first;
      const auto& config = both.second;
      CAPTURE(what);
      models::ViT model(config, Rng(1));
      CHECK(models::count_parameters(config) == model.num_parameters());
    }
  }
  TEST_CASE("a fixed position embedding is no parameter") {
    ViTConfig learned = small(), fixed_ones = small();
    fixed_ones.pos_embed = "sincos2d";
    CHECK(models::count_parameters(learned) - models::count_parameters(fixed_ones) == (4 + 1) * 8);
  }
  TEST_CASE("each block costs the same, each class one row more") {
    lab::Dice dice(711);
    for (int round = 0; round < 10; ++round) {
      ViTConfig c = small();
      c.depth = dice.roll(1, 5), c.num_classes = dice.roll(1, 50);
      ViTConfig deeper = c, wider = c;
      ++deeper.depth, ++wider.num_classes;
      CHECK(models::count_parameters(deeper) - models::count_parameters(c) == models::block_count(8, 8, 12, true, true));
      CHECK(models::count_parameters(wider) - models::count_parameters(c) == 9);
    }
  }
}

namespace {

// Element (b, patch, c p p) of the patches by its indices.
Tensor patches_by_hand(const Tensor& x, int64_t ph, int64_t pw) {
  const int64_t rows = x.size(2) / ph, cols = x.size(3) / pw, channels = x.size(1);
  Tensor y = zeros({x.size(0), rows * cols, channels * ph * pw}, Dtype::f64);
  double* to = y.mutable_data<double>();
  for (int64_t b = 0; b < x.size(0); ++b)
    for (int64_t patch = 0; patch < rows * cols; ++patch)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t i = 0; i < ph; ++i)
          for (int64_t j = 0; j < pw; ++j) *to++ = x.at({b, c, patch / cols * ph + i, patch % cols * pw + j});
  return y;
}

Variable counted(const Shape& shape) {
  return reshape(arange(0, static_cast<double>(checked_numel(shape)), 1, Dtype::f64), shape);
}

}  // namespace

LAB_PROBE("7.2") { return lab::digits(nn::patchify(counted({1, 2, 4, 6}), 2, 3).value()); }
LAB_PROBE("7.2") { return lab::digits(nn::patchify(counted({1, 1, 6, 4}), 3, 1).value()); }
LAB_PROBE("7.2") { return lab::digits(nn::patchify(counted({1, 1, 6, 6}), 2, 3).value()); }
LAB_PROBE("7.2") { return cat(nn::patchify(Variable(fixed({1, 1, 2, 2}, 1), true), 1, 1).requires_grad()); }

TEST_SUITE("7.2") {
  TEST_CASE("every pixel is where it belongs, for images and patches that are not square") {
    const std::pair<Shape, std::pair<int64_t, int64_t>> cases[] = {
        {{2, 3, 4, 6}, {2, 3}}, {{1, 2, 6, 4}, {3, 1}}, {{2, 1, 4, 8}, {2, 2}}, {{1, 3, 8, 4}, {4, 4}}, {{1, 2, 3, 5}, {1, 1}}};
    for (const auto& both : cases) {
      const auto& shape = both.first;
      const auto& patch = both.second;
      CAPTURE(shape);
      CAPTURE(patch.first);
      CAPTURE(patch.second);
      const Tensor x = lab::random(shape, 721);
      CHECK(lab::difference(nn::patchify(x, patch.first, patch.second).value(), patches_by_hand(x, patch.first, patch.second),
                            0) == "");
    }
  }
  TEST_CASE("a patch of the whole image is the image, a patch of one pixel its channels") {
    const Tensor x = lab::random({2, 3, 4, 5}, 722);
    CHECK(lab::difference(nn::patchify(x, 4, 5).value(), reshape(contiguous(x), {2, 1, 60}), 0) == "");
    CHECK(lab::difference(nn::patchify(x, 1, 1).value(), transpose(reshape(contiguous(x), {2, 3, 20}), 1, 2), 0) == "");
  }
  TEST_CASE("images that the patch does not divide are still refused, others are not") {
    CHECK_THROWS_AS(nn::patchify(lab::random({1, 1, 4, 5}, 723), 2, 2), Error);
    CHECK(nn::patchify(lab::random({1, 1, 4, 6}, 723), 2, 2).shape() == Shape{1, 6, 4});
  }
  TEST_CASE("the gradient of a patch goes back to its pixels") {
    const Variable x(lab::random({1, 2, 4, 6}, 724), true);
    const auto fn = [](const std::vector<Variable>& in) { return square(nn::patchify(in[0], 2, 3)); };
    CHECK(gradcheck(fn, {x}).message == "");
  }
}

namespace {

struct RandomEmbed : nn::PatchEmbed {
  RandomEmbed(int64_t ph, int64_t pw, int64_t channels, int64_t dim, uint64_t stream, bool norms = false, bool is_fixed = false)
      : nn::PatchEmbed(ph, pw, channels, dim, Rng(1)) {
    if (norms) add_norms(1e-6);
    randomise(*this, stream, is_fixed);
  }
};

}  // namespace

LAB_PROBE("7.3") {
  RandomEmbed embed(2, 3, 1, 6, 1, false, true);
  return lab::digits(embed(fixed({1, 1, 6, 6}, 9)).value(), 4);
}
LAB_PROBE("7.3") {
  RandomEmbed embed(3, 2, 1, 6, 1, false, true);
  return cat(embed(fixed({1, 1, 6, 6}, 9)).shape());
}
LAB_PROBE("7.3") {
  RandomEmbed embed(2, 3, 1, 6, 1, true, true);
  return lab::digits(embed(fixed({1, 1, 6, 6}, 9)).value(), 4);
}

TEST_SUITE("7.3") {
  TEST_CASE("it is a convolution whose stride is its kernel") {
    for (const auto& both : {std::pair<int64_t, int64_t>{2, 3}, {3, 2}, {1, 6}, {6, 1}}) {
      const auto& ph = both.first;
      const auto& pw = both.second;
      CAPTURE(ph);
      CAPTURE(pw);
      RandomEmbed embed(ph, pw, 3, 5, 731);
      const Variable x(lab::random({2, 3, 6, 6}, 732));
      const Variable y = conv2d(x, embed.proj.weight, embed.proj.bias, {.stride_h = ph, .stride_w = pw});
      CHECK(lab::difference(embed(x).value(), transpose(flatten(y, 2), 1, 2).value(), 1e-10) == "");
    }
  }
  TEST_CASE("with norms: one over the pixels of a patch, one over its features") {
    RandomEmbed embed(2, 2, 3, 5, 733, true);
    const Tensor patches = patches_by_hand(lab::random({2, 3, 4, 4}, 734), 2, 2);
    const Variable wanted = (*embed.norm_out)(embed.proj((*embed.norm_in)(patches)));
    CHECK(lab::difference(embed(lab::random({2, 3, 4, 4}, 734)).value(), wanted.value(), 1e-10) == "");
  }
  TEST_CASE("gradients reach the image, the weight and the bias") {
    RandomEmbed embed(2, 2, 2, 3, 735);
    const Variable x(lab::random({1, 2, 4, 2}, 736), true);
    CHECK(gradcheck([&](const std::vector<Variable>& in) { return embed(in[0]); }, {x}).message == "");
    sum(square(embed(x))).backward();
    CHECK(embed.proj.weight.grad().defined());
    CHECK(embed.proj.bias.grad().defined());
  }
}

#include "labs/lab7/tests_models.h"
#include "labs/lab7/tests_positions.h"
