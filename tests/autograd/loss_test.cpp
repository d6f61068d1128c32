// Losses at the edges of the number range, ignored targets, messages; dropout and drop_path as random functions.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "autograd/ops.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct LossAndGradient {
  double loss;
  std::vector<double> gradient;
};

LossAndGradient cross_entropy_of(const std::vector<double>& row, int64_t target, Dtype dtype, double smoothing = 0) {
  const Variable x(to(from_vector(row, {1, static_cast<int64_t>(row.size())}), dtype), true);
  const Variable loss = cross_entropy(x, full({1}, static_cast<double>(target), Dtype::i64), {.label_smoothing = smoothing});
  loss.backward();
  return {loss.item(), to_vector<double>(x.grad())};
}

bool all_finite(const std::vector<double>& values) {
  for (const double v : values) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

void check_close(const std::vector<double>& found, const std::vector<double>& wanted, double tolerance) {
  REQUIRE(found.size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) CHECK(std::abs(found[i] - wanted[i]) <= tolerance);
}

}  // namespace

TEST_CASE("cross entropy of huge logits is finite, and so is its gradient") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    for (const double size : {1e4, 3e38}) {
      for (const double smoothing : {0.0, 0.1}) {
        for (int64_t target = 0; target < 3; ++target) {
          const auto [loss, gradient] = cross_entropy_of({size, -size, 0}, target, dtype, smoothing);
          CAPTURE(size);
          CAPTURE(target);
          CHECK(std::isfinite(loss));
          CHECK(loss >= 0);
          CHECK(all_finite(gradient));
        }
      }
    }
  }
}

TEST_CASE("cross entropy at logits of 10,000 has the exact value and gradient") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const auto right = cross_entropy_of({1e4, -1e4, 0}, 0, dtype), wrong = cross_entropy_of({1e4, -1e4, 0}, 1, dtype);
    CHECK(right.loss == 0);
    check_close(right.gradient, {0, 0, 0}, 0);
    CHECK(wrong.loss == doctest::Approx(2e4));
    check_close(wrong.gradient, {1, -1, 0}, 0);
  }
}

TEST_CASE("cross entropy of equal logits is log C, however large they are") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    for (const double value : {0.0, 1e4, -1e4, 3e38, -3e38}) {
      const auto [loss, gradient] = cross_entropy_of({value, value, value, value}, 2, dtype);
      CAPTURE(value);
      CHECK(loss == doctest::Approx(std::log(4.0)).epsilon(1e-6));
      check_close(gradient, {0.25, 0.25, -0.75, 0.25}, 1e-6);
    }
  }
}

TEST_CASE("a class at minus infinity takes no part in the cross entropy of another class") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const auto [loss, gradient] = cross_entropy_of({1, -kInfinity, 1}, 0, dtype);
    CHECK(loss == doctest::Approx(std::log(2.0)).epsilon(1e-6));
    check_close(gradient, {-0.5, 0, 0.5}, 1e-6);
    CHECK(cross_entropy_of({1, -kInfinity, 1}, 1, dtype).loss == kInfinity);
  }
}

TEST_CASE("a NaN among the logits is not hidden") {
  CHECK(std::isnan(cross_entropy_of({1, std::nan(""), 1}, 0, Dtype::f32).loss));
}

TEST_CASE("when every target is ignored the loss is 0 and the gradient too") {
  for (const Reduction reduction : {Reduction::kMean, Reduction::kSum}) {
    const Variable x(rand_normal({3, 4}, 0, 1, Rng(1)), true);
    const Variable loss = cross_entropy(x, full({3}, 7, Dtype::i64), {.ignore_index = 7, .reduction = reduction});
    loss.backward();
    CHECK(loss.item() == 0);
    CHECK(bit_equal(x.grad(), zeros({3, 4})));
  }
}

TEST_CASE("ignored rows change neither the mean nor the gradient of the others") {
  const Tensor logits = rand_normal({4, 5}, 0, 1, Rng(1), Dtype::f64);
  const Variable all(logits, true), kept(slice(logits, 0, 0, 2), true);
  const Variable a = cross_entropy(all, from_vector(std::vector<int64_t>{3, 1, -100, -100}, {4}));
  const Variable b = cross_entropy(kept, from_vector(std::vector<int64_t>{3, 1}, {2}));
  a.backward();
  b.backward();
  CHECK(a.item() == b.item());
  CHECK(bit_equal(contiguous(slice(all.grad(), 0, 0, 2)), contiguous(kept.grad())));
  CHECK(max(abs(slice(all.grad(), 0, 2, 4))).item() == 0);
}

TEST_CASE("soft targets that are one-hot equal class indices") {
  const Tensor target = rand_int({6}, 0, 5, Rng(2)), hot = one_hot(target, 5, Dtype::f64);
  for (const double smoothing : {0.0, 0.1}) {
    const Variable a(rand_normal({6, 5}, 0, 1, Rng(3), Dtype::f64), true), b(clone(a.value()), true);
    const Variable by_index = cross_entropy(a, target, {.label_smoothing = smoothing});
    const Variable by_mass = cross_entropy(b, hot, {.label_smoothing = smoothing});
    by_index.backward();
    by_mass.backward();
    CHECK(by_mass.item() == doctest::Approx(by_index.item()).epsilon(1e-14));
    CHECK(max(abs(a.grad() - b.grad())).item() < 1e-15);
  }
}

TEST_CASE("the mean divides by the sum of the targets' weights") {
  const Variable x(rand_normal({2, 3}, 0, 1, Rng(1), Dtype::f64));
  const Tensor target = from_vector(std::vector<int64_t>{0, 2}, {2});
  const Tensor weights = from_vector(std::vector<double>{3, 100, 0.5}, {3});
  const Tensor each = cross_entropy(x, target, {.reduction = Reduction::kNone}).value();
  const double wanted = (3 * each.at({0}) + 0.5 * each.at({1})) / 3.5;
  CHECK(cross_entropy(x, target, {.class_weights = weights}).item() == doctest::Approx(wanted).epsilon(1e-14));
}

TEST_CASE("a class out of range is named with its place") {
  const Tensor rows = from_vector(std::vector<int64_t>{0, 12, 3}, {3});
  CHECK_THROWS_WITH_AS(cross_entropy(zeros({3, 10}), rows), doctest::Contains("target[1] is 12, but there are 10 classes"),
                       Error);
  const Tensor pixels = from_vector(std::vector<int64_t>{0, 1, 2, 0, 1, -1}, {1, 2, 3});
  CHECK_THROWS_WITH_AS(cross_entropy(zeros({1, 3, 2, 3}), pixels), doctest::Contains("target[0, 1, 2] is -1"), Error);
  CHECK_THROWS_WITH_AS(nll_loss(zeros({3, 10}), rows), doctest::Contains("[nll_loss] class out of range"), Error);
}

TEST_CASE("targets and options that do not fit the logits are refused with the numbers") {
  const Tensor logits = zeros({3, 10}), rows = zeros({3}, Dtype::i64);
  const auto refused = [&](const Tensor& x, const Tensor& target, const CrossEntropyOptions& options, const char* telling) {
    CHECK_THROWS_WITH_AS(cross_entropy(x, target, options), doctest::Contains(telling), Error);
  };
  refused(logits, zeros({4}, Dtype::i64), {}, "target is [4], logits are [3, 10]");
  refused(logits, zeros({3}), {}, "class indices are i64");
  refused(logits, zeros({3, 10}, Dtype::f64), {}, "target is f64, logits are f32");
  refused(logits, zeros({3}, Dtype::u8), {}, "target is u8");
  refused(zeros({10}), scalar(0, Dtype::i64), {}, "unsqueeze(logits, 0)");
  refused(logits, rows, {.label_smoothing = 1.5}, "it is 1.5");
  refused(logits, rows, {.class_weights = ones({3})}, "10 classes");
  CHECK_THROWS_WITH_AS(mse_loss(zeros({3}), zeros({3, 1})), doctest::Contains("x is [3], target is [3, 1]"), Error);
  CHECK_THROWS_WITH_AS(smooth_l1_loss(zeros({3}), zeros({3}), -1), doctest::Contains("beta is -1"), Error);
}

TEST_CASE("binary cross entropy keeps its digits at large logits and never overflows") {
  const Tensor one = ones({1}), zero = zeros({1});
  CHECK(bce_with_logits(full({1}, 20), one).item() == doctest::Approx(std::exp(-20.0)).epsilon(1e-5));
  CHECK(bce_with_logits(full({1}, -20), zero).item() == doctest::Approx(std::exp(-20.0)).epsilon(1e-5));
  for (const double size : {1e4, -1e4, 3e38, -3e38}) {
    const Variable x(full({1}, size), true);
    const Variable loss = bce_with_logits(x, size > 0 ? zero : one);
    loss.backward();
    CHECK(loss.item() == doctest::Approx(std::abs(size)));
    CHECK(x.grad().item() == (size > 0 ? 1 : -1));
  }
  const Variable x(zeros({1}), true);
  bce_with_logits(x, one).backward();
  CHECK(x.grad().item() == -0.5);  // no kink at 0
}

TEST_CASE("kl_div divides by the batch and takes a target of 0 as it is") {
  const Tensor log_p = log(from_vector(std::vector<double>{0.5, 0.5, 0.25, 0.75}, {2, 2}));
  const Tensor target = from_vector(std::vector<double>{1, 0, 0.5, 0.5}, {2, 2});
  const double wanted = (std::log(2.0) + 0.5 * std::log(2.0) + 0.5 * std::log(0.5 / 0.75)) / 2;
  CHECK(kl_div(log_p, target).item() == doctest::Approx(wanted).epsilon(1e-14));
}

TEST_CASE("cross entropy has the same bits for 1, 2 and 4 threads") {
  const Tensor logits = rand_normal({513, 100}, 0, 3, Rng(1)), target = rand_int({513}, 0, 100, Rng(2));
  std::vector<Tensor> losses, gradients;
  const int before = num_threads();
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    const Variable x(logits, true);
    const Variable loss = cross_entropy(x, target, {.label_smoothing = 0.1});
    loss.backward();
    losses.push_back(loss.value());
    gradients.push_back(x.grad());
  }
  set_num_threads(before);
  for (size_t i = 1; i < losses.size(); ++i) {
    CHECK(bit_equal(losses[i], losses[0]));
    CHECK(bit_equal(gradients[i], gradients[0]));
  }
}
