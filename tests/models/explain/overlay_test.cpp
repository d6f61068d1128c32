// A map on the picture: which pixels get which colour, through resize, crop and padding.
#include "models/explain/overlay.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models::explain;

Preprocessing square(int64_t side, ResizeMode resize, int64_t to = 0) {
  Preprocessing p{.height = side, .width = side, .channels = 1, .mean = {0}, .std = {1}, .resize = resize};
  p.resize_height = p.resize_width = to;
  return p;
}

// A map of zeros with a one at row, column.
Tensor hot(int64_t side, int64_t row, int64_t column) {
  Tensor map = zeros({side, side}, Dtype::f64);
  map.mutable_data<double>()[row * side + column] = 1;
  return map;
}

// The smallest rectangle [top, bottom) x [left, right) that holds every value above 0.49: bilinear weights are 1/2 on the
// border of a patch, and no pixel has its centre exactly in the middle of one.
struct Box {
  int64_t top, bottom, left, right;
  friend bool operator==(const Box&, const Box&) = default;
};
Box lit(const Tensor& heat) {
  Box box{heat.size(0), 0, heat.size(1), 0};
  for (int64_t y = 0; y < heat.size(0); ++y)
    for (int64_t x = 0; x < heat.size(1); ++x)
      if (heat.at({y, x}) > 0.49)
        box = {std::min(box.top, y), std::max(box.bottom, y + 1), std::min(box.left, x), std::max(box.right, x + 1)};
  return box;
}

TEST_CASE("one hot patch lights its own rectangle of a picture that is not square") {
  // Squashed to 32 x 32, 4 x 4 patches: each is a quarter of the picture's 80 x 240 along both sides. Bilinear between centres,
  // the half value lies on the border.
  const SeenPart all = seen_part(square(32, ResizeMode::kSquash), 80, 240);
  CHECK(lit(upsampled(hot(4, 1, 2), all, 80, 240)) == Box{20, 40, 120, 180});
  // The short side to 32 and the middle cut out: the model sees columns 80 to 160 only.
  const SeenPart middle = seen_part(square(32, ResizeMode::kShortSide), 80, 240);
  CHECK(lit(upsampled(hot(4, 1, 2), middle, 80, 240)) == Box{20, 40, 120, 140});
  CHECK(lit(upsampled(hot(4, 3, 0), middle, 80, 240)) == Box{60, 80, 80, 100});
}

TEST_CASE("what the crop cut has no value, and keeps its pixels") {
  const SeenPart seen = seen_part(square(32, ResizeMode::kShortSide), 80, 240);
  const Tensor heat = upsampled(hot(4, 0, 0), seen, 80, 240);
  for (int64_t x = 0; x < 240; ++x) CHECK(std::isnan(heat.at({40, x})) == (x < 80 || x >= 160));
  const Tensor picture = full({1, 80, 240}, 200, Dtype::u8), result = overlay(picture, hot(4, 0, 0), seen);
  CHECK(result.shape() == Shape{3, 80, 240});
  CHECK(result.at({0, 40, 79}) == 200);
  CHECK(result.at({2, 40, 160}) == 200);
  CHECK(result.at({0, 40, 155}) == std::lround(0.75 * 200 + 0.25 * heat_points().front()[0]));  // seen, but cold
  CHECK(result.at({0, 2, 82}) == std::lround(0.25 * 200 + 0.75 * heat_points().back()[0]));     // the hot corner
}

TEST_CASE("a centre crop of an enlarged picture leaves a frame, and padding moves the map off the border") {
  // 64 x 64, resized to 40, the inner 32 seen: pixels [6.4, 57.6) of the picture.
  const SeenPart inner = seen_part(square(32, ResizeMode::kShortSide, 40), 64, 64);
  const Tensor heat = upsampled(zeros({2, 2}, Dtype::f64), inner, 64, 64);
  CHECK(std::isnan(heat.at({32, 5})));
  CHECK(heat.at({32, 6}) == 0);
  CHECK(heat.at({32, 57}) == 0);
  CHECK(std::isnan(heat.at({32, 58})));
  // Not resized, 16 x 16 laid in the middle of 32 x 32: the picture is the inner quarter, patches 1 and 2 of 4 in both
  // directions.
  const SeenPart padded = seen_part(square(32, ResizeMode::kNone), 16, 16);
  CHECK(lit(upsampled(hot(4, 1, 1), padded, 16, 16)) == Box{0, 8, 0, 8});
  CHECK(lit(upsampled(hot(4, 2, 1), padded, 16, 16)) == Box{8, 16, 0, 8});
}

TEST_CASE("between centres of patches the map is bilinear, beyond the outer ones constant") {
  const Tensor map = from_vector(std::vector<double>{0, 1}, {1, 2});
  const Tensor heat = upsampled(map, {}, 1, 8);
  const std::vector<double> expected = {0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1};
  CHECK(largest_difference(heat, from_vector(expected, {1, 8})) < 1e-12);
}

TEST_CASE("a map is stretched to its own range, and one without a range is cold") {
  const Tensor x = from_vector(std::vector<double>{2, 4, NAN, 3}, {4});
  const Tensor y = stretched(x);
  CHECK(y.at({0}) == 0);
  CHECK(y.at({1}) == 1);
  CHECK(std::isnan(y.at({2})));
  CHECK(y.at({3}) == 0.5);
  CHECK(largest_difference(stretched(full({2, 2}, 7, Dtype::f64)), zeros({2, 2}, Dtype::f64)) == 0);
  CHECK(heat_colour(-1) == heat_points().front());
  CHECK(heat_colour(2) == heat_points().back());
  CHECK(heat_colour(0.5) == heat_points()[4]);
  CHECK(contains(message_of([] { upsampled(zeros({2}), {}, 4, 4); }), "a map is [gh, gw]: it is [2]"));
}

}  // namespace
}  // namespace vitrail::testing
