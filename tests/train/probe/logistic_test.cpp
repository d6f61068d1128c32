// L-BFGS and logistic regression against solutions that are known.
#include "train/probe/logistic.h"
#include "train/probe/head.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"
#include "train/probe/scale.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Values of the parameters [K, D + 1] of a penalised loss, straight from its definition.
double loss_of(const std::vector<double>& w, const Tensor& x, const std::vector<int64_t>& labels, int64_t classes,
               double penalty) {
  const int64_t n = x.size(0), d = x.size(1);
  double loss = 0;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<double> scores;
    for (int64_t k = 0; k < classes; ++k) {
      double score = w[k * (d + 1) + d];
      for (int64_t j = 0; j < d; ++j) score += w[k * (d + 1) + j] * x.at({i, j});
      scores.push_back(score);
    }
    double total = 0;
    for (const double score : scores) total += std::exp(score);
    loss += std::log(total) - scores[labels[i]];
  }
  loss /= static_cast<double>(n);
  for (int64_t k = 0; k < classes; ++k)
    for (int64_t j = 0; j < d; ++j) loss += penalty / 2 * w[k * (d + 1) + j] * w[k * (d + 1) + j];
  return loss;
}

}  // namespace

TEST_CASE("lbfgs: Rosenbrock's valley is followed to its end, a quadratic to its centre") {
  const auto valley = [](const std::vector<double>& x, std::vector<double>& g) {
    const double a = 1 - x[0], b = x[1] - x[0] * x[0];
    g = {-2 * a - 400 * x[0] * b, 200 * b};
    return a * a + 100 * b * b;
  };
  const LbfgsResult end = minimise(valley, {-1.2, 1}, {.tolerance = 1e-9});
  CHECK(end.converged);
  CHECK(std::abs(end.x[0] - 1) < 1e-8);
  CHECK(std::abs(end.x[1] - 1) < 1e-8);
  CHECK(end.iterations < 60);
  const auto bowl = [](const std::vector<double>& x, std::vector<double>& g) {
    double value = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double stretch = std::pow(10.0, static_cast<double>(i) / 20);
      g[i] = stretch * (x[i] - 3);
      value += 0.5 * stretch * (x[i] - 3) * (x[i] - 3);
    }
    return value;
  };
  const LbfgsResult centre = minimise(bowl, std::vector<double>(40, 0.0), {.tolerance = 1e-8});
  CAPTURE(centre.iterations);
  CAPTURE(centre.gradient);
  CHECK(centre.converged);
  for (const double x : centre.x) CHECK(std::abs(x - 3) < 1e-7);
  CHECK(minimise(bowl, std::vector<double>(40, 3.0)).iterations == 0);
  CHECK_FALSE(minimise(valley, {-1.2, 1}, {.most_iterations = 2}).converged);
  const auto broken = [](const std::vector<double>&, std::vector<double>&) { return NAN; };
  CHECK(refuses([&] { minimise(broken, {1}); }, ErrorKind::kNumeric, "value or gradient at the start is not finite"));
}

TEST_CASE("logistic: one yes-or-no feature has the log odds of its two groups") {
  // Of 40 pictures with x = 1 there are 30 of class 1, of 60 with x = 0 there are 12.
  Tensor x = zeros({100, 1}, Dtype::f64);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 100; ++i) {
    x.mutable_data<double>()[i] = i < 40;
    labels.push_back(i < 30 || (i >= 40 && i < 52));
  }
  const LbfgsResult fit = solve_logistic(x, labels, 2, 0, std::vector<double>(4), {.tolerance = 1e-10});
  REQUIRE(fit.converged);
  const double weight = fit.x[2] - fit.x[0], bias = fit.x[3] - fit.x[1];
  CHECK(bias == doctest::Approx(std::log(12.0 / 48)).epsilon(1e-8));
  CHECK(weight + bias == doctest::Approx(std::log(30.0 / 10)).epsilon(1e-8));
}

TEST_CASE("logistic: the solution has no lower neighbour, and starting elsewhere leads to it") {
  const int64_t n = 60, d = 4, classes = 3;
  const Tensor x = to(rand_normal({n, d}, 0, 1, Rng(4)), Dtype::f64);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(x.at({i, 0}) > 0.3 ? 0 : x.at({i, 1}) > 0 ? 1 : i % classes);
  const LbfgsResult fit = solve_logistic(x, labels, classes, 0.05, std::vector<double>(15), {.tolerance = 1e-10});
  REQUIRE(fit.converged);
  CHECK(fit.value == doctest::Approx(loss_of(fit.x, x, labels, classes, 0.05)).epsilon(1e-12));
  for (size_t i = 0; i < fit.x.size(); ++i) {
    std::vector<double> up = fit.x, down = fit.x;
    up[i] += 1e-4, down[i] -= 1e-4;
    const double slope = (loss_of(up, x, labels, classes, 0.05) - loss_of(down, x, labels, classes, 0.05)) / 2e-4;
    CHECK(std::abs(slope) < 1e-8);
  }
  const LbfgsResult other = solve_logistic(x, labels, classes, 0.05, std::vector<double>(15, 0.7), {.tolerance = 1e-10});
  CHECK(other.value == doctest::Approx(fit.value).epsilon(1e-12));
}

TEST_CASE("logistic: noise asks for a strong penalty, clear classes for a weak one, and the head works on raw features") {
  const int64_t n = 150, d = 10;
  Tensor raw = rand_normal({n, d}, 3, 5, Rng(8));
  std::vector<int64_t> noise, clear;
  for (int64_t i = 0; i < n; ++i) {
    noise.push_back(static_cast<int64_t>(Rng(2).below(static_cast<uint64_t>(i), 3)));
    clear.push_back(raw.at({i, 0}) > 5 ? 0 : raw.at({i, 1}) > 3 ? 1 : 2);
  }
  const StandardFeatures features = standardised(raw);
  const LogisticProbe lost = fit_logistic(features, noise, 3), sure = fit_logistic(features, clear, 3);
  CHECK(lost.penalty > sure.penalty);
  CHECK(lost.log_loss > 1);
  CHECK(sure.log_loss < 0.5);
  CHECK(sure.converged);
  CHECK(quality_of(apply_head(sure.head, raw), clear).accuracy > 0.95);
  // Chosen on a part: the same prior against one picture.
  const LogisticProbe part = fit_logistic(features, clear, 3, {.penalties = {0.1}, .most_for_choice = 50});
  CHECK(part.penalty == doctest::Approx(0.1 * 50 / 150));
}

TEST_CASE("logistic: labels, classes and folds that cannot be are refused by their numbers") {
  const StandardFeatures features = standardised(rand_normal({4, 2}, 0, 1, Rng(1)));
  CHECK(refuses([&] { fit_logistic(features, {0, 1}, 2); }, ErrorKind::kValue, "features are [4, 2], labels 2"));
  CHECK(refuses([&] { fit_logistic(features, {0, 1, 0, 3}, 2); }, ErrorKind::kValue, "label outside [0, 2): it is 3"));
  CHECK(refuses([&] { fit_logistic(features, {0, 0, 0, 0}, 1); }, ErrorKind::kValue, "needs at least 2 classes: there are 1"));
  CHECK(refuses(
      [&] {
        fit_logistic(features, {0, 1, 0, 1}, 2, {.folds = 1});
      },
      ErrorKind::kValue, "at least 2 folds: there are 6 and 1"));
}
