// Position embeddings for other grids: the results of the libraries, and what holds for every rule.
#include "models/weights/position_resampling.h"

#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "tensor/safetensors.h"
#include "tensor/view.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/data_test.h"
#include "tests/support/kernel_test.h"

using namespace vitrail;
using namespace vitrail::testing;
using models::Size2d;

namespace {

const std::vector<std::string> kNames{"timm",          "timm-npz",    "hf-vit",        "hf-deit",     "hf-clip",  "hf-dinov2",
                                      "hf-dinov2-reg", "torchvision", "dinov2-offset", "google-zoom", "open-clip"};

double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max_difference(a, to_vector<double>(b));
}

Tensor noise(int64_t tokens, int64_t dim, Dtype dtype = Dtype::f32) {
  return rand_normal({1, tokens, dim}, 0, 1, Rng(3), dtype);
}

}  // namespace

TEST_CASE("position embeddings are resampled as by timm, transformers, torchvision, open_clip, DINO and Google") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const auto index = nlohmann::json::parse(read_text_file(folder + "/resampling/index.json")).at("pos_embed");
  const SafetensorsFile file = load_safetensors(folder + "/resampling/pos_embed.safetensors");
  const std::map<std::string, Tensor> tensors(file.tensors.begin(), file.tensors.end());
  std::map<std::string, double> worst;
  for (const auto& entry : index) {
    const std::string name = entry.at("case"), rule = entry.at("rule");
    const auto from = entry.at("old").get<std::vector<int64_t>>(), to_grid = entry.at("new").get<std::vector<int64_t>>();
    const Tensor x = tensors.at(name + ".in"), expected = tensors.at(name + ".out");
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor y = resample_positions(to(x, dtype), {from[0], from[1]}, {to_grid[0], to_grid[1]}, entry.at("prefix"),
                                          position_rule(rule));
      const double d = difference(y, expected);
      CHECK_MESSAGE(d < 1e-5, name, ": ", d);
      worst[rule] = std::max(worst[rule], d);
    }
  }
  CHECK(index.size() == 54);
  CHECK(worst.size() == kNames.size());
  for (const auto& [rule, d] : worst) MESSAGE(rule, ": ", d);
}

// The values of PyTorch in tests/tensor/ops/resize_test.cpp.
TEST_CASE("each rule has its own kernel") {
  const std::map<std::string, double> second{
      {"timm", 3.11426628},          {"timm-npz", 3.1},         {"hf-vit", 3.11648828},        {"hf-deit", 3.11648828},
      {"hf-clip", 3.11648828},       {"hf-dinov2", 3.11648828}, {"hf-dinov2-reg", 3.11426628}, {"torchvision", 3.53125},
      {"dinov2-offset", 3.02669154}, {"google-zoom", 3.25},     {"open-clip", 3.11426628}};
  const Tensor x = from_vector(std::vector<double>{1, 4, 2, 8, 5, 7, 1, 3, 0, 6, 9, 2}, {1, 12, 1});
  for (const std::string& name : kNames) {
    const Tensor y = resample_positions(x, {3, 4}, {4, 5}, 0, position_rule(name));
    CHECK_MESSAGE(y.at({0, 1, 0}) == doctest::Approx(second.at(name)).epsilon(1e-8), name);
    CHECK(position_rule_name(position_rule(name)) == name);
  }
}

TEST_CASE("positions of the same grid keep their bits") {
  for (const std::string& name : kNames) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = noise(2 + 15, 4, dtype);
      CHECK(bit_equal(resample_positions(x, {3, 5}, {3, 5}, 2, position_rule(name)), x));
    }
  }
}

TEST_CASE("prefix rows are copied to the bit, and constant positions stay constant") {
  for (const std::string& name : kNames) {
    for (const int64_t prefix : {0, 1, 5}) {
      for (const Size2d grid : {Size2d{4, 4}, Size2d{1, 1}, Size2d{2, 18}, Size2d{13, 5}, Size2d{6, 6}}) {
        Tensor x = noise(prefix + 36, 3);
        fill_(slice(x, 1, prefix, prefix + 36), 0.75);
        const Tensor y = resample_positions(x, {6, 6}, grid, prefix, position_rule(name));
        CAPTURE(cat(name, " to ", grid.h, " x ", grid.w, ", prefix ", prefix));
        const int64_t end = prefix + grid.h * grid.w;
        REQUIRE(y.shape() == Shape{1, end, 3});
        CHECK(bit_equal(contiguous(slice(y, 1, 0, prefix)), contiguous(slice(x, 1, 0, prefix))));
        CHECK(max_difference(slice(y, 1, prefix, end), std::vector<double>(3 * grid.h * grid.w, 0.75)) < 1e-7);
      }
    }
  }
}

TEST_CASE("an infinity in a prefix row stays there") {
  Tensor x = noise(1 + 4, 2);
  x.mutable_data<float>()[0] = std::numeric_limits<float>::infinity();
  const Tensor y = resample_positions(x, {2, 2}, {3, 3}, 1, PositionRule::kTimm);
  CHECK(std::isinf(y.at({0, 0, 0})));
  for (int64_t i = 1; i < 10; ++i) CHECK(std::isfinite(y.at({0, i, 0})));
}

TEST_CASE("f32 positions are those of f64, rounded once, for tensors of any strides") {
  for (const std::string& name : kNames) {
    const Tensor x = transpose(rand_normal({1, 8, 1 + 20}, 0, 1, Rng(8)), 1, 2);
    const Tensor y = resample_positions(x, {4, 5}, {7, 3}, 1, position_rule(name));
    CHECK(bit_equal(y, to(resample_positions(to(x, Dtype::f64), {4, 5}, {7, 3}, 1, position_rule(name)), Dtype::f32)));
    CHECK(bit_equal(y, resample_positions(contiguous(x), {4, 5}, {7, 3}, 1, position_rule(name))));
  }
}

TEST_CASE("rows and columns are not mixed up: a grid on its side gives its result on its side") {
  const Tensor x = noise(15, 2, Dtype::f64);
  const auto turned = [](const Tensor& grid, int64_t h, int64_t w) {
    return contiguous(reshape(transpose(reshape(grid, {1, h, w, 2}), 1, 2), {1, h * w, 2}));
  };
  for (const std::string& name : kNames) {
    const Tensor y = resample_positions(x, {3, 5}, {4, 9}, 0, position_rule(name));
    const Tensor z = resample_positions(turned(x, 3, 5), {5, 3}, {9, 4}, 0, position_rule(name));
    CHECK(difference(turned(y, 4, 9), z) < 1e-13);
  }
}

TEST_CASE("corner to corner, positions enlarged by new points between the old ones come back") {
  const Tensor x = noise(1 + 12, 5);
  const Tensor large = resample_positions(x, {3, 4}, {5, 7}, 1, PositionRule::kGoogleZoom);
  CHECK(difference(resample_positions(large, {5, 7}, {3, 4}, 1, PositionRule::kGoogleZoom), x) < 1e-6);
}

TEST_CASE("positions that do not fit their grid are refused with the numbers") {
  const auto message = [](const Tensor& x, Size2d from, Size2d grid, int64_t prefix, ErrorKind kind = ErrorKind::kShape) {
    return refusal(kind, [&] { resample_positions(x, from, grid, prefix, PositionRule::kTimm); });
  };
  const Tensor x = zeros({1, 17, 6});
  CHECK_SAYS(message(x, {4, 4}, {8, 8}, 0), "pos_embed is [1, 17, 6], prefix is 0, the grid is 4 x 4");
  CHECK_SAYS(message(x, {4, 5}, {8, 8}, 1), "pos_embed is [1, 17, 6], prefix is 1, the grid is 4 x 5");
  CHECK_SAYS(message(zeros({17, 6}), {4, 4}, {8, 8}, 1), "needs [1, prefix + rows * columns, dim]: pos_embed is [17, 6]");
  CHECK_SAYS(message(zeros({2, 17, 6}), {4, 4}, {8, 8}, 1), "pos_embed is [2, 17, 6]");
  CHECK_SAYS(message(x, {4, 4}, {0, 8}, 1), "a grid must have from 1 to 1048576 positions: the grids are 4 x 4 and 0 x 8");
  CHECK_SAYS(message(x, {4, 4}, {int64_t{1} << 40, int64_t{1} << 40}, 1), "and 1099511627776 x 1099511627776");
  CHECK_SAYS(message(x, {4, 4}, {1024, 1025}, 1), "and 1024 x 1025");
  CHECK_SAYS(message(x, {-4, -4}, {4, 4}, 1), "the grids are -4 x -4 and");
  CHECK_SAYS(message(x, {4, 4}, {8, 8}, -1, ErrorKind::kValue), "prefix must not be negative: it is -1");
  CHECK_SAYS(message(zeros({1, 17, 6}, Dtype::i64), {4, 4}, {8, 8}, 1, ErrorKind::kValue), "needs floats: pos_embed is i64");
}

TEST_CASE("an unknown rule is refused with all known ones") {
  const std::string message = refusal(ErrorKind::kValue, [] { position_rule("timm-nzp\n"); });
  for (const std::string& name : kNames) CHECK_SAYS(message, name);
  CHECK_SAYS(message, "open-clip: it is \"timm-nzp\\x0a\"");
}
