// Softmax and its logarithm: values and gradients against double, extreme logits, masks.
#include "tensor/ops/softmax.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::check_same_bits_for_any_threads;
using testing::dot;
using testing::max_difference;
using testing::random_tensor;

constexpr float kInf = std::numeric_limits<float>::infinity();

bool all_finite(const Tensor& x) { return sum(isfinite(x)).item() == static_cast<double>(x.numel()); }

// Logits that break careless code, one row each.
Tensor extreme_logits() {
  return from_vector(std::vector<float>{1e4f, -1e4f, 0, 1e4f,            //
                                        3e38f, -3e38f, 3e38f, 0,         //
                                        -3e38f, -3e38f, -3e38f, -3e38f,  //
                                        5, 5, 5, 5},
                     {4, 4});
}

TEST_CASE("softmax equals its definition in double, along any axis and for any strides") {
  const Tensor base = random_tensor({5, 7, 9}, Dtype::f64, 1) * 3;
  for (const Tensor& x : {base, transpose(base, 0, 2), slice(base, 1, 1, 6, 2)}) {
    for (int axis = -3; axis < 3; ++axis) {
      CAPTURE(axis);
      const Tensor e = exp(x), want = e / sum(e, {axis}, true);
      CHECK(max_difference(softmax(x, axis), to_vector<double>(want)) < 1e-14);
      CHECK(max_difference(log_softmax(x, axis), to_vector<double>(log(want))) < 1e-13);
      CHECK(max_difference(softmax(to(x, Dtype::f32), axis), to_vector<double>(want)) < 3e-7);
      CHECK(max_difference(log_softmax(to(x, Dtype::f32), axis), to_vector<double>(log(want))) < 5e-6);
    }
  }
}

TEST_CASE("extreme logits give finite rows that sum to one") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = to(extreme_logits(), dtype), y = softmax(x);
    CHECK(all_finite(y));
    CHECK(max_difference(sum(y, {-1}), {1, 1, 1, 1}) <= 1e-6);
    CHECK(all_finite(log_softmax(x)));
    CHECK(all_finite(softmax_backward(random_tensor({4, 4}, dtype, 2), y)));
    CHECK(all_finite(log_softmax_backward(random_tensor({4, 4}, dtype, 3), log_softmax(x))));
  }
}

TEST_CASE("one -inf takes no weight") {
  const Tensor x = from_vector(std::vector<float>{1, -kInf, 1}, {3});
  CHECK(max_difference(softmax(x), {0.5, 0, 0.5}) == 0);
  CHECK(log_softmax(x).at({1}) == static_cast<double>(-kInf));
  CHECK(all_finite(softmax_backward(ones({3}), softmax(x))));
  CHECK(all_finite(log_softmax_backward(ones({3}), log_softmax(x))));
}

TEST_CASE("a fully masked row attends to nothing, and its gradients are finite") {
  const Tensor x = full({2, 3}, -kInf);
  CHECK(max_difference(softmax(x), std::vector<double>(6, 0)) == 0);
  CHECK(max_difference(log_softmax(x), std::vector<double>(6, -kInf)) == 0);
  CHECK(all_finite(softmax_backward(ones({2, 3}), softmax(x))));
  CHECK(all_finite(log_softmax_backward(ones({2, 3}), log_softmax(x))));
}

TEST_CASE("one NaN makes its row NaN and no other") {
  Tensor x = random_tensor({3, 40}, Dtype::f32, 4);
  fill_(select(select(x, 0, 1), 0, 17), NAN);
  for (const Tensor& y : {softmax(x), log_softmax(x)}) {
    CHECK(sum(isnan(select(y, 0, 1))).item() == 40);
    CHECK(sum(isnan(y)).item() == 40);
  }
}

// d/dt <dy, f(x + t v)> at 0 by central differences.
double slope(Tensor (*f)(const Tensor&, int), const Tensor& x, const Tensor& v, const Tensor& dy, int axis) {
  const double h = 1e-6;
  return (dot(f(x + v * h, axis), dy) - dot(f(x - v * h, axis), dy)) / (2 * h);
}

TEST_CASE("both gradients agree with finite differences, along any axis") {
  const Tensor x = random_tensor({4, 5, 6}, Dtype::f64, 5), v = random_tensor({4, 5, 6}, Dtype::f64, 6);
  const Tensor dy = transpose(random_tensor({6, 5, 4}, Dtype::f64, 7), 0, 2);
  for (int axis = 0; axis < 3; ++axis) {
    CAPTURE(axis);
    CHECK(dot(softmax_backward(dy, softmax(x, axis), axis), v) ==
          doctest::Approx(slope(&softmax, x, v, dy, axis)).epsilon(1e-6));
    CHECK(dot(log_softmax_backward(dy, log_softmax(x, axis), axis), v) ==
          doctest::Approx(slope(&log_softmax, x, v, dy, axis)).epsilon(1e-6));
  }
}

TEST_CASE("softmax of a scalar is one, and of nothing is nothing") {
  CHECK(softmax(scalar(7)).item() == 1);
  CHECK(softmax(scalar(7)).shape() == Shape{});
  CHECK(softmax_backward(scalar(1), scalar(1), 0).item() == 0);
  for (const Shape& shape : {Shape{0}, Shape{3, 0}, Shape{0, 3}}) {
    CHECK(softmax(zeros(shape)).shape() == shape);
    CHECK(log_softmax(zeros(shape), 0).shape() == shape);
  }
}

TEST_CASE("errors name the op and the shapes") {
  CHECK_THROWS_WITH_AS(softmax(zeros({2, 3}), 2), doctest::Contains("[softmax]"), Error);
  CHECK_THROWS_WITH_AS(log_softmax(zeros({2}, Dtype::i64)), doctest::Contains("i64"), Error);
  CHECK_THROWS_WITH_AS(softmax_backward(zeros({2, 3}), zeros({3, 2})), doctest::Contains("[3, 2]"), Error);
}

TEST_CASE("softmax has the same bits for any number of threads") {
  const Tensor x = random_tensor({301, 197}, Dtype::f32, 8), dy = random_tensor({301, 197}, Dtype::f32, 9);
  check_same_bits_for_any_threads([&]() -> std::vector<Tensor> {
    return {softmax(x), softmax(x, 0), log_softmax(x), softmax_backward(dy, softmax(x)),
            log_softmax_backward(dy, log_softmax(x))};
  });
}

}  // namespace
}  // namespace vitrail
