#include "data/transforms.h"

#include <cmath>
#include <map>
#include <set>

#include "data/image/image.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

Tensor noise_image(int64_t channels, int64_t height, int64_t width) {
  return to(rand_int({channels, height, width}, 1, 256, Rng(4)), Dtype::u8);
}

}  // namespace

TEST_CASE("normalising is (x / 255 - mean) / std, channel by channel") {
  const Tensor image = noise_image(3, 5, 4);
  const Tensor y = normalize(image, {0.1, 0.2, 0.3}, {0.5, 0.6, 0.7});
  for (int64_t c = 0; c < 3; ++c) {
    const double expected = (image.at({c, 2, 3}) / 255 - 0.1 * (c + 1)) / (0.5 + 0.1 * c);
    CHECK(y.at({c, 2, 3}) == doctest::Approx(expected).epsilon(1e-6));
  }
  CHECK_SAYS(refusal(ErrorKind::kShape, [&] { normalize(image, {0.1}, {0.5}); }), "there are 1 and 1 for image [3, 5, 4]");
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [&] {
                       normalize(zeros({2, 2}), {0.1}, {0.5});
                     }),
             "needs a u8 image [C, H, W]: it is f32 [2, 2]");
}

TEST_CASE("a random crop is the image shifted by at most the padding, zeros coming in") {
  const Tensor image = noise_image(2, 7, 5);
  std::set<std::pair<int64_t, int64_t>> shifts;
  for (uint64_t key = 0; key < 200; ++key) {
    const Tensor y = random_crop(image, 2, Rng(1).at(key));
    bool found = false;
    for (int64_t dy = -2; dy <= 2 && !found; ++dy) {
      for (int64_t dx = -2; dx <= 2 && !found; ++dx) {
        Tensor expected = zeros(image.shape(), Dtype::u8);
        for (int64_t p = 0; p < 70; ++p) {
          const int64_t c = p / 35, row = p / 5 % 7 + dy, column = p % 5 + dx;
          if (row >= 0 && row < 7 && column >= 0 && column < 5) {
            expected.mutable_data<uint8_t>()[p] = static_cast<uint8_t>(image.at({c, row, column}));
          }
        }
        found = bit_equal(y, expected);
        if (found) shifts.insert({dy, dx});
      }
    }
    CHECK(found);
  }
  CHECK(shifts.size() == 25);  // every shift happens
}

TEST_CASE("a crop with more padding than image may be empty, and with none is the image") {
  const Tensor image = noise_image(1, 2, 2);
  CHECK(bit_equal(random_crop(image, 0, Rng(1)), image));
  for (uint64_t key = 0; key < 50; ++key) CHECK(random_crop(image, 9, Rng(1).at(key)).shape() == image.shape());
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { random_crop(image, -1, Rng(1)); }), "padding must lie in [0, 4096]: it is -1");
}

TEST_CASE("mirroring exchanges left and right, in about half of the cases") {
  const Tensor image = noise_image(3, 2, 5);
  CHECK(mirror(image).at({2, 1, 0}) == image.at({2, 1, 4}));
  CHECK(bit_equal(mirror(mirror(image)), image));
  int mirrored = 0;
  for (uint64_t key = 0; key < 1000; ++key) mirrored += bit_equal(random_mirror(image, Rng(1).at(key)), image) ? 0 : 1;
  CHECK((mirrored > 430 && mirrored < 570));
}

TEST_CASE("switching one augmentation on does not change what the other does") {
  const Transform crop{{.height = 8, .width = 8, .channels = 1, .mean = {0}, .std = {1}}, {.crop_padding = 2}};
  Transform both = crop;
  both.augmentation.mirror = true;
  const Tensor image = noise_image(1, 8, 8);
  for (uint64_t key = 0; key < 20; ++key) {
    const Tensor a = crop.train(image, Rng(3).at(key)), b = both.train(image, Rng(3).at(key));
    std::vector<float> reversed;
    for (int64_t i = 0; i < 64; ++i) reversed.push_back(static_cast<float>(a.at({0, i / 8, 7 - i % 8})));
    CHECK((bit_equal(b, a) || bit_equal(b, from_vector(reversed, {1, 8, 8}))));
  }
}
