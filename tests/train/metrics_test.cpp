#include "train/metrics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "train/progress.h"

using namespace vitrail;

namespace {

Tensor labels(const std::vector<int64_t>& values) { return from_vector(values, Shape{static_cast<int64_t>(values.size())}); }

}  // namespace

TEST_CASE("top-k counts the rows whose target is among the k largest") {
  const Tensor logits = from_vector(std::vector<float>{9, 5, 1, 7, 0, 1, 2, 3, 4, 5, 6, 7}, {3, 4});
  CHECK(count_top_k(logits, labels({0, 3, 0}), 1) == 2);
  CHECK(count_top_k(logits, labels({1, 2, 1}), 2) == 1);
  CHECK(count_top_k(logits, labels({1, 2, 1}), 3) == 3);
  CHECK(count_top_k(logits, labels({2, 0, 0}), 100) == 3);
  CHECK(top_k_accuracy(logits, labels({0, 3, 0})) == doctest::Approx(2.0 / 3));
}

TEST_CASE("of equal logits the first class counts as the prediction") {
  const Tensor logits = zeros({1, 3});
  CHECK(count_top_k(logits, labels({0}), 1) == 1);
  CHECK(count_top_k(logits, labels({1}), 1) == 0);
  CHECK(count_top_k(logits, labels({1}), 2) == 1);
}

TEST_CASE("a model that answers NaN is wrong") {
  const Tensor logits = full({2, 3}, std::nan(""));
  CHECK(count_top_k(logits, labels({0, 1}), 1) == 0);
  CHECK(count_top_k(logits, labels({0, 1}), 5) == 0);
}

TEST_CASE("a target that is no class is refused with its place") {
  CHECK_THROWS_WITH_AS(count_top_k(zeros({2, 3}), labels({0, 3}), 1), doctest::Contains("outside [0, 3): target[1] is 3"),
                       Error);
  CHECK_THROWS_WITH_AS(count_top_k(zeros({2, 3}), labels({0}), 1), doctest::Contains("logits is [2, 3], target is [1]"), Error);
}

TEST_CASE("a running mean weighs by samples") {
  RunningMean mean;
  CHECK(mean.mean() == 0);
  mean.add(1, 3);
  mean.add(5, 1);
  CHECK(mean.mean() == 2);
  CHECK(mean.samples() == 4);
}

TEST_CASE("the confusion matrix gives recall, precision and accuracy") {
  ConfusionMatrix matrix(3);
  matrix.add(from_vector(std::vector<float>{1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1}, {4, 3}), labels({0, 0, 1, 2}));
  CHECK(matrix.count(0, 1) == 1);
  CHECK(matrix.accuracy() == 0.75);
  CHECK(matrix.recall(0) == 0.5);
  CHECK(matrix.precision(1) == 0.5);
  CHECK(matrix.precision(0) == 1);
  CHECK(matrix.f1(0) == doctest::Approx(2.0 / 3));
  CHECK(matrix.to_string({"cat", "dog", "bird"}).find("bird") != std::string::npos);
  CHECK_THROWS_WITH_AS(matrix.add(3, 0), doctest::Contains("target outside [0, 3)"), Error);
}

TEST_CASE("the progress line is shorter than the terminal is wide, and keeps step and loss longest") {
  const ProgressState state{3, 10, 1407, 4690, 0.6134, "top-1 81.2 %", 4120.4, 112};
  for (const int width : {200, 100, 80, 60, 40, 30}) {
    CAPTURE(width);
    CHECK(static_cast<int>(format_progress(state, width).size()) < width);
  }
  CHECK(format_progress(state, 200) == format_progress(state));
  CHECK(format_progress(state, 40) == "step 1407/4690  loss 0.613  1:52 left");
  CHECK(format_progress(state, 3) == "step 1407/4690");
  ProgressState diverged = state;
  diverged.loss = -NAN;
  CHECK(format_progress(diverged).find("loss not finite") != std::string::npos);
}

TEST_CASE("progress reads like a sentence") {
  CHECK(format_progress({3, 10, 1407, 4690, 0.6134, "top-1 81.2 %", 4120.4, 112}) ==
        "epoch 3/10  step 1407/4690  loss 0.613  top-1 81.2 %  4120 images/s  1:52 left");
  // A NaN with its sign bit set reads like any other.
  CHECK(format_progress({.loss = std::copysign(std::nan(""), -1)}).find("-nan") == std::string::npos);
  CHECK(format_duration(7) == "0:07");
  CHECK(format_duration(11261) == "3:07:41");
  CHECK(format_duration(std::nan("")) == "?");
}
