// Average precision against its definition by counting, and against scikit-learn's numbers.
#include "train/average_precision.h"

#include <doctest/doctest.h>

#include <limits>

#include "base/error.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

// The mean, over the pictures with the class, of the precision among all pictures that score at least as high.
double by_counting(const std::vector<float>& scores, const std::vector<uint8_t>& positive) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    if (!positive[i]) continue;
    double above = 0, right = 0;
    for (size_t j = 0; j < scores.size(); ++j)
      if (scores[j] >= scores[i]) above += 1, right += positive[j];
    sum += right / above, count += 1;
  }
  return sum / count;
}

}  // namespace

TEST_CASE("average precision is the mean precision at each picture with the class, ties counted together") {
  for (uint64_t trial = 0; trial < 200; ++trial) {
    const Rng rng(trial, 5);
    const auto size = static_cast<size_t>(1 + rng.below(0, 60));
    const uint64_t levels = trial % 3 == 0 ? 3 : trial % 3 == 1 ? 12 : 100000;  // many ties, some, hardly any
    std::vector<float> scores;
    std::vector<uint8_t> positive;
    for (size_t i = 0; i < size; ++i) {
      scores.push_back(static_cast<float>(rng.below(2 * i + 1, levels)) / 7 - 3);
      positive.push_back(rng.below(2 * i + 2, 3) == 0);
    }
    positive[rng.below(1000, size)] = 1;
    CAPTURE(trial);
    CHECK(average_precision(scores, positive).value() == doctest::Approx(by_counting(scores, positive)).epsilon(1e-12));
  }
}

TEST_CASE("average precision of scikit-learn 1.9.1: with ties 0.58888..., order of equal scores without effect") {
  const std::vector<float> scores{0.9F, 0.8F, 0.8F, 0.8F, 0.5F, 0.5F, 0.2F, 0.1F, 0.1F, 0.05F};
  // average_precision_score(y, s)
  CHECK(average_precision(scores, {1, 0, 1, 0, 1, 0, 0, 1, 0, 1}).value() ==
        doctest::Approx(0.5888888888888888).epsilon(1e-14));
  CHECK(average_precision(scores, {1, 1, 0, 0, 0, 1, 0, 0, 1, 1}).value() ==
        doctest::Approx(0.5888888888888888).epsilon(1e-14));
}

TEST_CASE("average precision: perfect is 1, without a positive there is none, NaN ranks last") {
  CHECK(average_precision({3, 2, 1}, {1, 1, 0}).value() == 1);
  CHECK(average_precision({1, 1, 1, 1}, {1, 0, 0, 0}).value() == 0.25);
  CHECK(!average_precision({3, 2, 1}, {0, 0, 0}));
  CHECK(!average_precision({}, {}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(average_precision({nan, 2, 1, nan}, {1, 1, 0, 0}).value() == doctest::Approx((1 + 0.5) / 2));
  CHECK_THROWS_WITH_AS(average_precision({1}, {}), doctest::Contains("there are 1 scores for 0 pictures"), Error);
}
