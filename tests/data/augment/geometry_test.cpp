#include "data/augment/geometry.h"

#include <cmath>
#include <limits>
#include <vector>

#include "data/augment/pixel_ops.h"
#include "data/transforms.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::augment;
using namespace vitrail::testing;

namespace {

// A black picture with a white square of three pixels about one.
Tensor dot(int64_t height, int64_t width, int64_t y, int64_t x) {
  Tensor image = zeros({1, height, width}, Dtype::u8);
  for (const int64_t dy : {-1, 0, 1})
    for (const int64_t dx : {-1, 0, 1}) image.mutable_data<uint8_t>()[(y + dy) * width + x + dx] = 255;
  return image;
}

std::vector<Geometry> maps(int64_t height, int64_t width) {
  return {identity(height, width),
          flip_horizontal(height, width),
          flip_vertical(height, width),
          rotation(90, height, width),
          rotation(-30, height, width),
          shear_x(0.3, height, width),
          shear_y(-0.2, height, width),
          translation(3, -2, height, width),
          crop_and_resize(2, 3, 14, 12, 28, 36),
          compose(rotation(20, height, width), crop_and_resize(1, 2, 10, 10, 20, 20)),
          compose(flip_horizontal(height, width), translation(2, 2, height, width))};
}

}  // namespace

TEST_CASE("a point follows the pixel that it stands on") {
  constexpr int64_t kHeight = 21, kWidth = 24, kY = 9, kX = 10;
  for (const Geometry& map : maps(kHeight, kWidth)) {
    CAPTURE(map.matrix[1]);
    const Tensor moved = warp(dot(kHeight, kWidth, kY, kX), map, Filter::kNearest);
    double sum = 0, sum_x = 0, sum_y = 0;
    for (int64_t y = 0; y < map.height; ++y) {
      for (int64_t x = 0; x < map.width; ++x) {
        const double value = moved.at({0, y, x});
        sum += value, sum_x += value * (static_cast<double>(x) + 0.5), sum_y += value * (static_cast<double>(y) + 0.5);
      }
    }
    REQUIRE(sum > 0);
    const std::array<double, 2> point = map_point(map, kX + 0.5, kY + 0.5);
    CHECK(std::abs(point[0] - sum_x / sum) < 1);
    CHECK(std::abs(point[1] - sum_y / sum) < 1);
  }
}

TEST_CASE("a map after another is the map of both") {
  const Geometry first = rotation(33, 20, 30), second = crop_and_resize(3, 4, 11, 9, 22, 27), both = compose(first, second);
  const std::array<double, 2> one = map_point(first, 7.5, 12.25), two = map_point(second, one[0], one[1]),
                              direct = map_point(both, 7.5, 12.25);
  CHECK(two[0] == doctest::Approx(direct[0]).epsilon(1e-12));
  CHECK(two[1] == doctest::Approx(direct[1]).epsilon(1e-12));
  CHECK(both.height == 22);
  CHECK(both.width == 27);
}

TEST_CASE("flips and whole shifts move pixels and change none") {
  const Tensor image = noise_picture(3, 7, 5);
  for (const Filter filter : {Filter::kNearest, Filter::kBilinear, Filter::kBicubic}) {
    CHECK(bit_equal(warp(image, identity(7, 5), filter), image));
    CHECK(bit_equal(warp(image, flip_horizontal(7, 5), filter), mirror(image)));
    CHECK(bit_equal(warp(warp(image, flip_vertical(7, 5), filter), flip_vertical(7, 5), filter), image));
    const Tensor shifted = warp(image, translation(2, 1, 7, 5), filter, {9, 8, 7});
    CHECK(shifted.at({1, 0, 0}) == image.at({1, 1, 2}));
    CHECK(shifted.at({2, 6, 4}) == 7);
  }
}

TEST_CASE("a quarter turn counter-clockwise puts the right edge on top") {
  const Tensor image = noise_picture(1, 6, 6), turned = warp(image, rotation(90, 6, 6), Filter::kBilinear);
  for (int64_t i = 0; i < 6; ++i) CHECK(turned.at({0, 0, i}) == image.at({0, i, 5}));
}

TEST_CASE("a mask follows its picture, and what was not there is ignored") {
  Tensor mask = zeros({10, 10}, Dtype::u8);
  for (int64_t i = 0; i < 100; ++i) mask.mutable_data<uint8_t>()[i] = i % 10 < 4 ? 3 : 1;
  const Tensor moved = warp_mask(mask, translation(-2, 0, 10, 10));
  CHECK(moved.shape() == Shape{10, 10});
  CHECK(moved.at({5, 1}) == 255);
  CHECK(moved.at({5, 5}) == 3);
  CHECK(moved.at({5, 6}) == 1);
  for (const Geometry& map : maps(10, 10)) {
    const Tensor result = warp_mask(mask, map);
    for (int64_t i = 0; i < result.numel(); ++i) {
      const int value = result.data<uint8_t>()[i];
      CHECK((value == 1 || value == 3 || value == 255));  // no class arises between two
    }
  }
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [] {
                       warp_mask(zeros({2, 2}), identity(2, 2));
                     }),
             "needs a u8 mask [H, W]: it is f32 [2, 2]");
}

TEST_CASE("boxes follow their picture, are cut at its border, and leave with their labels") {
  Target target(7);
  target.boxes = from_vector(std::vector<float>{1, 2, 5, 6, 14, 0, 20, 10, 0, 0, 3, 20}, {3, 4});
  target.box_labels = from_vector(std::vector<int64_t>{4, 5, 6}, {3});
  target.box_flags = to(from_vector(std::vector<int64_t>{0, 1, 2}, {3}), Dtype::u8);
  target.mask = zeros({20, 20}, Dtype::u8);
  target.captions = {"left"};
  const Target flipped = follow(target, flip_horizontal(20, 20));
  CHECK(to_vector<double>(flipped.boxes) == std::vector<double>{15, 2, 19, 6, 0, 0, 6, 10, 17, 0, 20, 20});
  CHECK(flipped.label == 7);
  CHECK(flipped.captions == target.captions);
  // The left half, twice as wide: the second box is gone.
  const Target cropped = follow(target, crop_and_resize(0, 0, 20, 10, 20, 20));
  CHECK(to_vector<double>(cropped.boxes) == std::vector<double>{2, 2, 10, 6, 0, 0, 6, 20});
  CHECK(to_vector<int64_t>(cropped.box_labels) == std::vector<int64_t>{4, 6});
  CHECK(to_vector<double>(cropped.box_flags) == std::vector<double>{0, 2});
  CHECK(cropped.mask.shape() == Shape{20, 20});
  // Of the first box [1, 5) x [2, 6) half of the width remains.
  const Geometry shift = translation(3, 0, 20, 20);
  CHECK(follow(target, shift, 0.4).boxes.size(0) == 2);
  CHECK(follow(target, shift, 0.6).boxes.size(0) == 1);
  CHECK(follow(target, translation(30, 30, 20, 20)).boxes.shape() == Shape{0, 4});
}

TEST_CASE("maps and operations refuse what they cannot do") {
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { map_point({{1, 1, 0, 1, 1, 0}, 2, 2}, 0, 0); }), "the map has no inverse");
  CHECK_SAYS(refusal(ErrorKind::kShape, [] { warp(noise_picture(3, 2, 2), identity(2, 2), Filter::kNearest, {1}); }),
             "one fill value per channel: there are 1 for image [3, 2, 2]");
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [] {
                       warp(zeros({1, 2, 2}), identity(2, 2), Filter::kNearest);
                     }),
             "it is f32 [1, 2, 2]");
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { warp(noise_picture(1, 2, 2), translation(nan, 0, 2, 2), Filter::kNearest); }),
             "the matrix must be finite and below 10^6: an entry is nan");
  CHECK_SAYS(refusal(ErrorKind::kShape, [] { grayscale(noise_picture(2, 2, 2)); }), "with 1 or 3 channels: it is u8 [2, 2, 2]");
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { adjust_contrast(noise_picture(1, 2, 2), nan); }), "the factor must be finite: it is nan");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { adjust_hue(noise_picture(3, 2, 2), 0.6); }),
             "the shift must lie in [-0.5, 0.5]: it is 0.6");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { posterize(noise_picture(3, 2, 2), 9); }), "the bits must lie in [0, 8]: they are 9");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { gaussian_blur(noise_picture(3, 2, 2), -1); }), "sigma must lie in [0, 1000]: it is -1");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { solarize_add(noise_picture(3, 2, 2), 256); }),
             "the amount must lie in [0, 255]: it is 256");
}

TEST_CASE("operations take pictures of one pixel and of one line") {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{3, 1, 1}, Shape{3, 1, 9}, Shape{1, 8, 1}, Shape{3, 2, 2}}) {
    const Tensor image = noise_picture(shape[0], shape[1], shape[2]);
    for (const Tensor& result : {gaussian_blur(image, 3), adjust_sharpness(image, 0), autocontrast(image), equalize(image),
                                 adjust_hue(image, 0.25), warp(image, rotation(45, shape[1], shape[2]), Filter::kBicubic)})
      CHECK(result.shape() == shape);
  }
}
