#include "tensor/view.h"

#include <doctest/doctest.h>

#include <limits>

#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

namespace {
Tensor counted(const Shape& shape) { return reshape(arange(0, double(checked_numel(shape)), 1, Dtype::i64), shape); }
constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
}  // namespace

TEST_CASE("view: reshape keeps the row-major order of any layout, by a view where strides allow") {
  const Tensor x = counted({2, 3, 4});
  for (const Tensor& y :
       {x, transpose(x), permute(x, {2, 0, 1}), slice(x, 2, 0, 4, 2), expand(counted({1, 3, 1}), {2, 3, 4})}) {
    for (const Shape& shape : {Shape{-1}, Shape{y.numel(), 1}, Shape{2, -1}, Shape{1, 2, -1, 2}, Shape{y.numel() / 4, 2, 2}}) {
      CHECK(to_vector<int64_t>(reshape(y, shape)) == to_vector<int64_t>(y));
    }
  }
  CHECK(reshape(x, {6, 4}).storage() == x.storage());
  CHECK(reshape(transpose(x), {-1}).storage() != x.storage());
  CHECK(reshape(slice(x, 0, 1, 2), {3, 2, 2}).storage() == x.storage());
}

TEST_CASE("view: reshape names both shapes when the counts differ") {
  CHECK(refuses([] { reshape(zeros({2, 3}), {4}); }, ErrorKind::kShape, "shape is [2, 3] (6), new shape is [4] (4)"));
  CHECK(refuses([] { reshape(zeros({2, 3}), {-1, 4}); }, ErrorKind::kShape, "cannot infer -1"));
  CHECK(refuses([] { reshape(zeros({2, 3}), {-1, -1}); }, ErrorKind::kShape, "only one extent may be -1"));
  CHECK(refuses([] { reshape(zeros({0}), {0, -1}); }, ErrorKind::kShape, "cannot infer -1"));
  CHECK(reshape(zeros({0, 3}), {5, 0}).shape() == Shape{5, 0});
  CHECK(reshape(scalar(1), {1, 1}).shape() == Shape{1, 1});
}

TEST_CASE("view: permute and transpose exchange indices") {
  const Tensor x = counted({2, 3, 4}), y = permute(x, {2, 0, -2});
  for (int64_t i = 0; i < 24; ++i) CHECK(y.at({i % 4, i / 12, i / 4 % 3}) == x.at({i / 12, i / 4 % 3, i % 4}));
  CHECK(transpose(x, 0, 2).at({3, 1, 0}) == x.at({0, 1, 3}));
  CHECK(refuses([&] { permute(x, {0, 0, 1}); }, ErrorKind::kShape, "axis 0 is named twice"));
  CHECK(refuses([&] { permute(x, {0, 1}); }, ErrorKind::kShape, "one entry per axis"));
}

TEST_CASE("view: slice follows Python's rules, whatever the numbers") {
  const Tensor x = counted({5});
  CHECK(to_vector<int64_t>(slice(x, 0, 1, -1)) == std::vector<int64_t>{1, 2, 3});
  CHECK(to_vector<int64_t>(slice(x, 0, -2, kEnd)) == std::vector<int64_t>{3, 4});
  CHECK(to_vector<int64_t>(slice(x, 0, -kEnd - 1, kEnd, 2)) == std::vector<int64_t>{0, 2, 4});
  CHECK(to_vector<int64_t>(slice(x, 0, 2, kEnd, kEnd)) == std::vector<int64_t>{2});
  CHECK(slice(x, 0, 4, 2).numel() == 0);
  CHECK(slice(x, 0, 9, 12).numel() == 0);
  CHECK(refuses([&] { slice(x, 0, 0, 5, 0); }, ErrorKind::kValue, "step must be at least 1"));
}

TEST_CASE("view: select and expand refuse what is not there") {
  const Tensor x = counted({2, 3});
  CHECK(to_vector<int64_t>(select(x, 1, -1)) == std::vector<int64_t>{2, 5});
  CHECK(refuses([&] { select(x, 1, 3); }, ErrorKind::kShape, "index 3 is outside axis 1 of [2, 3]"));
  CHECK(refuses([&] { select(zeros({0}), 0, 0); }, ErrorKind::kShape, "outside axis 0"));
  CHECK(expand(x, {4, -1, 3}).at({3, 1, 2}) == 5);
  CHECK(refuses([&] { expand(x, {2, 4}); }, ErrorKind::kShape, "(3 vs 4)"));
  CHECK(refuses([&] { expand(x, {-1, 2, 3}); }, ErrorKind::kShape, "only extents of one can be repeated"));
}

TEST_CASE("view: axes of extent one come and go") {
  const Tensor x = counted({2, 3});
  CHECK(unsqueeze(x, -1).shape() == Shape{2, 3, 1});
  CHECK(squeeze(unsqueeze(x, 0), 0).shape() == x.shape());
  CHECK(squeeze(counted({1, 2, 1})).shape() == Shape{2});
  CHECK(refuses([&] { squeeze(x, 1); }, ErrorKind::kShape, "axis 1 of [2, 3] is 3"));
}

TEST_CASE("view: unfold shows windows, overlapping or apart") {
  const Tensor x = counted({2, 5}), y = unfold(x, 1, 3, 2);
  CHECK(y.shape() == Shape{2, 2, 3});
  for (int64_t i = 0; i < 12; ++i) CHECK(y.at({i / 6, i / 3 % 2, i % 3}) == x.at({i / 6, i / 3 % 2 * 2 + i % 3}));
  CHECK(unfold(x, 1, 5, kEnd).shape() == Shape{2, 1, 5});
  CHECK(refuses([&] { unfold(x, 1, 6, 1); }, ErrorKind::kShape, "a window must fit: size is 6"));
}
