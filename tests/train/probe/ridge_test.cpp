// Ridge regression in closed form against fitting again without each picture.
#include "train/probe/ridge.h"
#include "train/probe/head.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"
#include "train/probe/scale.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

struct Data {
  StandardFeatures features;
  Tensor raw;
  std::vector<int64_t> labels;
};

// Features whose first places tell the class, among others that do not.
Data made_up(int64_t n, int64_t d, int64_t classes, uint64_t seed) {
  Data data;
  data.raw = rand_normal({n, d}, 0.5, 2, Rng(seed));
  float* x = data.raw.mutable_data<float>();
  for (int64_t i = 0; i < n; ++i) {
    data.labels.push_back(i % classes);
    x[i * d + i % std::min(classes, d)] += 2.5f;
  }
  data.features = standardised(data.raw);
  return data;
}

Tensor inverse(const Tensor& a) {  // of a symmetric positive matrix
  const auto [values, vectors] = eigh(a);
  return matmul(vectors / unsqueeze(values, 0), transpose(vectors, 0, 1));
}

Tensor with_ones(const Tensor& x) { return concat(std::vector<Tensor>{x, ones({x.size(0), 1}, Dtype::f64)}, 1); }

// (X^T X + lambda I)^-1 X^T Y with a last column of ones that has no penalty: [D + 1, K].
Tensor solved(const Tensor& x, const std::vector<int64_t>& labels, int64_t classes, double lambda) {
  const Tensor all = with_ones(x);
  Tensor gram = matmul(transpose(all, 0, 1), all);
  double* g = gram.mutable_data<double>();
  const int64_t d = x.size(1);
  for (int64_t j = 0; j < d; ++j) g[j * (d + 1) + j] += lambda;
  const Tensor y = one_hot(from_vector(labels, {x.size(0)}), classes, Dtype::f64) * 2 - 1;
  return matmul(inverse(gram), matmul(transpose(all, 0, 1), y));
}

Tensor without_row(const Tensor& x, int64_t row) {
  return concat(std::vector<Tensor>{slice(x, 0, 0, row), slice(x, 0, row + 1, x.size(0))}, 0);
}

// The scores of each picture by a fit to all others.
Tensor brute_force(const Data& data, int64_t classes, double lambda) {
  const Tensor& x = data.features.values;
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < x.size(0); ++i) {
    std::vector<int64_t> labels = data.labels;
    labels.erase(labels.begin() + i);
    rows.push_back(matmul(with_ones(slice(x, 0, i, i + 1)), solved(without_row(x, i), labels, classes, lambda)));
  }
  return concat(rows, 0);
}

double squared_error(const Tensor& scores, const std::vector<int64_t>& labels) {
  const Tensor y = one_hot(from_vector(labels, {scores.size(0)}), scores.size(1), Dtype::f64) * 2 - 1;
  return mean((y - scores) * (y - scores)).item();
}

}  // namespace

TEST_CASE(
    "ridge: the leave-one-out error in closed form is that of fitting without each picture, for many and for few pictures") {
  for (const auto& [n, d, classes] : {std::array<int64_t, 3>{40, 7, 3}, {12, 20, 3}, {9, 9, 2}, {10, 9, 2}}) {
    const Data data = made_up(n, d, classes, static_cast<uint64_t>(n + d));
    const RidgeProbe probe = fit_ridge(data.features, data.labels, classes, {1e-2, 1, 30});
    CAPTURE(n);
    REQUIRE(probe.scores.size() == 3);
    for (const PenaltyScore& score : probe.scores) {
      const Tensor scores = brute_force(data, classes, score.penalty * static_cast<double>(n));
      CAPTURE(score.penalty);
      CHECK(score.error == doctest::Approx(squared_error(scores, data.labels)).epsilon(1e-8));
      CHECK(score.accuracy == doctest::Approx(quality_of(scores, data.labels).accuracy));
    }
    const auto least =
        std::min_element(probe.scores.begin(), probe.scores.end(), [](auto& a, auto& b) { return a.error < b.error; });
    CHECK(probe.chosen.penalty == least->penalty);
  }
}

TEST_CASE("ridge: the head on raw features gives the scores of the normal equations, times the scale") {
  for (const auto& [n, d] : {std::array<int64_t, 2>{60, 8}, {15, 30}}) {
    const Data data = made_up(n, d, 4, 3);
    const RidgeProbe probe = fit_ridge(data.features, data.labels, 4, {0.1});
    const Tensor expected =
        matmul(with_ones(data.features.values), solved(data.features.values, data.labels, 4, 0.1 * static_cast<double>(n))) *
        probe.scale;
    const Tensor logits = to(apply_head(probe.head, data.raw), Dtype::f64);
    CHECK(max(abs(logits - expected)).item() < 2e-5 * max(abs(expected)).item());
    CHECK(probe.head.weight.shape() == Shape{4, d});
  }
}

TEST_CASE("ridge: constant features, pictures without any difference and equal columns do no harm") {
  Data data = made_up(30, 6, 3, 5);
  float* x = data.raw.mutable_data<float>();
  for (int64_t i = 0; i < 30; ++i) x[i * 6 + 4] = 7.25f, x[i * 6 + 5] = x[i * 6];
  data.features = standardised(data.raw);
  const RidgeProbe probe = fit_ridge(data.features, data.labels, 3);
  CHECK(probe.chosen.accuracy > 0.5);
  CHECK(min(isfinite(probe.head.weight)).item() == 1);
  CHECK(probe.head.weight.at({0, 4}) == 0);
  const StandardFeatures nothing = standardised(full({6, 3}, 2.5));
  const RidgeProbe blind = fit_ridge(nothing, {0, 0, 0, 0, 1, 1}, 2);
  CHECK(max(abs(blind.head.weight)).item() == 0);
  CHECK(blind.head.bias.at({0}) > blind.head.bias.at({1}));  // the more frequent class
}

TEST_CASE("ridge: threads change no bit of the head") {
  const Data data = made_up(300, 40, 3, 11);
  const int before = num_threads();
  set_num_threads(1);
  const RidgeProbe one = fit_ridge(data.features, data.labels, 3);
  set_num_threads(3);
  CHECK(bit_equal(one.head.weight, fit_ridge(data.features, data.labels, 3).head.weight));
  set_num_threads(before);
}

TEST_CASE("ridge: labels, classes and penalties that cannot be are refused by their numbers") {
  const Data data = made_up(6, 3, 2, 1);
  const auto fit = [&](std::vector<int64_t> labels, int64_t classes, std::vector<double> penalties) {
    return [=, &data] { fit_ridge(data.features, labels, classes, penalties); };
  };
  CHECK(refuses(fit({0, 1}, 2, {1}), ErrorKind::kValue,
                "needs a label for each of at least 2 pictures: features are [6, 3], labels 2"));
  CHECK(refuses(fit({0, 1, 2, 0, 1, 0}, 2, {1}), ErrorKind::kValue, "label outside [0, 2): it is 2"));
  CHECK(refuses(fit(data.labels, 1, {1}), ErrorKind::kValue, "needs at least 2 classes: there are 1"));
  CHECK(refuses(fit(data.labels, 2, {}), ErrorKind::kValue, "no penalty to choose from"));
  CHECK(refuses(fit(data.labels, 2, {0}), ErrorKind::kValue, "penalties must be above 0: one is 0"));
  CHECK(refuses([] { standardised(zeros({0, 3})); }, ErrorKind::kValue, "features must be f32 [N, D] with N at least 1"));
}

TEST_CASE("scale: the factor is where the slope of the smoothed log loss is zero") {
  // Two classes, scores (s, 0), 70 of 100 right: the best b has 1 / (1 + e^(-b)) = the mean wanted probability.
  const int64_t n = 100;
  std::vector<int64_t> labels;
  Tensor scores = zeros({n, 2}, Dtype::f64);
  for (int64_t i = 0; i < n; ++i) {
    scores.mutable_data<double>()[2 * i] = 1;
    labels.push_back(i < 70 ? 0 : 1);
  }
  const double wanted = (70.0 * 101 + 30) / (102.0 * 100);
  CHECK(calibrated_scale(scores, labels) == doctest::Approx(std::log(wanted / (1 - wanted))).epsilon(1e-6));
  // Without a mistake the factor stays finite.
  labels.assign(static_cast<size_t>(n), 0);
  CHECK(calibrated_scale(scores, labels) == doctest::Approx(std::log(101.0)).epsilon(1e-6));
  CHECK(quality_of(scores, labels, 2).log_loss == doctest::Approx(std::log(1 + std::exp(-2))));
  CHECK(refuses([&] { quality_of(scores, {0}); }, ErrorKind::kShape, "needs scores [N, K] and N labels"));
}
