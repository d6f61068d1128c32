// dropout and drop_path as random functions: share, scale, reproducibility, independence of threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/ops.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"

using namespace vitrail;

TEST_CASE("dropout zeroes the share p and scales the rest by 1 / (1 - p)") {
  const int64_t n = 200000;
  for (const double p : {0.1, 0.5, 0.9}) {
    const std::vector<double> y = to_vector<double>(dropout(ones({n}, Dtype::f64), p, true, Rng(1)).value());
    const int64_t zeros_found = std::count(y.begin(), y.end(), 0.0);
    CHECK(std::count(y.begin(), y.end(), 1 / (1 - p)) == n - zeros_found);
    const double deviation = std::sqrt(static_cast<double>(n) * p * (1 - p));
    CHECK(std::abs(static_cast<double>(zeros_found) - p * static_cast<double>(n)) < 5 * deviation);
  }
}

TEST_CASE("the four words of a random block decide four neighbours independently") {
  const int64_t n = 200000;
  const std::vector<double> y = to_vector<double>(dropout(ones({n}), 0.5, true, Rng(2)).value());
  for (int64_t lag = 1; lag <= 5; ++lag) {
    int64_t equal_pairs = 0;
    for (int64_t i = 0; i + lag < n; ++i) equal_pairs += y[i] == y[i + lag];
    CHECK(std::abs(static_cast<double>(equal_pairs) / static_cast<double>(n - lag) - 0.5) < 0.006);
  }
}

TEST_CASE("dropout is a function of its generator: same seed same mask, other stream other mask") {
  const Tensor x = ones({1000});
  Rng rng(3);
  const Rng first = rng.split(), second = rng.split();
  const Tensor y = dropout(x, 0.5, true, first).value();
  CHECK(bit_equal(dropout(x, 0.5, true, first).value(), y));
  CHECK_FALSE(bit_equal(dropout(x, 0.5, true, second).value(), y));
  CHECK_FALSE(bit_equal(dropout(x, 0.5, true, Rng(4)).value(), y));
}

TEST_CASE("dropout and its gradient have the same bits for 1, 2 and 4 threads") {
  const Tensor input = rand_normal({3, 70001}, 0, 1, Rng(5));
  std::vector<Tensor> results;
  const int before = num_threads();
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    const Variable x(input, true);
    const Variable y = dropout(x, 0.3, true, Rng(6));
    y.backward(input);
    results.push_back(stack(std::vector<Tensor>{y.value(), x.grad()}, 0));
  }
  set_num_threads(before);
  CHECK(bit_equal(results[1], results[0]));
  CHECK(bit_equal(results[2], results[0]));
}

TEST_CASE("the gradient of dropout passes the mask of the forward pass") {
  const Variable x(rand_normal({64}, 0, 1, Rng(7)), true);
  const Variable y = dropout(x, 0.4, true, Rng(8));
  y.backward(x.value());
  CHECK(bit_equal(x.grad(), y.value()));
}

TEST_CASE("a dropped element is 0 even if it was not a number") {
  const std::vector<double> y = to_vector<double>(dropout(full({100}, NAN), 0.5, true, Rng(9)).value());
  int64_t kept = 0;
  for (const double v : y) {
    kept += std::isnan(v);
    CHECK_UNARY(std::isnan(v) || v == 0);
  }
  CHECK(kept > 0);
  CHECK(kept < 100);
}

TEST_CASE("drop_path keeps or drops whole samples") {
  const int64_t samples = 4000;
  const Tensor y = drop_path(ones({samples, 2, 3}, Dtype::f64), 0.25, true, Rng(10)).value();
  const std::vector<double> low = to_vector<double>(min(y, {1, 2})), high = to_vector<double>(max(y, {1, 2}));
  CHECK(low == high);
  int64_t dropped = 0;
  for (const double v : low) {
    dropped += v == 0;
    CHECK_UNARY(v == 0 || v == 1 / 0.75);
  }
  CHECK(std::abs(static_cast<double>(dropped) - 1000) < 5 * std::sqrt(4000 * 0.25 * 0.75));
}

TEST_CASE("drop_path of a sample does not depend on the size of the batch or of the sample") {
  const Tensor large = drop_path(ones({8, 3}), 0.5, true, Rng(11)).value();
  const Tensor small = drop_path(ones({5, 1}), 0.5, true, Rng(11)).value();
  CHECK(bit_equal(contiguous(slice(slice(large, 0, 0, 5), 1, 0, 1)), small));
}

TEST_CASE("in evaluation, and at p = 0, nothing is dropped and no op is recorded") {
  const Variable x(ones({4, 2}), true);
  for (const Variable& y : {dropout(x, 0.5, false, Rng(1)), dropout(x, 0, true, Rng(1)), drop_path(x, 0.5, false, Rng(1))}) {
    CHECK(y.is_leaf());
    CHECK(y.value().storage() == x.value().storage());
  }
}

TEST_CASE("a drop probability outside [0, 1) is refused, in evaluation too") {
  const Variable x(ones({4, 2}));
  for (const double p : {-0.1, 1.0, 1.5, static_cast<double>(NAN)}) {
    for (const bool training : {true, false}) {
      CHECK_THROWS_WITH_AS(dropout(x, p, training, Rng(1)), doctest::Contains("[dropout] the drop probability"), Error);
      CHECK_THROWS_WITH_AS(drop_path(x, p, training, Rng(1)), doctest::Contains("[drop_path] the drop probability"), Error);
    }
  }
  CHECK_THROWS_WITH_AS(drop_path(scalar(1), 0.5, true, Rng(1)), doctest::Contains("axis 0 must hold the samples"), Error);
}
