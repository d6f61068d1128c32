#include "data/augment/policy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "data/augment/pixel_ops.h"
#include "data/augment/random_ops.h"
#include "data/transforms.h"
#include "tensor/view.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::augment;
using namespace vitrail::testing;

namespace {

struct Range {
  double least = 1e300, most = -1e300;
  int64_t count = 0;
  void add(double x) { least = std::min(least, x), most = std::max(most, x), ++count; }
};

}  // namespace

TEST_CASE("RandAugment draws each operation equally often, in half of the layers, with timm's numbers") {
  std::map<Operation, Range> seen;
  constexpr uint64_t kDraws = 30000;
  const RandAugment policy{.magnitude = 9, .deviation = 0, .layers = 2};
  for (uint64_t key = 0; key < kDraws; ++key)
    for (const Step& step : policy.draw(100, 200, Rng(1).at(key))) seen[step.operation].add(step.number);
  CHECK(seen.size() == 15);
  for (const auto& entry : seen) {
    const double expected = kDraws * 2 * 0.5 / 15;
    CAPTURE(name_of(entry.first));
    CHECK(std::abs(static_cast<double>(entry.second.count) - expected) < 5 * std::sqrt(expected));
  }
  const auto numbers = [&](Operation operation, double least, double most) {
    CAPTURE(name_of(operation));
    CHECK(seen.at(operation).least == doctest::Approx(least));
    CHECK(seen.at(operation).most == doctest::Approx(most));
  };
  // Magnitude 9 of 10: what timm's level functions give.
  numbers(Operation::kRotate, -27, 27);
  numbers(Operation::kPosterize, 1, 1);
  numbers(Operation::kSolarize, 26, 26);
  numbers(Operation::kSolarizeAdd, 99, 99);
  for (const Operation blend : {Operation::kColor, Operation::kContrast, Operation::kBrightness, Operation::kSharpness})
    numbers(blend, 0.19, 1.81);
  numbers(Operation::kShearX, -0.27, 0.27);
  numbers(Operation::kShearY, -0.27, 0.27);
  numbers(Operation::kTranslateX, -81, 81);
  numbers(Operation::kTranslateY, -40.5, 40.5);
}

TEST_CASE("RandAugment's magnitude varies about its mean and ends at 10") {
  Range rotate;
  double sum = 0;
  for (uint64_t key = 0; key < 60000; ++key) {
    for (const Step& step : RandAugment{}.draw(32, 32, Rng(2).at(key))) {
      if (step.operation != Operation::kRotate) continue;
      rotate.add(std::abs(step.number));
      sum += std::abs(step.number);
    }
  }
  CHECK(rotate.most == doctest::Approx(30));  // 10 of 10
  CHECK(rotate.least > 3 * (9 - 6 * 0.5));
  CHECK(sum / static_cast<double>(rotate.count) == doctest::Approx(27).epsilon(0.01));
  for (uint64_t key = 0; key < 1000; ++key) {
    const RandAugment none{.magnitude = 0, .deviation = 0};
    for (const Step& step : none.draw(32, 32, Rng(2).at(key)))
      if (step.operation == Operation::kRotate || step.operation == Operation::kShearX) CHECK(step.number == 0);
  }
}

TEST_CASE("TrivialAugment draws each operation equally often, with the table of torchvision") {
  std::map<Operation, Range> seen;
  std::map<Operation, std::set<double>> values;
  constexpr int kDraws = 50000;
  for (uint64_t key = 0; key < kDraws; ++key) {
    const Step step = draw_trivial_augment(Rng(3).at(key));
    seen[step.operation].add(step.number);
    values[step.operation].insert(step.number);
  }
  CHECK(seen.size() == 14);
  for (const auto& entry : seen)
    CHECK(std::abs(static_cast<double>(entry.second.count) - kDraws / 14.0) < 5 * std::sqrt(kDraws / 14.0));
  CHECK(seen.at(Operation::kRotate).most == doctest::Approx(135));
  CHECK(seen.at(Operation::kRotate).least == doctest::Approx(-135));
  CHECK(values.at(Operation::kRotate).size() == 61);  // 30 strengths each way, and none
  CHECK(seen.at(Operation::kShearY).most == doctest::Approx(0.99));
  CHECK(seen.at(Operation::kTranslateX).least == -32);
  CHECK(seen.at(Operation::kBrightness).least == doctest::Approx(0.01));
  CHECK(seen.at(Operation::kBrightness).most == doctest::Approx(1.99));
  CHECK(values.at(Operation::kPosterize) == std::set<double>{2, 3, 4, 5, 6, 7, 8});
  CHECK(values.at(Operation::kSolarize).size() == 31);
  CHECK(seen.at(Operation::kSolarize).most == 255);
  CHECK(seen.at(Operation::kSolarize).least == 0);
}

TEST_CASE("3-Augment is grayscale, solarize or blur, a third each") {
  std::map<Operation, Range> seen;
  for (uint64_t key = 0; key < 3000; ++key) {
    const Step step = draw_three_augment(Rng(4).at(key));
    seen[step.operation].add(step.number);
  }
  CHECK(seen.size() == 3);
  for (const auto& entry : seen) CHECK((entry.second.count > 850 && entry.second.count < 1150));
  CHECK(seen.at(Operation::kSolarize).least == 128);
  CHECK((seen.at(Operation::kBlur).least >= 0.1 && seen.at(Operation::kBlur).most <= 2));
}

TEST_CASE(
    "every operation of every policy takes grey and colour, small and elongated pictures, and says where pixels come from") {
  for (const Shape& shape : {Shape{3, 9, 14}, Shape{1, 14, 9}, Shape{3, 1, 5}}) {
    const Tensor image = noise_picture(shape[0], shape[1], shape[2]);
    const WarpStyle style{Filter::kBicubic, std::vector<uint8_t>(static_cast<size_t>(shape[0]), 7)};
    for (const Policy policy : {Policy::kNone, Policy::kRandAugment, Policy::kTrivialAugment, Policy::kThreeAugment}) {
      for (uint64_t key = 0; key < 200; ++key) {
        const View view = apply_policy(policy, {.magnitude = 10}, image, style, Rng(5).at(key));
        CHECK(view.image.shape() == shape);
        CHECK((view.geometry.height == shape[1] && view.geometry.width == shape[2]));
        CHECK(bit_equal(view.image, apply_policy(policy, {.magnitude = 10}, image, style, Rng(5).at(key)).image));
      }
    }
  }
}

TEST_CASE("policies have names") {
  CHECK(policy_from_name("none") == Policy::kNone);
  CHECK(policy_from_name("randaugment") == Policy::kRandAugment);
  CHECK(policy_from_name("trivial") == Policy::kTrivialAugment);
  CHECK(policy_from_name("three") == Policy::kThreeAugment);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { policy_from_name("auto"); }), "one of none, randaugment, trivial, three");
}

TEST_CASE("a random resized crop keeps its area and proportions, and lies inside") {
  double area = 0;
  for (uint64_t key = 0; key < 4000; ++key) {
    const Rectangle r = draw_resized_crop(120, 160, 0.08, Rng(6).at(key));
    CHECK((r.top >= 0 && r.left >= 0 && r.top + r.height <= 120 && r.left + r.width <= 160));
    const double part = static_cast<double>(r.height * r.width) / (120.0 * 160),
                 ratio = static_cast<double>(r.width) / static_cast<double>(r.height);
    CHECK((part > 0.075 && part <= 1));
    CHECK((ratio > 0.72 && ratio < 1.39));  // 3/4 to 4/3 but for whole pixels
    area += part / 4000;
  }
  CHECK((area > 0.38 && area < 0.54));  // the mean of [0.08, 1], less what does not fit
}

TEST_CASE("where no try fits, the largest allowed part of the middle is shown") {
  const Rectangle wide = draw_resized_crop(10, 100, 1, Rng(7)), high = draw_resized_crop(100, 10, 1, Rng(7));
  CHECK((wide.top == 0 && wide.height == 10 && wide.width == 13 && wide.left == 43));
  CHECK((high.left == 0 && high.width == 10 && high.height == 13 && high.top == 43));
  const Rectangle pixel = draw_resized_crop(1, 1, 0.08, Rng(7));
  CHECK((pixel.height == 1 && pixel.width == 1));
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { draw_resized_crop(5, 5, 0, Rng(7)); }), "scale must be in (0, 1]: it is 0");
}

TEST_CASE("colour jitter changes brightness, contrast and saturation within its strength, in any order") {
  const Tensor grey = full({3, 4, 4}, 100, Dtype::u8);
  Range value;
  for (uint64_t key = 0; key < 500; ++key) value.add(color_jitter(grey, 0.4, 0, Rng(8).at(key)).at({1, 2, 2}));
  CHECK((value.least >= 59 && value.least < 64));
  CHECK((value.most <= 140 && value.most > 136));
  CHECK(bit_equal(color_jitter(noise_picture(3, 5, 5), 0, 0, Rng(8)), noise_picture(3, 5, 5)));
  std::set<double> hues;
  Tensor red = zeros({3, 1, 1}, Dtype::u8);
  red.mutable_data<uint8_t>()[0] = 255;
  for (uint64_t key = 0; key < 100; ++key) {
    const Tensor turned = color_jitter(red, 0, 0.1, Rng(8).at(key));
    CHECK(turned.at({0, 0, 0}) == 255);  // within a tenth of the circle red stays the strongest
    hues.insert(turned.at({1, 0, 0}) - turned.at({2, 0, 0}));
  }
  CHECK(hues.size() > 20);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { color_jitter(noise_picture(3, 2, 2), 0.1, 0.7, Rng(1)); }),
             "hue must be in [0, 0.5]: it is 0.7");
}

TEST_CASE("random erasing fills a rectangle of the asked size with noise, as often as it is asked") {
  int erased = 0;
  double area = 0;
  for (uint64_t key = 0; key < 1000; ++key) {
    Tensor image = full({3, 40, 50}, 99.0);
    const Rectangle r = random_erasing(image, 0.25, Rng(9).at(key));
    int64_t changed = 0;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < image.numel(); ++i) {
      const double x = image.data<float>()[i];
      if (x == 99) continue;
      ++changed, sum += x, squares += x * x;
      const int64_t y = i / 50 % 40, column = i % 50;
      CHECK((y >= r.top && y < r.top + r.height && column >= r.left && column < r.left + r.width));
    }
    CHECK(changed == 3 * r.height * r.width);
    if (changed == 0) continue;
    ++erased;
    area += static_cast<double>(r.height * r.width) / 2000;
    if (changed > 600)
      CHECK((std::abs(sum / static_cast<double>(changed)) < 0.2 && std::abs(squares / static_cast<double>(changed) - 1) < 0.3));
  }
  CHECK((erased > 200 && erased < 300));
  CHECK((area / erased > 0.12 && area / erased < 0.22));
  Tensor image = zeros({1, 2, 2});
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { random_erasing(image, 1.5, Rng(1)); }),
             "the probability must be in [0, 1]: it is 1.5");
}

TEST_CASE("training pictures have the model's size whatever is switched on, and each switch has random numbers of its own") {
  const Preprocessing p{.height = 12, .width = 10, .channels = 3, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.2, 0.2}};
  Augmentation all{.crop_padding = 2, .mirror = true, .crop_scale = 0.2, .flip_vertical = true, .rotate = 15};
  all.policy = Policy::kRandAugment;
  all.jitter = 0.4, all.hue = 0.1, all.grayscale = 0.2, all.blur = 0.5, all.erase = 0.5;
  const Transform everything{p, all}, flips{p, {.mirror = true, .flip_vertical = true}};
  for (uint64_t key = 0; key < 40; ++key) {
    for (const Shape& shape : {Shape{3, 20, 31}, Shape{1, 40, 8}, Shape{3, 12, 10}}) {
      const Tensor image = noise_picture(shape[0], shape[1], shape[2]);
      const Augmented one = everything.augmented(image, Rng(1).at(key));
      CHECK(one.image.shape() == Shape{3, 12, 10});
      CHECK(bit_equal(one.image, everything.train(image, Rng(1).at(key))));
      CHECK((one.geometry.height == 12 && one.geometry.width == 10));
    }
    // Grayscale added: the same flips.
    Transform grey = flips;
    grey.augmentation.grayscale = 1;
    CHECK(grey.augmented(noise_picture(3, 12, 10), Rng(1).at(key)).geometry ==
          flips.augmented(noise_picture(3, 12, 10), Rng(1).at(key)).geometry);
  }
}

TEST_CASE("the geometry of a training picture leads to the pixels that it shows") {
  // A picture whose colour is its place: red grows to the right, green downwards.
  Tensor image = zeros({3, 60, 80}, Dtype::u8);
  for (int64_t y = 0; y < 60; ++y)
    for (int64_t x = 0; x < 80; ++x) {
      image.mutable_data<uint8_t>()[y * 80 + x] = static_cast<uint8_t>(3 * x);
      image.mutable_data<uint8_t>()[(60 + y) * 80 + x] = static_cast<uint8_t>(4 * y);
    }
  Preprocessing p{.height = 32, .width = 32, .channels = 3, .mean = {0, 0, 0}, .std = {1, 1, 1}};
  Augmentation a{.crop_padding = 3, .mirror = true, .flip_vertical = true, .rotate = 20};
  for (const double scale : {0.0, 0.3}) {
    for (const ResizeMode mode : {ResizeMode::kSquash, ResizeMode::kShortSide}) {
      a.crop_scale = scale, p.resize = mode;
      for (uint64_t key = 0; key < 25; ++key) {
        const Augmented one = Transform{p, a}.augmented(image, Rng(1).at(key));
        const auto& m = one.geometry.matrix;
        for (const int64_t i : {12, 16, 20}) {
          const double x = m[0] * (16 + 0.5) + m[1] * (static_cast<double>(i) + 0.5) + m[2],
                       y = m[3] * (16 + 0.5) + m[4] * (static_cast<double>(i) + 0.5) + m[5];
          if (x < 6 || x > 74 || y < 6 || y > 54) continue;
          CHECK(std::abs(one.image.at({0, i, 16}) * 255 - 3 * (x - 0.5)) < 5);
          CHECK(std::abs(one.image.at({1, i, 16}) * 255 - 4 * (y - 0.5)) < 6);
        }
      }
    }
  }
}

TEST_CASE("a normalised picture can be looked at again") {
  const Preprocessing p{.height = 6, .width = 5, .channels = 3, .mean = {0.4, 0.5, 0.6}, .std = {0.2, 0.3, 0.4}};
  const Tensor image = noise_picture(3, 6, 5);
  CHECK(bit_equal(denormalize(preprocess(image, p), p), image));
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [&] {
                       denormalize(zeros({1, 2, 2}), p);
                     }),
             "needs f32 [.., 3, H, W]: it is f32 [1, 2, 2]");
}
