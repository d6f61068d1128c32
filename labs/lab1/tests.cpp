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

// A view into a larger memory: axes in a random order in memory, with gaps, beginning behind the first element. `room` elements
// more lie before and behind it, for walks that go astray.
Tensor scattered(lab::Dice& dice, const Shape& shape, int64_t room = 0) {
  Shape strides(shape);
  std::vector<int> order;
  for (int i = 0; i < shape.size(); ++i) order.insert(order.begin() + dice.roll(0, i), i);
  int64_t stride = dice.roll(1, 2);
  for (const int axis : order) strides[axis] = stride, stride *= shape[axis] + 1;
  const int64_t offset = room + dice.roll(1, 5);
  const Tensor memory = counted({stride + offset + 1 + room});
  return Tensor(memory.storage(), shape, strides, offset, Dtype::i64);
}

// "" if every element is wanted(index), else the first that is not. An element outside of the memory is told, not read.
template <class Wanted>
std::string wrong_elements(const Tensor& x, Wanted wanted) {
  const int64_t first = x.offset(), size = x.storage()->bytes() / 8;
  int64_t wrong = 0;
  std::string text;
  for (const Index& index : indices_of(x.shape())) {
    const int64_t at = first + place(index, x.strides());
    const bool outside = at < 0 || at >= size;
    if (!outside && element(x, index) == wanted(index)) continue;
    if (wrong++ == 0)
      text = cat("element ", Shape(index), outside ? " lies outside of the memory" : cat(" is ", element(x, index)),
                 ", it should be ", wanted(index));
  }
  return wrong == 0 ? "" : cat(text, " (", wrong, " of ", product(x.shape()), " are wrong)");
}

// "" if fn() is refused as a mistake of shapes; else what happened instead.
template <class Fn>
std::string not_refused(Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kShape ? "" : cat("it was refused, but not as ErrorKind::kShape: ", error.what());
  }
  return "it should be refused with an Error of ErrorKind::kShape, but it was accepted";
}

// 0, 1, 2, ... as doubles, for what is not defined for integers.
Tensor numbers(const Shape& shape) {
  const Tensor x(std::make_shared<Storage>(product(shape) * 8), shape, row_major(shape), 0, Dtype::f64);
  for (int64_t i = 0; i < product(shape); ++i) static_cast<double*>(x.storage()->data())[i] = static_cast<double>(i);
  return x;
}

}  // namespace

LAB_PROBE("1.1") { return cat(contiguous_strides({2, 3, 5}), contiguous_strides({4, 1, 6}), contiguous_strides({7})); }

TEST_SUITE("1.1") {
  TEST_CASE("row-major strides of a few shapes") {
    CHECK(contiguous_strides({2, 3, 5}) == Shape{15, 5, 1});
    CHECK(contiguous_strides({7}) == Shape{1});
    CHECK(contiguous_strides({4, 1, 6}) == Shape{6, 6, 1});
  }
  TEST_CASE("a scalar has none, and an extent of 0 does no harm") {
    CHECK(contiguous_strides({}).size() == 0);
    CHECK(contiguous_strides({2, 0, 3}).size() == 3);
    CHECK(contiguous_strides({0, 5}).back() == 1);
  }
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
      std::string wrong;
      for (const Index& index : indices_of(shape)) {
        const double given = x.at(index), wanted = static_cast<double>(element(x, index));
        if (given != wanted && wrong.empty()) wrong = cat("at(", Shape(index), ") is ", given, ", it should be ", wanted);
      }
      CHECK(wrong == "");
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
    for (const Index& index : {Index{3, 0}, Index{0, 4}, Index{-4, 0}, Index{0, -5}}) {
      const Shape outside(index);
      CAPTURE(outside);
      CHECK(not_refused([&] { x.at(index); }) == "");
    }
    CHECK_THROWS_WITH_AS(x.at({0, 97}), doctest::Contains("97"), Error);
  }
  TEST_CASE("a scalar has one element") { CHECK(counted({}).at({}) == 0); }
}

namespace {

// In the middle of a large memory, so that a view that goes astray is still one.
Tensor roomy(const Shape& shape) { return Tensor(counted({4000}).storage(), shape, row_major(shape), 2000, Dtype::i64); }
// Shape, strides and offset; what no element depends on does not show: the stride of an axis of extent 1, the start of nothing.
std::string layout(const Tensor& x) {
  std::string text = cat(x.shape(), " strides");
  for (int i = 0; i < x.dim(); ++i) text += x.size(i) > 1 && x.numel() > 0 ? cat(" ", x.strides()[i]) : " *";
  return x.numel() > 0 ? cat(text, " at ", x.offset() - 2000) : text;
}
std::string sliced(int64_t start, int64_t end, int64_t step) { return layout(slice(roomy({7, 2}), 0, start, end, step)); }

}  // namespace

LAB_PROBE("1.3") { return layout(permute(roomy({2, 3, 4}), {2, 0, 1})); }
LAB_PROBE("1.3") { return layout(permute(roomy({2, 3, 4}), {-1, 0, 1})); }
LAB_PROBE("1.3") { return sliced(2, 7, 2); }
LAB_PROBE("1.3") { return sliced(1, 5, 3); }
LAB_PROBE("1.3") { return sliced(0, 6, 2); }
LAB_PROBE("1.3") { return sliced(5, 3, 1); }
LAB_PROBE("1.3") { return sliced(2, 2, 3); }
LAB_PROBE("1.3") { return sliced(-6, -2, 3); }
LAB_PROBE("1.3") { return sliced(-3, 99, 1); }
LAB_PROBE("1.3") { return sliced(-99, 3, 1); }

namespace {

// "" if the last axis of [2, 3, 4], called by `last`, comes to the front.
std::string wrong_permute(int last) {
  const std::string call = cat("permute(x, {", last, ", 0, 1}) of x with shape [2, 3, 4]: ");
  const Tensor x = counted({2, 3, 4});
  try {
    const Tensor y = permute(x, {last, 0, 1});
    if (y.shape() != Shape{4, 2, 3}) return cat(call, "the shape is ", y.shape(), ", it should be [4, 2, 3]");
    const std::string wrong = wrong_elements(y, [&](const Index& i) { return element(x, {i[1], i[2], i[0]}); });
    return wrong.empty() ? "" : call + wrong;
  } catch (const Error& error) {
    return call + error.what();
  }
}

// "" if slice() of n rows gives these rows; else the call and what is wrong.
std::string wrong_slice(int64_t n, int64_t start, int64_t end, int64_t step, const std::vector<int64_t>& rows) {
  const std::string call = cat("slice(x, 0, ", start, ", ", end, ", ", step, ") of ", n, " rows: ");
  try {
    const Tensor y = slice(counted({n, 2}), 0, start, end, step);
    const Shape wanted{static_cast<int64_t>(rows.size()), 2};
    if (y.shape() != wanted) return cat(call, "the shape is ", y.shape(), ", it should be ", wanted, ": rows ", Shape(rows));
    const std::string wrong = wrong_elements(y, [&](const Index& i) { return rows[static_cast<size_t>(i[0])] * 2 + i[1]; });
    return wrong.empty() ? "" : call + wrong;
  } catch (const Error& error) {
    return call + error.what();
  }
}

}  // namespace

TEST_SUITE("1.3") {
  TEST_CASE("permute: element [i, j, k] moves to where the axes went") {
    CHECK(wrong_permute(2) == "");
    CHECK(wrong_permute(-1) == "");
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
      std::vector<int64_t> rows;
      const int64_t first = std::clamp<int64_t>(start < 0 ? start + n : start, 0, n);
      const int64_t last = std::clamp<int64_t>(end < 0 ? end + n : end, 0, n);
      for (int64_t i = first; i < last; i += step) rows.push_back(i);
      CHECK(wrong_slice(n, start, end, step, rows) == "");
    }
  }
  TEST_CASE("slices of slices of permuted tensors, without a copy") {
    const Tensor x = counted({4, 6, 5});
    const Tensor y = slice(permute(slice(x, 1, 1, 6, 2), {2, 0, 1}), 0, 1, 5, 3);
    REQUIRE(y.shape() == Shape{2, 4, 3});
    CHECK(wrong_elements(y, [&](const Index& i) { return element(x, {i[1], 1 + 2 * i[2], 1 + 3 * i[0]}); }) == "");
    CHECK(y.storage() == x.storage());
  }
}

namespace {

std::string together(const Shape& a, const Shape& b) { return cat(broadcast_shapes(a, b, "test")); }
std::string expanded(const Shape& from, const Shape& to) {
  const Tensor x = roomy(from), y = expand(x, to);
  return y.storage() == x.storage() ? layout(y) : cat("a copy ", y.shape());
}

}  // namespace

LAB_PROBE("1.4") { return together({4, 1, 3}, {6, 1}); }
LAB_PROBE("1.4") { return together({2, 1}, {3}); }
LAB_PROBE("1.4") { return together({6}, {3}); }
LAB_PROBE("1.4") { return together({2, 3}, {2, 4}); }
LAB_PROBE("1.4") { return together({2, 1}, {2, 3}); }
LAB_PROBE("1.4") { return together({2, 3}, {2, 1}); }
LAB_PROBE("1.4") { return together({3}, {2, 3}); }
LAB_PROBE("1.4") { return together({3}, {3, 2}); }
LAB_PROBE("1.4") { return together({1}, {0}); }
LAB_PROBE("1.4") { return together({0}, {1}); }
LAB_PROBE("1.4") { return expanded({3, 1}, {2, 3, 4}); }
LAB_PROBE("1.4") { return expanded({3}, {6}); }
LAB_PROBE("1.4") { return expanded({3}, {2, 3}); }
LAB_PROBE("1.4") { return expanded({3}, {1}); }
LAB_PROBE("1.4") { return expanded({2}, {2, 3}); }
LAB_PROBE("1.4") { return expanded({2, 3}, {2, 3}); }
LAB_PROBE("1.4") { return expanded({2, 1}, {2, 3}); }
LAB_PROBE("1.4") { return expanded({3}, {-1, 3}); }
LAB_PROBE("1.4") { return expanded({3, 1}, {-1, 5}); }

TEST_SUITE("1.4") {
  TEST_CASE("shapes that fit, both ways round") {
    CHECK(broadcast_shapes({4, 1, 3}, {6, 1}, "test") == Shape{4, 6, 3});
    CHECK(broadcast_shapes({6, 1}, {4, 1, 3}, "test") == Shape{4, 6, 3});
    CHECK(broadcast_shapes({}, {2, 5}, "test") == Shape{2, 5});
    CHECK(broadcast_shapes({5}, {2, 5}, "test") == Shape{2, 5});
    CHECK(broadcast_shapes({1}, {0}, "test") == Shape{0});
  }
  TEST_CASE("an extent of one gives way to any other, also to 0") {
    CHECK(broadcast_shapes({0}, {1}, "test") == Shape{0});
    CHECK(broadcast_shapes({2, 1}, {2, 3}, "test") == Shape{2, 3});
    CHECK(broadcast_shapes({2, 3}, {2, 1}, "test") == Shape{2, 3});
  }
  TEST_CASE("shapes that do not fit are refused, whichever is longer or a multiple") {
    using Pair = std::pair<Shape, Shape>;
    for (const auto& both :
         {Pair{{6}, {3}}, Pair{{3}, {6}}, Pair{{2, 3}, {2, 4}}, Pair{{3, 2}, {3}}, Pair{{0}, {2}}, Pair{{2}, {0}}}) {
      const auto& a = both.first;
      const auto& b = both.second;
      CAPTURE(a);
      CAPTURE(b);
      CHECK(not_refused([&, x = a, y = b] { broadcast_shapes(x, y, "test"); }) == "");
    }
  }
  TEST_CASE("the message names both shapes") {
    CHECK_THROWS_WITH_AS(broadcast_shapes({2, 3}, {4}, "test"), doctest::Contains("[2, 3]"), Error);
    CHECK_THROWS_WITH_AS(broadcast_shapes({2, 3}, {4}, "test"), doctest::Contains("[4]"), Error);
  }
  TEST_CASE("expand repeats without a copy") {
    const Tensor x = counted({3, 1}), y = expand(x, {2, 3, 4});
    REQUIRE(y.shape() == Shape{2, 3, 4});
    CHECK(y.storage() == x.storage());
    CHECK(wrong_elements(y, [](const Index& i) { return i[1]; }) == "");
    CHECK(expand(x, {-1, 5}).shape() == Shape{3, 5});
  }
  TEST_CASE("expand keeps the strides and the start of a permuted part") {
    const Tensor x(counted({4, 3}).storage(), {3, 1, 2}, {1, 12, 3}, 3, Dtype::i64);  // columns of rows 1 and 2
    const Tensor y = expand(x, {3, 5, 2});
    REQUIRE(y.shape() == Shape{3, 5, 2});
    CHECK(wrong_elements(y, [&](const Index& i) { return element(x, {i[0], 0, i[2]}); }) == "");
  }
  TEST_CASE("expand refuses what it cannot repeat") {
    using Pair = std::pair<Shape, Shape>;  // a shape, and one that it cannot be expanded to
    for (const auto& both : {Pair{{3}, {6}}, Pair{{3, 1}, {4, 2}}, Pair{{3}, {1}}, Pair{{2, 3}, {2, 1}}, Pair{{3}, {-1, 3}}}) {
      const auto& from = both.first;
      const auto& to = both.second;
      CAPTURE(from);
      CAPTURE(to);
      CHECK(not_refused([&, x = from, y = to] { expand(counted(x), y); }) == "");
    }
    const Tensor part(counted({12}).storage(), {3}, {1}, 0, Dtype::i64);  // there is memory behind it
    CHECK(not_refused([&] { expand(part, {6}); }) == "");
    CHECK(not_refused([&] { expand(part, {4}); }) == "");
  }
  TEST_CASE("an extent of one is repeated any number of times, also never") {
    CHECK(expand(counted({1}), {0}).shape() == Shape{0});
    CHECK(expand(counted({3, 1}), {3, 0}).shape() == Shape{3, 0});
  }
}

#include "labs/lab1/tests_reshape.h"
