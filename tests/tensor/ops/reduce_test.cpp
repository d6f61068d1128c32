// Reductions against plain loops over random shapes, axes and strides; long sums; NaN; empty ranges.
#include "tensor/ops/reduce.h"

#include <functional>
#include <string>

#include "tensor/ops/elementwise.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::check_same_bits_for_any_threads;
using testing::max_difference;
using testing::random_tensor;

using Values = std::vector<double>;
using Reduction = std::function<Tensor(const Tensor&, const Axes&, bool)>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// fn over each group of elements that share their place on the axes not reduced, in row-major order.
Values plain_reduction(const Tensor& x, const Axes& axes, const std::function<double(const Values&)>& fn) {
  const std::vector<int> reduced = normalize_axes(axes, x.dim(), "test");
  const Shape kept = reduced_shape(x.shape(), reduced, true), strides = contiguous_strides(kept);
  std::vector<Values> groups(static_cast<size_t>(checked_numel(kept)));
  const Values values = to_vector<double>(x);
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i), place = 0;
    for (int axis = x.dim() - 1; axis >= 0; --axis) {
      place += kept[axis] == 1 ? 0 : rest % x.shape()[axis] * strides[axis];
      rest /= x.shape()[axis];
    }
    groups[static_cast<size_t>(place)].push_back(values[i]);
  }
  Values result;
  for (const Values& group : groups) result.push_back(fn(group));
  return result;
}

double sum_of(const Values& v) {
  double total = 0;
  for (double x : v) total += x;
  return total;
}
double variance_of(const Values& v) {
  const double n = static_cast<double>(v.size()), center = sum_of(v) / n;
  double total = 0;
  for (double x : v) total += (x - center) * (x - center);
  return total / (n - 1);
}
double log_sum_exp_of(const Values& v) {
  double total = 0;
  for (double x : v) total += std::exp(x);
  return std::log(total);
}

struct ReductionCase {
  const char* name;
  Reduction fn;
  std::function<double(const Values&)> plain;
};

std::vector<ReductionCase> reduction_cases() {
  return {
      {"sum", [](const Tensor& x, const Axes& a, bool k) { return sum(x, a, k); }, sum_of},
      {"mean", [](const Tensor& x, const Axes& a, bool k) { return mean(x, a, k); },
       [](const Values& v) { return sum_of(v) / static_cast<double>(v.size()); }},
      {"prod", [](const Tensor& x, const Axes& a, bool k) { return prod(x, a, k); },
       [](const Values& v) {
         double product = 1;
         for (double x : v) product *= x;
         return product;
       }},
      {"max", [](const Tensor& x, const Axes& a, bool k) { return max(x, a, k); },
       [](const Values& v) { return *std::max_element(v.begin(), v.end()); }},
      {"min", [](const Tensor& x, const Axes& a, bool k) { return min(x, a, k); },
       [](const Values& v) { return *std::min_element(v.begin(), v.end()); }},
      {"var", [](const Tensor& x, const Axes& a, bool k) { return var(x, a, k); }, variance_of},
      {"logsumexp", [](const Tensor& x, const Axes& a, bool k) { return logsumexp(x, a, k); }, log_sum_exp_of},
  };
}

// A random tensor of rank 1 to 4, sometimes with its axes in another order in memory, and random axes of it.
std::pair<Tensor, Axes> random_problem(uint64_t seed) {
  const Rng rng(seed, 7);
  uint64_t draw = 0;
  const int rank = 1 + static_cast<int>(rng.below(draw++, 4));
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(1 + static_cast<int64_t>(rng.below(draw++, 6)));
  Tensor x = random_tensor(shape, Dtype::f64, seed);
  if (rng.below(draw++, 3) == 0) x = transpose(x, 0, -1);
  Axes axes;
  for (int i = 0; i < rank; ++i) {
    if (rng.below(draw++, 2) == 0) axes.push_back(rng.below(draw++, 2) == 0 ? i : i - rank);
  }
  return {x, axes};
}

TEST_CASE("every reduction equals a plain loop over random shapes, strides and axes") {
  for (const ReductionCase& c : reduction_cases()) {
    CAPTURE(c.name);
    for (uint64_t seed = 0; seed < 150; ++seed) {
      const auto [x, axes] = random_problem(seed);
      CAPTURE(seed);
      const bool keepdim = seed % 2 == 0;
      const Tensor y = c.fn(x, axes, keepdim);
      CHECK(y.shape() == reduced_shape(x.shape(), normalize_axes(axes, x.dim(), "test"), keepdim));
      CHECK(max_difference(y, plain_reduction(x, axes, c.plain)) < 1e-11);
    }
  }
}

TEST_CASE("sums in the middle and in front agree with a plain loop where they are cut into tiles and blocks") {
  const std::vector<std::pair<Shape, Axes>> problems = {{{2003, 192}, {0}}, {{37, 5, 1500}, {0}},     {{3, 2500, 33}, {1}},
                                                        {{70000, 1}, {0}},  {{5, 7, 11, 13}, {1, 2}}, {{9, 65, 100}, {0, 1}}};
  for (const auto& problem : problems) {
    const Shape shape = problem.first;
    const Axes axes = problem.second;
    CAPTURE(shape);
    const Tensor x = random_tensor(shape, Dtype::f32, 11);
    CHECK(max_difference(sum(to(x, Dtype::f64), axes), plain_reduction(x, axes, sum_of)) < 1e-10);
    CHECK(max_difference(sum(x, axes), plain_reduction(x, axes, sum_of)) < 1e-4);
  }
}

TEST_CASE("the sum and the mean of ten million f32 numbers are right to 1e-6") {
  const Tensor x = full({10000000}, 0.1);
  const double exact = 1e7 * static_cast<double>(0.1f);
  CHECK(std::abs(sum(x).item() - exact) / exact <= 1e-6);
  CHECK(std::abs(sum(reshape(x, {5000000, 2}), {0}).at({1}) - exact / 2) / exact <= 1e-6);
  CHECK(std::abs(mean(x).item() - 0.1) <= 1e-7);
}

TEST_CASE("the variance of numbers far from zero does not cancel") {
  CHECK(var(from_vector(std::vector<float>{40000, 40001, 40002, 40003}, {4}), {}, false, 0).item() == 1.25);
  CHECK(var(full({1000}, 1e4f)).item() == 0);
  CHECK(std::isnan(var(ones({1})).item()));
}

TEST_CASE("no axes means all of them, and a scalar reduces to itself") {
  const Tensor x = arange(0, 6, 1, Dtype::f32);
  CHECK(sum(reshape(x, {2, 3})).shape() == Shape{});
  CHECK(sum(reshape(x, {2, 3})).item() == 15);
  for (const ReductionCase& c : reduction_cases()) {
    CAPTURE(c.name);
    if (std::string(c.name) == "var") continue;  // one number has no variance
    CHECK(c.fn(scalar(3), {}, false).item() == 3);
    CHECK(c.fn(scalar(3), {-1}, true).shape() == Shape{});
  }
  CHECK(argmax(scalar(3)).item() == 0);
}

TEST_CASE("empty ranges have a sum, a product, no mean and no maximum") {
  const Tensor x = zeros({2, 0, 3});
  CHECK(max_difference(sum(x, {1}), Values(6, 0)) == 0);
  CHECK(max_difference(prod(x, {1}), Values(6, 1)) == 0);
  CHECK(sum(isnan(mean(x, {1}))).item() == 6);
  CHECK(max_difference(logsumexp(x, {1}), Values(6, -kInfinity)) == 0);
  CHECK_THROWS_AS(max(x, {1}), Error);
  CHECK_THROWS_AS(argmin(x, 1), Error);
  CHECK(max(x, {0}).shape() == Shape{0, 3});  // no results are asked for
  for (const Shape& nothing : {Shape{0, 0}, Shape{2, 0}, Shape{0, 1, 0}}) {
    CHECK_THROWS_WITH_AS(max(zeros(nothing), {-1}), doctest::Contains("[max] nothing has no max"), Error);
    CHECK_THROWS_WITH_AS(argmin(zeros(nothing), -1), doctest::Contains("an axis without elements has no argmin"), Error);
  }
  CHECK(min(zeros({0, 2, 1}), {1}).shape() == Shape{0, 1});  // of two elements, but of no rows
  CHECK_THROWS_AS(max(zeros({0})), Error);
  CHECK(sum(x, {0}).shape() == Shape{0, 3});
}

TEST_CASE("var refuses a correction that is no number, and axes that are not there") {
  const Tensor x = testing::random_tensor({3, 4}, Dtype::f32, 1);
  for (const double correction : {std::nan(""), kInfinity}) {
    CHECK_THROWS_WITH_AS(var(x, {}, false, correction), doctest::Contains("[var] correction must be a finite number"), Error);
  }
  CHECK_THROWS_WITH_AS(var(x, {2}), doctest::Contains("[var] axis out of range: axis is 2, rank is 2"), Error);
  CHECK_THROWS_WITH_AS(var(x, {0, -2}), doctest::Contains("named twice"), Error);
  CHECK_THROWS_AS(var(Tensor()), Error);
  CHECK(std::isnan(var(scalar(3)).item()));
  CHECK(var(scalar(3), {0}, false, 0).item() == 0);
}

TEST_CASE("integers sum to i64 without overflowing their own type") {
  const Tensor bytes = to(full({1000}, 255), Dtype::u8);
  CHECK(sum(bytes).dtype() == Dtype::i64);
  CHECK(sum(bytes).item() == 255000);
  CHECK(sum(reshape(bytes, {500, 2}), {0}).at({0}) == 127500);
  CHECK(prod(from_vector(std::vector<uint8_t>{100, 100}, {2})).item() == 10000);
  const int64_t high = std::numeric_limits<int64_t>::max();
  CHECK(to_vector<int64_t>(sum(from_vector(std::vector<int64_t>{high, 1}, {2})))[0] == std::numeric_limits<int64_t>::min());
}

TEST_CASE("one NaN anywhere makes sum, mean, max, min and logsumexp NaN") {
  for (int64_t place : {0, 1, 17, 99}) {
    Tensor x = random_tensor({100}, Dtype::f32, 3);
    fill_(select(x, 0, place), NAN);
    for (const Tensor& y : {sum(x), mean(x), max(x), min(x), var(x), logsumexp(x)}) CHECK(std::isnan(y.item()));
    CHECK(argmax(x).item() == static_cast<double>(place));
    CHECK(argmin(x).item() == static_cast<double>(place));
  }
}

TEST_CASE("argmax and argmin name the first of equals, or the last when asked") {
  const Tensor x = from_vector(std::vector<int64_t>{1, 3, 3, 0, 0, 2}, {2, 3});
  CHECK(max_difference(argmax(x), {1, 2}) == 0);
  CHECK(max_difference(argmax(x, -1, false, true), {2, 2}) == 0);
  CHECK(max_difference(argmin(x, 0), {1, 1, 1}) == 0);
  CHECK(max_difference(argmin(flatten(x), 0, true, true), {4}) == 0);
  CHECK(argmax(x, 0, true).shape() == Shape{1, 3});
}

TEST_CASE("logsumexp neither overflows nor loses -inf") {
  CHECK(logsumexp(full({2}, 1e4)).item() == doctest::Approx(1e4 + std::log(2.0)));
  CHECK(logsumexp(full({2}, -1e4)).item() == doctest::Approx(-1e4 + std::log(2.0)));
  CHECK(logsumexp(full({3}, -kInfinity)).item() == -kInfinity);
  CHECK(logsumexp(from_vector(std::vector<float>{-INFINITY, 2}, {2})).item() == 2);
  CHECK(logsumexp(from_vector(std::vector<float>{INFINITY, 2}, {2})).item() == kInfinity);
}

TEST_CASE("sum_to undoes broadcasting") {
  const std::vector<std::pair<Shape, Shape>> problems = {{{4, 5, 6}, {6}},       {{4, 5, 6}, {5, 6}}, {{4, 5, 6}, {4, 1, 6}},
                                                         {{4, 5, 6}, {1, 5, 1}}, {{4, 5, 6}, {}},     {{2, 1, 3}, {1, 3}},
                                                         {{0, 3}, {3}},          {{2, 3}, {2, 3}}};
  for (const auto& problem : problems) {
    const Shape from = problem.first, onto = problem.second;
    CAPTURE(from);
    CAPTURE(onto);
    const Tensor x = random_tensor(from, Dtype::f64, 9), y = random_tensor(onto, Dtype::f64, 10);
    const Tensor reduced = sum_to(x, onto);
    CHECK(reduced.shape() == onto);
    // <expand(y), x> = <y, sum_to(x)>
    CHECK(sum(expand(y, from) * x).item() == doctest::Approx(sum(y * reduced).item()));
  }
  CHECK_THROWS_AS(sum_to(zeros({2, 3}), {2}), Error);
  CHECK_THROWS_AS(sum_to(zeros({3}), {2, 3}), Error);
}

TEST_CASE("a wrong axis is named") {
  CHECK_THROWS_WITH_AS(sum(zeros({2, 3}), {2}), doctest::Contains("[sum]"), Error);
  CHECK_THROWS_WITH_AS(max(zeros({2, 3}), {0, -2}), doctest::Contains("twice"), Error);
  CHECK_THROWS_WITH_AS(mean(zeros({2}, Dtype::i64)), doctest::Contains("i64"), Error);
}

TEST_CASE("reductions have the same bits for any number of threads") {
  const Tensor x = random_tensor({63, 40, 65}, Dtype::f32, 1);
  check_same_bits_for_any_threads([&] {
    std::vector<Tensor> results;
    for (const ReductionCase& c : reduction_cases()) {
      for (const Axes& axes : {Axes{}, Axes{0}, Axes{1}, Axes{2}, Axes{0, 1}, Axes{0, 2}})
        results.push_back(c.fn(x, axes, false));
    }
    results.push_back(argmax(x, 1));
    results.push_back(cumsum(x, 0));
    return results;
  });
}

}  // namespace
}  // namespace vitrail
