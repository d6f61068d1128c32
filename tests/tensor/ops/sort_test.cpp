// Sorting, the k best and running sums.
#include "tensor/ops/reduce.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::check_same_bits_for_any_threads;
using testing::max_difference;
using testing::random_tensor;

TEST_CASE("sort is stable in both directions and puts NaN last") {
  const Tensor x = from_vector(std::vector<float>{2, NAN, 1, 2, 1}, {5});
  const auto [up, up_places] = sort(x);
  CHECK(max_difference(up, {1, 1, 2, 2, NAN}) == 0);
  CHECK(max_difference(up_places, {2, 4, 0, 3, 1}) == 0);
  const auto [down, down_places] = sort(x, 0, true);
  CHECK(max_difference(down, {2, 2, 1, 1, NAN}) == 0);
  CHECK(max_difference(down_places, {0, 3, 2, 4, 1}) == 0);
}

TEST_CASE("sorting along any axis sorts each line and names where its elements were") {
  const Tensor x = transpose(random_tensor({6, 5, 4}, Dtype::f64, 2), 0, 1);
  for (int axis = 0; axis < 3; ++axis) {
    const auto [values, places] = sort(x, axis);
    CHECK(values.shape() == x.shape());
    const Tensor v = transpose(values, axis, -1), p = transpose(places, axis, -1), lines = transpose(x, axis, -1);
    for (int64_t i = 0; i < v.size(0); ++i) {
      for (int64_t j = 0; j < v.size(1); ++j) {
        for (int64_t k = 0; k < v.size(2); ++k) {
          CHECK(v.at({i, j, k}) == lines.at({i, j, static_cast<int64_t>(p.at({i, j, k}))}));
          if (k > 0) CHECK(v.at({i, j, k - 1}) <= v.at({i, j, k}));
        }
      }
    }
  }
}

TEST_CASE("topk gives the best first and equal ones in index order") {
  const Tensor x = from_vector(std::vector<int64_t>{5, 1, 5, 7, 0, 0, 3, 0}, {2, 4});
  const auto [most, most_places] = topk(x, 3);
  CHECK(max_difference(most, {7, 5, 5, 3, 0, 0}) == 0);
  CHECK(max_difference(most_places, {3, 0, 2, 2, 0, 1}) == 0);
  const auto [least, least_places] = topk(x, 1, 0, false);
  CHECK(max_difference(least, {0, 0, 3, 0}) == 0);
  CHECK(max_difference(least_places, {1, 1, 1, 1}) == 0);
}

TEST_CASE("topk refuses a k beyond the extent and takes none or all") {
  const Tensor x = random_tensor({3, 4}, Dtype::f32, 1);
  CHECK_THROWS_WITH_AS(topk(x, 5), doctest::Contains("k is 5"), Error);
  CHECK_THROWS_WITH_AS(topk(x, -1), doctest::Contains("k is -1"), Error);
  CHECK(topk(x, 0).first.shape() == Shape{3, 0});
  CHECK(bit_equal(topk(x, 4).first, sort(x, -1, true).first));
}

TEST_CASE("cumsum runs along any axis and keeps integers integer") {
  const Tensor x = from_vector(std::vector<int64_t>{1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(max_difference(cumsum(x, 1), {1, 3, 6, 4, 9, 15}) == 0);
  CHECK(max_difference(cumsum(x, 0), {1, 2, 3, 5, 7, 9}) == 0);
  CHECK(cumsum(x, 0).dtype() == Dtype::i64);
  CHECK(cumsum(full({1000000}, 0.1), 0).at({-1}) == doctest::Approx(1e5).epsilon(1e-7));
}

TEST_CASE("scalars and empty tensors sort and sum to themselves") {
  CHECK(sort(scalar(3)).first.shape() == Shape{});
  CHECK(sort(scalar(3)).second.item() == 0);
  CHECK(topk(scalar(3), 1).first.item() == 3);
  CHECK(cumsum(scalar(3), 0).item() == 3);
  CHECK(sort(zeros({0})).second.shape() == Shape{0});
  CHECK(sort(zeros({2, 0})).first.shape() == Shape{2, 0});
  CHECK(sort(zeros({0, 2})).first.shape() == Shape{0, 2});
  CHECK(cumsum(zeros({2, 0}), 1).shape() == Shape{2, 0});
}

TEST_CASE("rows without elements cost nothing, however many there are") {
  const Tensor x = zeros({int64_t{1} << 50, 0});
  CHECK(sort(x).first.shape() == x.shape());
  CHECK(topk(x, 0).second.shape() == x.shape());
  CHECK(cumsum(x, 1).shape() == x.shape());
  CHECK(argmax(zeros({0, 3}), 1).numel() == 0);
}

TEST_CASE("sorting gives the same bits for any number of threads") {
  const Tensor x = random_tensor({200, 100}, Dtype::f32, 8);
  check_same_bits_for_any_threads([&]() -> std::vector<Tensor> { return {sort(x).first, sort(x).second, topk(x, 7).second}; });
}

}  // namespace
}  // namespace vitrail
