// Lab 5, exercises 5.3 and 5.4: the norm of the gradients, and the rate of each step.
#pragma once

#include <cmath>
#include <limits>

#include "labs/lab5/tests_rules.h"
#include "train/optim/clip.h"
#include "train/optim/schedule.h"

namespace {

struct Gradients {
  Variable a = leaf(zeros({3, 4}, Dtype::f64)), b = leaf(zeros({5}, Dtype::f64)), frozen = leaf(zeros({2}, Dtype::f64)),
           fresh = leaf(zeros({2}, Dtype::f64));

  explicit Gradients(uint64_t stream, double size = 1) {
    a.set_grad(lab::random({3, 4}, stream, 0, size));
    b.set_grad(lab::random({5}, stream + 1, 0, size));
    frozen.set_grad(full({2}, 1000, Dtype::f64));
    frozen.set_requires_grad(false);
  }
  std::vector<ParamGroup> groups() const { return {group_of({a, frozen}, 0), group_of({fresh, b}, 0.1)}; }
  double norm() const {
    double sum = 0;
    for (const double g : to_vector<double>(contiguous(a.grad()))) sum += g * g;
    for (const double g : to_vector<double>(contiguous(b.grad()))) sum += g * g;
    return std::sqrt(sum);
  }
};

class Pair : public nn::Module {
 public:
  Pair() : first(zeros({2, 2}, Dtype::f64), true), second(zeros({2}, Dtype::f64), true) {
    register_parameter("first", first);
    register_parameter("second", second);
  }
  void set(const std::vector<double>& a, const std::vector<double>& b) {
    first.set_grad(from_vector(a, {2, 2}));
    second.set_grad(from_vector(b, {2}));
  }
  Variable first, second;
};

std::string clipped(double max_norm, const std::vector<double>& a, const std::vector<double>& b) {
  Pair pair;
  pair.set(a, b);
  const double norm = clip_grad_norm(pair, max_norm);
  return lab::digits(std::vector<double>{norm}, 4) + lab::digits(pair.first.grad(), 4) + lab::digits(pair.second.grad(), 4);
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

LAB_PROBE("5.3") { return clipped(1, {3, 0, 0, 0}, {0, 4}) + clipped(100, {3, 0, 0, 0}, {0, 4}); }
LAB_PROBE("5.3") { return clipped(1, {0, 4, 0, 0}, {0, 3}) + lab::digits(std::vector<double>{clip_scale(8, 2)}, 9); }
LAB_PROBE("5.3") {
  Gradients g(1);
  g.a.set_grad(full({3, 4}, 0.5, Dtype::f64)), g.b.set_grad(full({5}, -2, Dtype::f64));
  return lab::digits(std::vector<double>{grad_norm(g.groups())}, 4);
}
LAB_PROBE("5.3") {
  return lab::digits(std::vector<double>{clip_scale(8, 2), clip_scale(2, 8), clip_scale(3, 0), clip_scale(kInfinity, 1)}, 4);
}
LAB_PROBE("5.3") {
  Pair pair;
  pair.second.set_value(zeros({2, 2}, Dtype::f64));
  const Tensor shared = full({2, 2}, 3, Dtype::f64);
  pair.first.set_grad(shared), pair.second.set_grad(shared);
  clip_grad_norm(pair, 4);
  return lab::digits(pair.first.grad(), 4) + lab::digits(shared, 4);
}

TEST_SUITE("5.3") {
  TEST_CASE("the norm is one over all gradients; frozen parameters and those without gradient do not count") {
    const Gradients g(21);
    CHECK(grad_norm(g.groups()) == doctest::Approx(g.norm()).epsilon(1e-12));
    CHECK(grad_norm(std::vector<ParamGroup>{group_of({g.fresh}, 0)}) == 0);
  }
  TEST_CASE("by hand: gradients of norm 3 and 4 have the norm 5") {
    Pair pair;
    pair.set({3, 0, 0, 0}, {0, 4});
    CHECK(grad_norm(pair) == doctest::Approx(5));
    CHECK(clip_grad_norm(pair, 10) == doctest::Approx(5));
  }
  TEST_CASE("the scale brings a norm that is too large down to the limit, and leaves all others alone") {
    CHECK(clip_scale(8, 2) == doctest::Approx(0.25));
    CHECK(clip_scale(2, 8) == 1);
    CHECK(clip_scale(2, 2) == 1);
    CHECK(clip_scale(0, 2) == 1);
  }
  TEST_CASE("a limit of 0 is none; a norm that is not finite changes nothing") {
    CHECK(clip_scale(5, 0) == 1);
    CHECK(clip_scale(kInfinity, 1) == 1);
    CHECK(clip_scale(std::nan(""), 1) == 1);
  }
  TEST_CASE("clipping keeps the direction: all gradients are multiplied by one factor") {
    lab::Dice dice(22);
    Pair pair;
    std::vector<double> a, b;
    for (int i = 0; i < 4; ++i) a.push_back(dice.uniform(1, 5));
    for (int i = 0; i < 2; ++i) b.push_back(dice.uniform(-50, -10));
    pair.set(a, b);
    const double before = grad_norm(pair), limit = before / 3.5;
    CHECK(clip_grad_norm(pair, limit) == doctest::Approx(before));  // returned is the norm before
    const double off = std::abs(grad_norm(pair) / limit - 1);       // how far the norm is from the limit
    CHECK(off <= 1e-9);
    int64_t wrong = 0;
    for (size_t i = 0; i < 4; ++i) wrong += std::abs(to_vector<double>(pair.first.grad())[i] - a[i] / 3.5) > 1e-9;
    for (size_t i = 0; i < 2; ++i) wrong += std::abs(to_vector<double>(pair.second.grad())[i] - b[i] / 3.5) > 1e-9;
    CHECK(wrong == 0);
  }
  TEST_CASE("two parameters that share one gradient tensor: it is scaled once for each, not twice") {
    Pair pair;
    pair.second.set_value(zeros({2, 2}, Dtype::f64));
    const Tensor shared = full({2, 2}, 3, Dtype::f64);
    pair.first.set_grad(shared), pair.second.set_grad(shared);
    const double norm = clip_grad_norm(pair, 1);
    CHECK(norm == doctest::Approx(std::sqrt(72.0)));
    CHECK(pair.first.grad().at({1, 1}) == doctest::Approx(3 / norm));
    CHECK(pair.second.grad().at({1, 1}) == doctest::Approx(3 / norm));
  }
}

namespace {

double rate(int64_t step, int64_t warmup, int64_t total, ScheduleKind kind = ScheduleKind::kCosine, double base = 0.8,
            double least = 0.1) {
  return learning_rate({.kind = kind, .base_lr = base, .min_lr = least, .warmup_steps = warmup, .total_steps = total}, step);
}

std::string rates(int64_t warmup, int64_t total, ScheduleKind kind, const std::vector<int64_t>& steps) {
  std::vector<double> values;
  for (const int64_t step : steps) values.push_back(rate(step, warmup, total, kind));
  return lab::digits(values, 4);
}

}  // namespace

LAB_PROBE("5.4") { return rates(4, 20, ScheduleKind::kCosine, {0, 1, 3, 4, 5, 8, 12, 19, 20, 25}); }
LAB_PROBE("5.4") { return rates(4, 20, ScheduleKind::kLinear, {0, 4, 8, 20, 25}); }
LAB_PROBE("5.4") { return rates(0, 10, ScheduleKind::kCosine, {0, 5, 10}) + rates(5, 5, ScheduleKind::kCosine, {4, 5, 6}); }

TEST_SUITE("5.4") {
  TEST_CASE("warm-up rises in equal steps, from above 0 to just below the full rate") {
    for (int64_t step = 0; step < 4; ++step)
      CHECK(rate(step, 4, 20) == doctest::Approx(0.8 * static_cast<double>(step + 1) / 5));
    CHECK(rate(4, 4, 20) == doctest::Approx(0.8));
  }
  TEST_CASE("the cosine begins at the full rate behind the warm-up, halves the range in the middle, and ends at the least") {
    CHECK(rate(4, 4, 20) == doctest::Approx(0.8));
    CHECK(rate(12, 4, 20) == doctest::Approx(0.45));
    CHECK(rate(20, 4, 20) == doctest::Approx(0.1));
    CHECK(rate(8, 4, 20) == doctest::Approx(0.1 + 0.7 * (1 + std::sqrt(0.5)) / 2));
  }
  TEST_CASE("without warm-up the first step has the full rate") {
    CHECK(rate(0, 0, 10) == doctest::Approx(0.8));
    CHECK(rate(5, 0, 10) == doctest::Approx(0.45));
  }
  TEST_CASE("behind the last step the rate stays at the least, for every curve") {
    for (const ScheduleKind kind : {ScheduleKind::kCosine, ScheduleKind::kLinear, ScheduleKind::kPolynomial}) {
      CHECK(rate(21, 4, 20, kind) == doctest::Approx(0.1));
      CHECK(rate(1000, 4, 20, kind) == doctest::Approx(0.1));
    }
  }
  TEST_CASE("a straight line goes by the same share of the way") {
    CHECK(rate(8, 4, 20, ScheduleKind::kLinear) == doctest::Approx(0.8 - 0.7 / 4));
    CHECK(rate(16, 4, 20, ScheduleKind::kLinear) == doctest::Approx(0.8 - 0.7 * 3 / 4));
  }
  TEST_CASE("a warm-up as long as the run: nothing is divided by 0") {
    CHECK(rate(4, 5, 5) == doctest::Approx(0.8 * 5 / 6));
    CHECK(rate(5, 5, 5) == doctest::Approx(0.1));
  }
  TEST_CASE("no jumps: from the end of the warm-up the rate falls, and never by more than the steepest part of the cosine") {
    lab::Dice dice(31);
    const int64_t warmup = dice.roll(2, 9), total = warmup + dice.roll(20, 60);
    CAPTURE(warmup);
    CAPTURE(total);
    int64_t wrong = 0;
    const double steepest = 0.7 * 3.14159265358979 / 2 / static_cast<double>(total - warmup);
    for (int64_t step = warmup; step < total; ++step) {
      const double fall = rate(step, warmup, total) - rate(step + 1, warmup, total);
      wrong += fall <= 0 || fall > steepest * 1.0001;
    }
    CHECK(wrong == 0);
    CHECK(std::abs(rate(warmup, warmup, total) - rate(warmup - 1, warmup, total)) < 0.8 / static_cast<double>(warmup));
  }
}
