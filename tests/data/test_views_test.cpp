// The views of test-time augmentation.
#include "data/test_views.h"

#include <doctest/doctest.h>

#include "tensor/ops.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Preprocessing plain(int64_t side) {
  return {.height = side, .width = side, .channels = 3, .mean = {0, 0, 0}, .std = {1, 1, 1}};
}

}  // namespace

TEST_CASE("test views: the usual view first, then four corners of a larger one, then all mirrored") {
  const Tensor picture = noise_picture(1, 3, 40, 56);
  Preprocessing p = plain(28);
  p.resize = ResizeMode::kShortSide, p.resize_height = p.resize_width = 32;
  const std::vector<Tensor> views = test_views(picture, p, true);
  REQUIRE(views.size() == 10);
  CHECK(test_views(picture, p, false).size() == 5);
  CHECK(bit_equal(views[0], preprocess(picture, p)));
  Preprocessing larger = p;
  larger.height = larger.width = 32, larger.resize_height = larger.resize_width = 37;  // 32 * 32 / 28
  const Tensor whole = preprocess(picture, larger);
  CHECK(bit_equal(views[1], contiguous(slice(slice(whole, 1, 0, 28), 2, 0, 28))));
  CHECK(bit_equal(views[2], contiguous(slice(slice(whole, 1, 0, 28), 2, 4, 32))));
  CHECK(bit_equal(views[3], contiguous(slice(slice(whole, 1, 4, 32), 2, 0, 28))));
  CHECK(bit_equal(views[4], contiguous(slice(slice(whole, 1, 4, 32), 2, 4, 32))));
  for (size_t i = 0; i < 5; ++i) CHECK(bit_equal(views[5 + i], flip(views[i], {2})));
}

TEST_CASE("test views: every rule of resizing and sides that differ give views of the model's size") {
  for (const ResizeMode mode : {ResizeMode::kNone, ResizeMode::kSquash, ResizeMode::kCover, ResizeMode::kContain}) {
    Preprocessing p = plain(12);
    p.width = 20, p.resize = mode;
    for (const Tensor& view : test_views(noise_picture(2, 3, 17, 9), p, true)) CHECK(view.shape() == Shape{3, 12, 20});
  }
  Preprocessing square = plain(9);
  square.resize = ResizeMode::kShortSide;
  CHECK(test_views(noise_picture(3, 1, 5, 50), square, false).back().shape() == Shape{3, 9, 9});
}
