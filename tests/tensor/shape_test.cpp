#include "tensor/shape.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

namespace {
constexpr int64_t kHuge = int64_t{1} << 40;
}

TEST_CASE("shape: more than eight extents are refused, insert and erase keep the others") {
  CHECK(refuses([] { Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}); }, ErrorKind::kShape, "at most 8 dimensions"));
  Shape shape{2, 3};
  shape.insert(1, 7);
  CHECK(shape == Shape{2, 7, 3});
  shape.erase(0);
  CHECK(to_string(shape) == "[7, 3]");
  CHECK(refuses([&] { shape.erase(2); }, ErrorKind::kShape, "position 2 is outside [7, 3]"));
}

TEST_CASE("shape: counts that overflow are refused, also behind a zero") {
  CHECK(checked_numel({}) == 1);
  CHECK(checked_numel({2, 0, 3}) == 0);
  CHECK(checked_numel({int64_t{1} << 31, int64_t{1} << 31}) == int64_t{1} << 62);
  for (const Shape& shape : {Shape{kHuge, kHuge}, Shape{0, kHuge, kHuge}, Shape{int64_t{1} << 32, int64_t{1} << 32},
                             Shape{std::numeric_limits<int64_t>::max()}}) {
    CHECK(refuses([&] { checked_numel(shape, "myop"); }, ErrorKind::kShape, "[myop] too many elements"));
  }
  CHECK(refuses([] { checked_numel({2, -1}, "myop"); }, ErrorKind::kShape, "must not be negative: shape is [2, -1]"));
  CHECK(refuses([] { checked_bytes({int64_t{1} << 61}, 8, "myop"); }, ErrorKind::kShape, "[myop] too many bytes"));
}

TEST_CASE("shape: axes count from both ends, and a scalar accepts 0 and -1") {
  CHECK(normalize_axis(-1, 3, "op") == 2);
  CHECK(normalize_axis(0, 0, "op") == 0);
  CHECK(normalize_axis(-1, 0, "op") == 0);
  CHECK(refuses([] { normalize_axis(3, 3, "op"); }, ErrorKind::kShape, "[op] axis out of range: axis is 3, rank is 3"));
  CHECK(refuses([] { normalize_axis(std::numeric_limits<int>::min(), 3, "op"); }, ErrorKind::kShape, "axis out of range"));
  CHECK(normalize_axes({-1, 0}, 3, "op") == std::vector<int>{0, 2});
  CHECK(normalize_axes({}, 2, "op") == std::vector<int>{0, 1});
  CHECK(refuses([] { normalize_axes({0, -3}, 3, "op"); }, ErrorKind::kShape, "axis 0 is named twice"));
}

TEST_CASE("shape: broadcasting aligns from the right") {
  CHECK(broadcast_shapes({3, 1}, {5}, "op") == Shape{3, 5});
  CHECK(broadcast_shapes({}, {2, 0}, "op") == Shape{2, 0});
  CHECK(broadcast_shapes({1}, {0}, "op") == Shape{0});
  CHECK(refuses([] { broadcast_shapes({2, 3}, {4}, "op"); }, ErrorKind::kShape, "a is [2, 3], b is [4] (3 vs 4)"));
  CHECK(refuses([] { broadcast_shapes({2}, {0}, "op"); }, ErrorKind::kShape, "do not broadcast"));
}

TEST_CASE("shape: two extents broadcast only if they are equal or one of them is one") {
  for (int64_t a = 0; a <= 7; ++a) {
    for (int64_t b = 0; b <= 7; ++b) {
      CAPTURE(a);
      CAPTURE(b);
      if (a == b || a == 1 || b == 1) {
        const int64_t both = a == 1 ? b : a;
        CHECK(broadcast_shapes({a}, {b}, "op") == Shape{both});
        CHECK(broadcast_shapes({2, a}, {b}, "op") == Shape{2, both});
      } else {  // 6 against 3 among them: a multiple is no broadcast
        for (const Shape& other : {Shape{b}, Shape{1, b}, Shape{5, 1, b}}) {
          CHECK(refuses([&] { broadcast_shapes({a}, other, "op"); }, ErrorKind::kShape, "do not broadcast"));
          CHECK(refuses([&] { broadcast_shapes(other, {a}, "op"); }, ErrorKind::kShape, "do not broadcast"));
        }
      }
    }
  }
}

TEST_CASE("shape: reduced axes disappear or stay as one") {
  CHECK(reduced_shape({2, 3, 4}, {0, 2}, false) == Shape{3});
  CHECK(reduced_shape({2, 3, 4}, {0, 2}, true) == Shape{1, 3, 1});
  CHECK(contiguous_strides({2, 3, 4}) == Shape{12, 4, 1});
}
