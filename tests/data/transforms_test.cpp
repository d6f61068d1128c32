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

Preprocessing example() { return {.height = 8, .width = 6, .channels = 3, .mean = {0.1, 0.2, 0.3}, .std = {0.5, 0.6, 0.7}}; }

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

TEST_CASE("preprocessing fits any picture to the model") {
  Preprocessing p = example();
  for (const Shape& shape : {Shape{3, 8, 6}, Shape{1, 8, 6}, Shape{3, 100, 3}, Shape{1, 1, 1}, Shape{3, 5, 90}}) {
    for (const ResizeMode mode : {ResizeMode::kSquash, ResizeMode::kCrop}) {
      p.resize = mode;
      p.crop_fraction = mode == ResizeMode::kCrop ? 0.875 : 1;
      const Tensor y = preprocess(noise_image(shape[0], shape[1], shape[2]), p);
      CHECK(y.shape() == Shape{3, 8, 6});
      for (double v : to_vector<double>(y)) CHECK((v > -1 && v < 2));
    }
  }
}

TEST_CASE("a picture of one colour keeps it through resizing") {
  Preprocessing p = example();
  p.resize = ResizeMode::kCrop;
  const Tensor y = preprocess(full({3, 37, 21}, 200, Dtype::u8), p);
  for (int64_t c = 0; c < 3; ++c) {
    CHECK(y.at({c, 4, 4}) == doctest::Approx((200 / 255.0 - p.mean[c]) / p.std[c]).epsilon(1e-5));
  }
}

TEST_CASE("cropping takes the middle") {
  Preprocessing p{.height = 4, .width = 4, .channels = 1, .mean = {0}, .std = {1}, .resize = ResizeMode::kCrop};
  const Tensor image = noise_image(1, 4, 10);
  const Tensor y = preprocess(image, p);
  for (int64_t x = 0; x < 4; ++x) CHECK(y.at({0, 2, x}) == doctest::Approx(image.at({0, 2, x + 3}) / 255).epsilon(1e-5));
}

TEST_CASE("preprocessing survives JSON") {
  Preprocessing p = example();
  p.resize = ResizeMode::kCrop;
  p.crop_fraction = 0.9;
  p.interpolation = Interpolation::kBicubic;
  CHECK(preprocessing_from_json(preprocessing_to_json(p)) == p);
}

TEST_CASE("preprocessing from JSON names what is wrong") {
  const auto message = [](const std::string& key, const std::string& value) {
    std::map<std::string, std::string> fields{
        {"height", "8"}, {"width", "6"}, {"channels", "3"}, {"mean", "[0.1,0.2,0.3]"}, {"std", "[0.5,0.5,0.5]"}};
    fields[key] = value;
    std::string json;
    for (const auto& [name, text] : fields) json += (json.empty() ? "{\"" : ",\"") + name + "\":" + text;
    return refusal(ErrorKind::kValue, [&] { preprocessing_from_json(json + "}"); });
  };
  CHECK_SAYS(message("hieght", "3"), "hieght is not known here. Hint: did you mean height?");
  CHECK_SAYS(message("height", "3.5"), "height must be an integer from 1 to 65536: it is 3.5");
  CHECK_SAYS(message("height", "0"), "height must be an integer from 1 to 65536: it is 0");
  CHECK_SAYS(message("channels", "2"), "channels must be 1 or 3: it is 2");
  CHECK_SAYS(message("mean", "[0.5]"), "they have 1 and 3 for 3");
  CHECK_SAYS(message("std", "[0.5,0.5,0]"), "std must be positive: it is 0");
  CHECK_SAYS(message("resize", "\"stretch\""), "resize must be one of squash, crop: it is stretch");
  CHECK_SAYS(message("crop_fraction", "0"), "crop_fraction must be in (0, 1]: it is 0");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { preprocessing_from_json("{\"height\": 3}"); }), "width is missing");
}
