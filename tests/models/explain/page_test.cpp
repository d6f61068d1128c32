// The page: what of the attention it holds, how it is written, and how large it becomes.
#include "models/explain/page.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/presets.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;
using namespace models::explain;

// What the script of the page does with a row (page_look.cpp).
std::vector<double> decoded_row(const std::string& text, int64_t row, int64_t tokens) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto value = [&](int64_t at) { return static_cast<double>(alphabet.find(text[static_cast<size_t>(at)])); };
  const int64_t at = row * (tokens + 2);
  const double m = (64 * value(at) + value(at + 1)) / 4095;
  std::vector<double> result;
  for (int64_t i = 0; i < tokens; ++i) result.push_back(m * m * value(at + 2 + i) * value(at + 2 + i) / 3969);
  return result;
}

TEST_CASE("attention comes back from the page's text within a part in 60 of each row's largest value") {
  const Tensor a = softmax(rand_normal({3, 2, 5, 5}, 0, 3, Rng(1)));
  const std::string text = encode_attention(a, select_for_page(a.shape()));
  REQUIRE(text.size() == 3 * 2 * 5 * 7);
  CHECK(text.find('<') == std::string::npos);
  for (int64_t row = 0; row < 30; ++row) {
    const std::vector<double> got = decoded_row(text, row, 5);
    const std::vector<double> truth = to_vector<double>(select(reshape(a, {30, 5}), 0, row));
    const double largest = *std::max_element(truth.begin(), truth.end());
    for (size_t i = 0; i < 5; ++i) CHECK(std::abs(got[i] - truth[i]) <= largest / 60);
  }
  const std::string nothing = encode_attention(zeros({1, 1, 2, 2}), select_for_page({1, 1, 2, 2}));
  CHECK(nothing == "AAAAAAAA");
}

TEST_CASE("a page holds all layers where they fit, else evenly chosen ones with the last, else heads averaged, else none") {
  const PageSelection all = select_for_page({12, 12, 197, 197});  // ViT-B/16
  CHECK(all.layers.size() == 12);
  CHECK(all.heads);
  CHECK(all.note == "");
  const PageSelection large = select_for_page({24, 16, 197, 197});  // ViT-L/16
  CHECK(large.layers == std::vector<int64_t>{1, 3, 6, 8, 11, 13, 15, 18, 20, 23});
  CHECK(large.note == "the page holds the attention of 10 of 24 layers, to stay below 8 MB; --layers chooses which");
  CHECK(select_for_page({24, 16, 197, 197}, {23, 0, 0}).layers == std::vector<int64_t>{0, 23});
  const PageSelection averaged = select_for_page({12, 12, 785, 785});
  CHECK(!averaged.heads);
  CHECK(averaged.layers.size() == 10);
  CHECK(contains(averaged.note, "10 of 12 layers, heads averaged"));
  const PageSelection none = select_for_page({12, 12, 4097, 4097});
  CHECK(none.layers.empty());
  CHECK(contains(none.note, "4097 x 4097 tokens is more than it may hold"));
  CHECK(select_for_page({1024, 65536, 1 << 20, 1 << 20}).layers.empty());
  CHECK(contains(message_of([] { select_for_page({12, 12, 197, 197}, {12}); }), "there is no layer 13: the model has 12"));
}

TEST_CASE("heads that are averaged are averaged in the text too") {
  const Tensor a = from_vector(std::vector<float>{1, 0, 1, 0, 0, 1, 0, 1}, {1, 2, 2, 2});
  PageSelection selection = select_for_page(a.shape());
  selection.heads = false;
  const std::string text = encode_attention(a, selection);
  REQUIRE(text.size() == 8);
  CHECK(decoded_row(text, 0, 2)[0] == doctest::Approx(0.5).epsilon(1e-3));
  CHECK(decoded_row(text, 1, 2)[1] == doctest::Approx(0.5).epsilon(1e-3));
}

// A picture that no compression makes small.
Tensor noise(int64_t channels, int64_t height, int64_t width) {
  return to(rand_int({channels, height, width}, 0, 256, Rng(2)), Dtype::u8);
}

struct Made {
  std::string page;
  explicit Made(const ViTConfig& config, const std::string& title, int64_t steps = 4) {
    Rng rng(1);
    ViT model(config, rng);
    const int64_t side = config.img_size.h;
    const Preprocessing p{.height = side, .width = side, .channels = 3, .mean = {0.5, 0.5, 0.5}, .std = {0.2, 0.2, 0.2}};
    const Encoder encoder = encoder_of(model, config.img_size);
    const Tensor own = noise(3, 3 * side / 2, 2 * side);
    std::vector<std::string> names;
    for (int64_t i = 0; i < config.num_classes; ++i) names.push_back(cat("<class ", i, ">"));
    const Explanation e = explain::explain(encoder, fit(own, p), p, {.steps = steps});
    page = explanation_page(encoder, e, {title, "runs/x", names, own, fit(own, p), seen_part(p, own.size(1), own.size(2))});
  }
};

TEST_CASE("the page of a ViT-B/16 of 224 x 224 stays below 8 MB, with a picture of noise") {
  // Its 12 layers and heads and its tokens; the width of the model does not show in a page.
  const Made made({.num_classes = 3, .embed_dim = 96, .mlp_ratio = 1}, "noise.png", 0);
  CHECK(made.page.size() < 8'000'000);
  CHECK(made.page.size() > 5'600'000);
}

TEST_CASE("names of a stranger do not become tags, and the page loads nothing") {
  const Made made(tiny_config(), "</title><script>x()</script>");
  CHECK(!contains(made.page, "<script>x()"));
  CHECK(!contains(made.page, "<class"));
  CHECK(contains(made.page, "&lt;class "));
  CHECK(!contains(made.page, "http:"));
  CHECK(!contains(made.page, "https:"));
  CHECK(contains(made.page, "default-src 'none'"));
  CHECK(contains(made.page, "random, 4 orders"));
}

}  // namespace
}  // namespace vitrail::testing
