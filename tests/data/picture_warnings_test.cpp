#include "data/picture_warnings.h"

#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A digit of light strokes on black, say.
Preprocessing dark() { return {.height = 28, .width = 28, .channels = 1, .mean = {0.13}, .std = {0.31}}; }

Tensor noise(int64_t low, int64_t high, int64_t height = 28, int64_t width = 28) {
  return to(rand_int({1, height, width}, low, high, Rng(3)), Dtype::u8);
}

std::string said(const Tensor& image, const Preprocessing& p, const std::string& note = "") {
  std::string text;
  for (const std::string& warning : picture_warnings(image, p, note)) text += warning + "\n";
  return text;
}

}  // namespace

TEST_CASE("a usual picture comes without a warning") {
  CHECK(said(noise(0, 80), dark()).empty());
  CHECK(said(noise(0, 256, 60, 40), dark()).empty());
  Preprocessing photo{.height = 224, .width = 224, .mean = {0.485, 0.456, 0.406}, .std = {0.2, 0.2, 0.2}};
  photo.resize = ResizeMode::kShortSide;
  for (const auto& range : {std::pair{0, 40}, std::pair{0, 256}, std::pair{200, 256}})
    CHECK(said(noise(range.first, range.second, 900, 600), photo).empty());
}

TEST_CASE("a picture of one colour, and one that is nearly black, are said to be so") {
  CHECK_SAYS(said(full({3, 28, 28}, 77, Dtype::u8), dark()), "the whole picture is one colour");
  CHECK_SAYS(said(noise(0, 16), dark()), "it is nearly black: no sample is above 15 of 255");
  CHECK(said(noise(0, 17), dark()).empty());
}

TEST_CASE("an inverted picture is told by the training mean, where that is far from the middle") {
  CHECK_SAYS(said(noise(190, 256), dark()),
             "it may be inverted: its mean brightness is 0.87, that of the training pictures 0.13");
  Preprocessing light = dark();
  light.mean = {0.9};
  CHECK_SAYS(said(noise(0, 60), light), "it may be inverted");
  light.mean = {1.8}, light.rescale = 2 / 255.0;
  CHECK_SAYS(said(noise(0, 60), light), "it may be inverted");
  light.mean = {0.5}, light.rescale = 1 / 255.0;
  CHECK(said(noise(0, 60), light).empty());
}

TEST_CASE("a picture far from the model's size is said to be so, by its numbers") {
  Preprocessing p = dark();
  CHECK_SAYS(said(noise(0, 80, 6, 6), p), "it has 6 x 6 pixels, the model takes 28 x 28: enlarged 4.67 times");
  CHECK_SAYS(said(noise(0, 80, 700, 700), p), "it has 700 x 700 pixels, the model takes 28 x 28: shrunk 25.00 times");
  CHECK_SAYS(said(noise(0, 80, 28, 80), p), "it has 80 x 28 pixels, the model takes 28 x 28: squashed into other proportions");
  p.resize = ResizeMode::kShortSide;
  CHECK_SAYS(said(noise(0, 80, 28, 90), p), "most of it lies outside the crop");
  CHECK(said(noise(0, 80, 28, 80), p).empty());
}

TEST_CASE("what the decoder said stands first, instead of what follows from it") {
  const std::vector<std::string> all = picture_warnings(full({1, 4, 4}, 255, Dtype::u8), dark(), "every pixel is transparent");
  CHECK(all.size() == 2);
  CHECK(all.at(0) == "every pixel is transparent");
  CHECK_SAYS(all.at(1), "enlarged 7.00 times");
}
