#include "data/check/near_duplicates.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "data/image/image.h"
#include "tensor/ops/resize.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A smooth picture of its own for each number: a few waves, as a photograph has them.
Tensor waves(uint64_t number, int64_t side = 64) {
  Tensor image = empty({3, side, side}, Dtype::u8, "test");
  uint8_t* pixel = image.mutable_data<uint8_t>();
  const Rng rng(number, 5);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) {
        double value = 128;
        for (uint64_t k = 0; k < 4; ++k) {
          const double fx = 2.5 * rng.uniform(4 * k), fy = 2.5 * rng.uniform(4 * k + 1), phase = 6.28 * rng.uniform(4 * k + 2);
          value += 28 * std::sin(6.28 * (fx * (static_cast<double>(x) + 0.5) + fy * (static_cast<double>(y) + 0.5)) / static_cast<double>(side) + phase);
        }
        *pixel++ = static_cast<uint8_t>(std::clamp(value, 0.0, 255.0));
      }
  return image;
}

Tensor changed(const Tensor& image, int64_t amount) {
  Tensor copy = clone(image);
  uint8_t* pixel = copy.mutable_data<uint8_t>();
  for (int64_t i = 0; i < copy.numel(); ++i) pixel[i] = static_cast<uint8_t>(std::clamp<int64_t>(pixel[i] + (i % 3 - 1) * amount, 0, 255));
  return copy;
}

}  // namespace

TEST_CASE("the difference hash says where a picture gets lighter to the right") {
  Tensor ramp = empty({1, 8, 9}, Dtype::u8, "test");
  for (int64_t i = 0; i < 72; ++i) ramp.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(20 * (i % 9));
  CHECK(look_of(ramp).hash == ~uint64_t{0});
  for (int64_t i = 0; i < 72; ++i) ramp.mutable_data<uint8_t>()[i] = static_cast<uint8_t>(200 - 20 * (i % 9));
  CHECK(look_of(ramp).hash == 0);
  CHECK(look_of(full({3, 20, 30}, 7, Dtype::u8)).hash == 0);
  CHECK(look_of(full({3, 20, 30}, 7, Dtype::u8)).thumbnail[100] == 7);
}

TEST_CASE("a picture looks like its copies of another size and quality, and like no other") {
  for (uint64_t number = 0; number < 20; ++number) {
    const Tensor image = waves(number);
    const Look look = look_of(image);
    CHECK(look_alike(look, look_of(changed(image, 3))));
    CHECK(look_alike(look, look_of(waves(number, 96))));
    for (uint64_t other = number + 1; other < 20; ++other) CHECK_FALSE(look_alike(look, look_of(waves(other))));
  }
}

TEST_CASE("near hashes are those that a comparison of all with all finds") {
  const Rng rng(4);
  std::vector<uint64_t> hashes;
  for (uint64_t i = 0; i < 600; ++i) {
    uint64_t hash = static_cast<uint64_t>(rng.block(i)[0]) << 32 | rng.block(i)[1];
    hashes.push_back(hash);
    for (uint64_t k = 0; k < i % 4; ++k) {  // relatives, up to six bits away
      for (uint64_t bit = 0; bit <= 2 * k; ++bit) hash ^= uint64_t{1} << rng.below(1000 + 50 * i + 10 * k + bit, 64);
      hashes.push_back(hash);
    }
  }
  std::vector<std::pair<int64_t, int64_t>> expected;
  for (size_t i = 0; i < hashes.size(); ++i)
    for (size_t j = i + 1; j < hashes.size(); ++j)
      if (different_bits(hashes[i], hashes[j]) <= kMostBits) expected.push_back({static_cast<int64_t>(i), static_cast<int64_t>(j)});
  CHECK(expected.size() > 300);
  CHECK(near_hashes(hashes) == expected);
}

TEST_CASE("a set of equal hashes costs n times a constant, not n squared, and is still one group") {
  const std::vector<uint64_t> hashes(5000, 42);
  const auto pairs = near_hashes(hashes);
  CHECK(static_cast<int64_t>(pairs.size()) <= 5000 * kLongestRun);
  const auto groups = groups_of(5000, pairs);
  REQUIRE(groups.size() == 1);
  CHECK(groups[0].size() == 5000);
}

TEST_CASE("groups are what is connected") {
  const auto groups = groups_of(8, {{0, 3}, {3, 7}, {2, 4}});
  REQUIRE(groups.size() == 2);
  CHECK(groups[0] == std::vector<int64_t>{0, 3, 7});
  CHECK(groups[1] == std::vector<int64_t>{2, 4});
  CHECK(groups_of(3, {}).empty());
}
