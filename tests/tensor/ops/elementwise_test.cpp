// Elementwise functions: broadcasting against a plain loop, special values, integers, errors.
#include "tensor/ops/elementwise.h"

#include <functional>
#include <string>

#include "tensor/ops/reduce.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::check_same_bits_for_any_threads;
using testing::max_difference;
using testing::random_tensor;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

using Binary = Tensor (*)(const Tensor&, const Tensor&);

std::string message_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Two random tensors of random rank that broadcast; every third is transposed, so that strides are not in order.
std::pair<Tensor, Tensor> random_pair(uint64_t seed) {
  const Rng rng(seed, 99);
  uint64_t draw = 0;
  const int rank = static_cast<int>(rng.below(draw++, 5));
  Shape a, b;
  for (int i = 0; i < rank; ++i) {
    const int64_t extent = static_cast<int64_t>(rng.below(draw++, 5));
    const uint64_t kind = rng.below(draw++, 4);
    a.push_back(kind == 0 ? 1 : extent);
    b.push_back(kind == 1 ? 1 : extent);
  }
  for (uint64_t drop = rng.below(draw++, 2); drop > 0 && !b.empty(); --drop) b.erase(0);
  Tensor x = random_tensor(a, Dtype::f64, seed), y = random_tensor(b, Dtype::f64, seed + 1000);
  if (a.size() >= 2 && rng.below(draw++, 3) == 0) x = transpose(clone(transpose(x, 0, -1)), 0, -1);
  if (b.size() >= 2 && rng.below(draw++, 3) == 0) y = transpose(clone(transpose(y, 0, -1)), 0, -1);
  return {x, y};
}

// fn over the two broadcast tensors, one element after the other.
std::vector<double> plain_loop(const Tensor& a, const Tensor& b, const std::function<double(double, double)>& fn) {
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), "test");
  const std::vector<double> x = to_vector<double>(expand(a, shape)), y = to_vector<double>(expand(b, shape));
  std::vector<double> result;
  for (size_t i = 0; i < x.size(); ++i) result.push_back(fn(x[i], y[i]));
  return result;
}

TEST_CASE("binary functions broadcast like a plain loop over random shapes and strides") {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto [a, b] = random_pair(seed);
    CAPTURE(seed);
    const Tensor difference = sub(a, b);
    CHECK(difference.shape() == broadcast_shapes(a.shape(), b.shape(), "test"));
    CHECK(difference.is_contiguous());
    CHECK(max_difference(difference, plain_loop(a, b, std::minus<double>())) == 0);
    CHECK(max_difference(less(a, b), plain_loop(a, b, std::less<double>())) == 0);
  }
}

TEST_CASE("where picks per element and broadcasts all three of its inputs") {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const auto [a, b] = random_pair(seed);
    const Tensor chosen = where(greater(a, scalar(0, Dtype::f64)), a, b);
    CHECK(max_difference(chosen, plain_loop(a, b, [](double x, double y) { return x > 0 ? x : y; })) == 0);
  }
  const Tensor masked = where(from_vector(std::vector<uint8_t>{1, 0}, {2, 1}), full({}, 5), full({3}, 7));
  CHECK(max_difference(masked, {5, 5, 5, 7, 7, 7}) == 0);
}

TEST_CASE("where does not let NaN of the side not chosen through") {
  const Tensor a = from_vector(std::vector<float>{1, NAN}, {2}), zero = zeros({2});
  CHECK(max_difference(where(equal(a, a), a, zero), {1, 0}) == 0);
}

TEST_CASE("each arithmetic function computes what its name says") {
  const Tensor a = from_vector(std::vector<double>{3, -2, 0.5}, {3}), b = from_vector(std::vector<double>{2, 3, -4}, {3});
  CHECK(max_difference(a + b, {5, 1, -3.5}) == 0);
  CHECK(max_difference(a - b, {1, -5, 4.5}) == 0);
  CHECK(max_difference(a * b, {6, -6, -2}) == 0);
  CHECK(max_difference(a / b, {1.5, -2.0 / 3, -0.125}) == 0);
  CHECK(max_difference(pow(a, b), {9, -8, 16}) == 0);
  CHECK(max_difference(maximum(a, b), {3, 3, 0.5}) == 0);
  CHECK(max_difference(minimum(a, b), {2, -2, -4}) == 0);
  CHECK(max_difference(1 - a, {-2, 3, 0.5}) == 0);
  CHECK(max_difference(6 / b, {3, 2, -1.5}) == 0);
  CHECK(max_difference(pow(a, 3), {27, -8, 0.125}) == 0);
}

TEST_CASE("integers wrap around and never trap") {
  const int64_t low = std::numeric_limits<int64_t>::min(), high = std::numeric_limits<int64_t>::max();
  const Tensor a = from_vector(std::vector<int64_t>{low, high}, {2}), b = from_vector(std::vector<int64_t>{-1, 1}, {2});
  CHECK(to_vector<int64_t>(div(a, b)) == std::vector<int64_t>{low, high});
  CHECK(to_vector<int64_t>(add(a, b)) == std::vector<int64_t>{high, low});
  CHECK(to_vector<int64_t>(neg(a)) == std::vector<int64_t>{low, -high});
  CHECK(to_vector<int64_t>(mul(a, a)) == std::vector<int64_t>{0, 1});
  const Tensor bytes = from_vector(std::vector<uint8_t>{0, 200}, {2});
  CHECK(to_vector<uint8_t>(sub(bytes, 1)) == std::vector<uint8_t>{255, 199});
  CHECK(to_vector<uint8_t>(add(bytes, -1)) == std::vector<uint8_t>{255, 199});
}

TEST_CASE("integer division by zero is an error, also where only one divisor is zero") {
  const Tensor a = arange(0, 3, 1, Dtype::i64);
  CHECK(contains(message_of([&] { div(a, a); }), "division by zero"));
  CHECK(contains(message_of([&] { div(a, 0); }), "division by zero"));
}

TEST_CASE("a number that no integer can hold is refused by integer tensors") {
  const Tensor a = arange(0, 3, 1, Dtype::i64);
  CHECK(contains(message_of([&] { add(a, kNan); }), "nan"));
  CHECK(contains(message_of([&] { mul(a, 1e300); }), "i64"));
}

TEST_CASE("errors name the function and both shapes or types") {
  const std::string shapes = message_of([] { mul(zeros({2, 3}), zeros({4})); });
  CHECK(contains(shapes, "[mul]"));
  CHECK(contains(shapes, "[2, 3]"));
  CHECK(contains(shapes, "[4]"));
  const std::string types = message_of([] { add(zeros({2}), zeros({2}, Dtype::i64)); });
  CHECK(contains(types, "f32"));
  CHECK(contains(types, "i64"));
  CHECK(contains(message_of([] { exp(zeros({2}, Dtype::i64)); }), "needs a float tensor"));
  CHECK(contains(message_of([] { where(zeros({2}), zeros({2}), zeros({2})); }), "u8"));
  CHECK(contains(message_of([] { clamp(zeros({2}, Dtype::i64), kNan, 0); }), "low"));
  CHECK(contains(message_of([] { gelu_backward(zeros({2}), zeros({3})); }), "[3]"));
}

TEST_CASE("the undefined tensor is refused with an error") {
  CHECK(message_of([] { add(Tensor(), zeros({2})); }) != "");
  CHECK(message_of([] { exp(Tensor()); }) != "");
  CHECK(message_of([] { sum(Tensor()); }) != "");
}

TEST_CASE("comparisons with NaN are false, except not_equal") {
  const Tensor a = full({1}, kNan), b = full({1}, 1);
  for (const Binary fn : {&equal, &less, &less_equal, &greater, &greater_equal}) CHECK(fn(a, b).item() == 0);
  CHECK(not_equal(a, b).item() == 1);
  CHECK(not_equal(a, a).item() == 1);
  CHECK(isnan(a).item() == 1);
  CHECK(isnan(b).item() == 0);
}

TEST_CASE("isfinite knows numbers from infinities and NaN") {
  const Tensor x = from_vector(std::vector<float>{0, -3e38f, INFINITY, -INFINITY, NAN}, {5});
  CHECK(max_difference(isfinite(x), {1, 1, 0, 0, 0}) == 0);
  CHECK(max_difference(isfinite(arange(0, 2, 1, Dtype::i64)), {1, 1}) == 0);
}

TEST_CASE("masks combine") {
  const Tensor a = from_vector(std::vector<uint8_t>{0, 1, 0, 2}, {4}), b = from_vector(std::vector<uint8_t>{0, 0, 1, 1}, {4});
  CHECK(max_difference(logical_and(a, b), {0, 0, 0, 1}) == 0);
  CHECK(max_difference(logical_or(a, b), {0, 1, 1, 1}) == 0);
  CHECK(max_difference(logical_not(a), {1, 0, 1, 0}) == 0);
}

TEST_CASE("maximum and minimum give NaN if either side is NaN") {
  const Tensor a = from_vector(std::vector<float>{NAN, 1, NAN}, {3}), b = from_vector(std::vector<float>{1, NAN, NAN}, {3});
  for (const Binary fn : {&maximum, &minimum}) CHECK(sum(isnan(fn(a, b))).item() == 3);
}

TEST_CASE("results have the same bits for any number of threads") {
  const Tensor a = random_tensor({301, 257}, Dtype::f32, 1), row = random_tensor({257}, Dtype::f32, 2);
  const Tensor column = random_tensor({301, 1}, Dtype::f32, 3);
  check_same_bits_for_any_threads([&]() -> std::vector<Tensor> {
    return {a + row, a * column, transpose(a) - transpose(column), exp(a), gelu(a), gelu_backward(a, a * 2)};
  });
}

}  // namespace
}  // namespace vitrail
