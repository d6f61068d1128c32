// Lab 1: views against brute force. Every element is looked up by its index, one at a time, by this file's own arithmetic.
#include <algorithm>
#include <optional>
#include <tuple>

#include "labs/common/lab.h"
#include "tensor/ops/reduce.h"
#include "tensor/reference/copy.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

using Index = std::vector<int64_t>;

Shape random_shape(lab::Dice& dice, int rank, int64_t low, int64_t high) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(dice.roll(low, high));
  return shape;
}

int64_t product(const Shape& shape) {
  int64_t n = 1;
  for (const int64_t extent : shape) n *= extent;
  return n;
}

// All indices of a shape in row-major order.
std::vector<Index> indices_of(const Shape& shape) {
  std::vector<Index> all;
  for (int64_t i = 0; i < product(shape); ++i) {
    Index index(static_cast<size_t>(shape.size()));
    int64_t rest = i;
    for (int axis = shape.size() - 1; axis >= 0; --axis)
      index[static_cast<size_t>(axis)] = rest % shape[axis], rest /= shape[axis];
    all.push_back(index);
  }
  return all;
}

int64_t place(const Index& index, const Shape& strides) {
  int64_t sum = 0;
  for (size_t i = 0; i < index.size(); ++i) sum += index[i] * strides[static_cast<int>(i)];
  return sum;
}

// The element, without Tensor::at.
int64_t element(const Tensor& x, const Index& index) { return x.data<int64_t>()[place(index, x.strides())]; }

// Each stride on its own, as the number of elements behind its axis.
Shape row_major(const Shape& extents) {
  Shape result = extents;
  for (int axis = 0; axis < extents.size(); ++axis) {
    result[axis] = 1;
    for (int behind = axis + 1; behind < extents.size(); ++behind) result[axis] *= extents[behind] > 0 ? extents[behind] : 1;
  }
  return result;
}

// 0, 1, 2, ... laid out by hand, so that this file needs nothing that is still to be written.
Tensor counted(const Shape& shape) {
  auto storage = std::make_shared<Storage>(product(shape) * 8);
  for (int64_t i = 0; i < product(shape); ++i) static_cast<int64_t*>(storage->data())[i] = i;
  return Tensor(storage, shape, row_major(shape), 0, Dtype::i64);
}

// A view into a larger memory: axes in a random order in memory, with gaps, beginning behind the first element.
Tensor scattered(lab::Dice& dice, const Shape& shape) {
  Shape strides(shape);
  std::vector<int> order;
  for (int i = 0; i < shape.size(); ++i) order.insert(order.begin() + dice.roll(0, i), i);
  int64_t stride = dice.roll(1, 2);
  for (const int axis : order) strides[axis] = stride, stride *= shape[axis] + 1;
  const int64_t offset = dice.roll(1, 5);
  const Tensor memory = counted({stride + offset + 1});
  return Tensor(memory.storage(), shape, strides, offset, Dtype::i64);
}

}  // namespace

LAB_PROBE("1.1") { return cat(contiguous_strides({2, 3, 5}), contiguous_strides({4, 1, 6}), contiguous_strides({7})); }

TEST_SUITE("1.1") {
  TEST_CASE("row-major strides of a few shapes") {
    CHECK(contiguous_strides({2, 3, 5}) == Shape{15, 5, 1});
    CHECK(contiguous_strides({7}) == Shape{1});
    CHECK(contiguous_strides({4, 1, 6}) == Shape{6, 6, 1});
  }
  TEST_CASE("a scalar has none") { CHECK(contiguous_strides({}).size() == 0); }
  TEST_CASE("element number i of row-major order lies at place i") {
    lab::Dice dice(11);
    for (int round = 0; round < 20; ++round) {
      const Shape shape = random_shape(dice, round % 5, 1, 4);
      CAPTURE(shape);
      const Shape strides = contiguous_strides(shape);
      int64_t i = 0, wrong = 0;
      for (const Index& index : indices_of(shape)) wrong += strides.size() != shape.size() || place(index, strides) != i++;
      CHECK(wrong == 0);
    }
  }
}

LAB_PROBE("1.2") { return cat(counted({3, 4}).at({2, 1}), " ", counted({3, 4}).at({-1, -2}), " ", counted({}).at({})); }
LAB_PROBE("1.2") { return cat(counted({3, 4}).at({1, 4})); }
LAB_PROBE("1.2") { return cat(counted({3, 4}).at({1, -5})); }
LAB_PROBE("1.2") { return cat(Tensor(counted({20}).storage(), {3, 2}, {2, 7}, 1, Dtype::i64).at({2, 1})); }

TEST_SUITE("1.2") {
  TEST_CASE("every element of scattered views") {
    lab::Dice dice(12);
    for (int round = 0; round < 20; ++round) {
      const Shape shape = random_shape(dice, round % 5, 1, 4);
      const Tensor x = scattered(dice, shape);
      CAPTURE(shape);
      int64_t wrong = 0;
      for (const Index& index : indices_of(shape)) wrong += x.at(index) != static_cast<double>(element(x, index));
      CHECK(wrong == 0);
    }
  }
  TEST_CASE("negative indices count from the end") {
    const Tensor x = counted({3, 4});
    CHECK(x.at({-1, -1}) == 11);
    CHECK(x.at({-3, -4}) == 0);
    CHECK(x.at({1, -2}) == 6);
  }
  TEST_CASE("an index outside is refused, and the message names it") {
    const Tensor x = counted({3, 4});
    CHECK_THROWS_AS(x.at({3, 0}), Error);
    CHECK_THROWS_AS(x.at({0, 4}), Error);
    CHECK_THROWS_AS(x.at({-4, 0}), Error);
    CHECK_THROWS_WITH_AS(x.at({0, 97}), doctest::Contains("97"), Error);
  }
  TEST_CASE("a scalar has one element") { CHECK(counted({}).at({}) == 0); }
}

LAB_PROBE("1.3") {
  const Tensor y = permute(counted({2, 3, 4}), {2, 0, 1});
  return cat(y.shape(), y.strides());
}
LAB_PROBE("1.3") { return cat(permute(Tensor(counted({5, 3}).storage(), {2, 3}, {3, 1}, 6, Dtype::i64), {1, 0}).offset()); }
LAB_PROBE("1.3") {
  const Tensor y = slice(counted({7, 2}), 0, 2, 7, 2);
  return cat(y.shape(), y.strides(), y.offset());
}
LAB_PROBE("1.3") {
  const Tensor y = slice(counted({7, 2}), 0, 1, 5, 3);
  return cat(y.shape(), y.strides(), y.offset());
}
LAB_PROBE("1.3") {
  const Tensor y = slice(counted({7, 2}), 0, -3, 99, 1);
  return cat(y.shape(), y.offset());
}

TEST_SUITE("1.3") {
  TEST_CASE("permute: element [i, j, k] moves to where the axes went") {
    const Tensor x = counted({2, 3, 4}), y = permute(x, {2, 0, 1});
    REQUIRE(y.shape() == Shape{4, 2, 3});
    int64_t wrong = 0;
    for (const Index& i : indices_of({2, 3, 4})) wrong += element(y, {i[2], i[0], i[1]}) != element(x, i);
    CHECK(wrong == 0);
    CHECK(permute(x, {-1, 0, 1}).shape() == Shape{4, 2, 3});
  }
  TEST_CASE("permute copies nothing and starts where x starts") {
    const Tensor x = counted({5, 3});
    const Tensor y = permute(Tensor(x.storage(), {2, 3}, {3, 1}, 6, Dtype::i64), {1, 0});  // rows 2 and 3
    CHECK(y.storage() == x.storage());
    CHECK(element(y, {0, 0}) == 6);
    CHECK(element(y, {2, 1}) == 11);
  }
  TEST_CASE("slice: Python's rules, element by element") {
    lab::Dice dice(13);
    for (int round = 0; round < 200; ++round) {
      const int64_t n = dice.roll(0, 7), start = dice.roll(-9, 9), end = dice.roll(-9, 9), step = dice.roll(1, 4);
      CAPTURE(n);
      CAPTURE(start);
      CAPTURE(end);
      CAPTURE(step);
      std::vector<int64_t> rows;
      const int64_t first = std::clamp<int64_t>(start < 0 ? start + n : start, 0, n);
      const int64_t last = std::clamp<int64_t>(end < 0 ? end + n : end, 0, n);
      for (int64_t i = first; i < last; i += step) rows.push_back(i);
      const Tensor y = slice(counted({n, 2}), 0, start, end, step);
      REQUIRE(y.shape() == Shape{static_cast<int64_t>(rows.size()), 2});
      int64_t wrong = 0;
      for (size_t i = 0; i < rows.size(); ++i) wrong += element(y, {static_cast<int64_t>(i), 1}) != rows[i] * 2 + 1;
      CHECK(wrong == 0);
    }
  }
  TEST_CASE("slices of slices of permuted tensors, without a copy") {
    const Tensor x = counted({4, 6, 5});
    const Tensor y = slice(permute(slice(x, 1, 1, 6, 2), {2, 0, 1}), 0, 1, 5, 3);
    REQUIRE(y.shape() == Shape{2, 4, 3});
    int64_t wrong = 0;
    for (const Index& i : indices_of({2, 4, 3})) wrong += element(y, i) != element(x, {i[1], 1 + 2 * i[2], 1 + 3 * i[0]});
    CHECK(wrong == 0);
    CHECK(y.storage() == x.storage());
  }
}

LAB_PROBE("1.4") { return cat(broadcast_shapes({4, 1, 3}, {6, 1}, "test")); }
LAB_PROBE("1.4") { return cat(broadcast_shapes({2, 1}, {3}, "test")); }
LAB_PROBE("1.4") { return cat(broadcast_shapes({6}, {3}, "test")); }
LAB_PROBE("1.4") { return cat(broadcast_shapes({2, 3}, {2, 4}, "test")); }
LAB_PROBE("1.4") {
  const Tensor x = counted({3, 1}), y = expand(x, {2, 3, 4});
  return cat(y.shape(), y.strides(), y.storage() == x.storage(), y.offset());
}
LAB_PROBE("1.4") { return cat(expand(counted({3}), {6}).strides()); }

TEST_SUITE("1.4") {
  TEST_CASE("shapes that fit, both ways round") {
    CHECK(broadcast_shapes({4, 1, 3}, {6, 1}, "test") == Shape{4, 6, 3});
    CHECK(broadcast_shapes({6, 1}, {4, 1, 3}, "test") == Shape{4, 6, 3});
    CHECK(broadcast_shapes({}, {2, 5}, "test") == Shape{2, 5});
    CHECK(broadcast_shapes({5}, {2, 5}, "test") == Shape{2, 5});
    CHECK(broadcast_shapes({1}, {0}, "test") == Shape{0});
  }
  TEST_CASE("shapes that do not fit are refused, whichever is longer or a multiple") {
    CHECK_THROWS_AS(broadcast_shapes({6}, {3}, "test"), Error);
    CHECK_THROWS_AS(broadcast_shapes({3}, {6}, "test"), Error);
    CHECK_THROWS_AS(broadcast_shapes({2, 3}, {2, 4}, "test"), Error);
    CHECK_THROWS_AS(broadcast_shapes({3, 2}, {3}, "test"), Error);
    CHECK_THROWS_AS(broadcast_shapes({0}, {2}, "test"), Error);
  }
  TEST_CASE("the message names both shapes") {
    CHECK_THROWS_WITH_AS(broadcast_shapes({2, 3}, {4}, "test"), doctest::Contains("[2, 3]"), Error);
    CHECK_THROWS_WITH_AS(broadcast_shapes({2, 3}, {4}, "test"), doctest::Contains("[4]"), Error);
  }
  TEST_CASE("expand repeats without a copy") {
    const Tensor x = counted({3, 1}), y = expand(x, {2, 3, 4});
    REQUIRE(y.shape() == Shape{2, 3, 4});
    CHECK(y.storage() == x.storage());
    int64_t wrong = 0;
    for (const Index& i : indices_of({2, 3, 4})) wrong += element(y, i) != i[1];
    CHECK(wrong == 0);
    CHECK(expand(x, {-1, 5}).shape() == Shape{3, 5});
  }
  TEST_CASE("expand keeps the strides and the start of a permuted part") {
    const Tensor x(counted({4, 3}).storage(), {3, 1, 2}, {1, 12, 3}, 3, Dtype::i64);  // columns of rows 1 and 2
    const Tensor y = expand(x, {3, 5, 2});
    REQUIRE(y.shape() == Shape{3, 5, 2});
    int64_t wrong = 0;
    for (const Index& i : indices_of({3, 5, 2})) wrong += element(y, i) != element(x, {i[0], 0, i[2]});
    CHECK(wrong == 0);
  }
  TEST_CASE("expand refuses what it cannot repeat") {
    CHECK_THROWS_AS(expand(counted({3}), {6}), Error);
    CHECK_THROWS_AS(expand(counted({3, 1}), {4, 2}), Error);
    CHECK_THROWS_AS(expand(counted({3}), {-1, 3}), Error);
  }
}

#include "labs/lab1/tests_reshape.h"
