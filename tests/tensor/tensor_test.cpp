#include "tensor/tensor.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "tensor/rng.h"
#include "tensor/view.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

TEST_CASE("tensor: a view that would reach outside its memory cannot be made") {
  const Tensor x = zeros({6});
  const auto view = [&](Shape shape, Shape strides, int64_t offset) {
    return [=] { Tensor(x.storage(), shape, strides, offset, Dtype::f32); };
  };
  CHECK_NOTHROW(view({2, 3}, {3, 1}, 0)());
  CHECK(refuses(view({2, 3}, {3, 1}, 1), ErrorKind::kShape, "view outside the memory: elements 1 to 6 of 6"));
  CHECK(refuses(view({2}, {-1}, 0), ErrorKind::kShape, "elements -1 to 0"));
  CHECK(refuses(view({2, 3}, {1}, 0), ErrorKind::kShape, "as many strides as extents"));
  CHECK(refuses([&] { Tensor(x.storage(), {6}, {1}, 0, Dtype::f64); }, ErrorKind::kShape, "of 3"));
  // The place of the last element is more than an int64_t holds.
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  CHECK(refuses(view({3}, {kMost}, 0), ErrorKind::kShape, "view outside the memory"));
  CHECK(refuses(view({2, 2}, {kMost, kMost}, 0), ErrorKind::kShape, "view outside the memory"));
  CHECK(refuses(view({2, 2}, {-kMost, -kMost}, 0), ErrorKind::kShape, "view outside the memory"));
  CHECK(refuses(view({2}, {1}, kMost), ErrorKind::kShape, "view outside the memory"));
}

TEST_CASE("tensor: writes through any view raise the version that all views share") {
  Tensor x = zeros({4, 4});
  Tensor row = select(x, 0, 1), turned = transpose(x);
  const uint64_t before = x.version();
  fill_(row, 3);
  CHECK(x.version() > before);
  CHECK(turned.version() == x.version());
  CHECK(clone(x).storage() != x.storage());
  const uint64_t after = x.version();
  CHECK(to_vector<float>(x)[4] == 3);  // reading raises nothing
  CHECK(x.version() == after);
}

TEST_CASE("tensor: writing into an expanded tensor is refused") {
  Tensor wide = expand(zeros({1, 3}), {4, 3});
  CHECK(refuses([&] { wide.mutable_data<float>(); }, ErrorKind::kValue, "cannot write to an expanded tensor: shape is [4, 3]"));
  CHECK(refuses([&] { fill_(wide, 1); }, ErrorKind::kValue, "Hint: write to clone(x)"));
  CHECK_NOTHROW(fill_(clone(wide), 1));
}

TEST_CASE("tensor: data of another dtype or of an undefined tensor is refused") {
  CHECK(refuses([] { zeros({1}).data<double>(); }, ErrorKind::kValue, "the tensor holds f32, asked for as f64"));
  const Tensor none;
  CHECK(refuses([&] { none.data<float>(); }, ErrorKind::kValue, "undefined"));
  CHECK(refuses([&] { none.item(); }, ErrorKind::kValue, "undefined"));
  CHECK(refuses([&] { squeeze(none); }, ErrorKind::kValue, "undefined"));
  CHECK(refuses([&] { reshape(none, {0}); }, ErrorKind::kValue, "undefined"));
  CHECK(refuses([&] { contiguous(none); }, ErrorKind::kValue, "undefined"));
}

TEST_CASE("tensor: item and at need an element that is there") {
  CHECK(scalar(2.5).item() == 2.5);
  CHECK(refuses([] { zeros({2}).item(); }, ErrorKind::kShape, "shape is [2] (2 elements)"));
  const Tensor x = from_vector(std::vector<int64_t>{1, 2, 3, 4}, {2, 2});
  CHECK(x.at({-1, 0}) == 3);
  CHECK(refuses([&] { x.at({2, 0}); }, ErrorKind::kShape, "index 2 is outside axis 0 of [2, 2]"));
  CHECK(refuses([&] { x.at({0}); }, ErrorKind::kShape, "one index per axis"));
}

TEST_CASE("tensor: makers give the values that their names say") {
  CHECK(to_vector<double>(arange(1, 2, 0.25)) == std::vector<double>{1, 1.25, 1.5, 1.75});
  CHECK(arange(3, 1).numel() == 0);
  CHECK(to_vector<double>(linspace(0, 1, 3)) == std::vector<double>{0, 0.5, 1});
  CHECK(to_vector<double>(eye(2)) == std::vector<double>{1, 0, 0, 1});
  CHECK(refuses([] { arange(0, 1, 0); }, ErrorKind::kValue, "step must lead from start to end"));
  CHECK(refuses([] { from_vector(std::vector<float>{1, 2}, {3}); }, ErrorKind::kShape, "2 values, shape is [3]"));
}

TEST_CASE("tensor: copies, conversions and in-place arithmetic follow any strides and broadcast") {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Tensor target = transpose(rand_normal({5, 3 + static_cast<int64_t>(seed)}, 0, 9, Rng(seed)));
    const Tensor row = rand_normal({5}, 0, 9, Rng(seed, 1)), old = clone(target);
    add_(target, row, 2);
    mul_(target, 0.5);
    for (int64_t i = 0; i < target.size(0); ++i) {
      for (int64_t j = 0; j < 5; ++j) CHECK(target.at({i, j}) == doctest::Approx((old.at({i, j}) + 2 * row.at({j})) * 0.5));
    }
    copy_(target, row);
    CHECK(bit_equal(target, expand(row, target.shape())));
    CHECK(to(target, Dtype::i64).at({0, 1}) == std::trunc(row.at({1})));
  }
}

TEST_CASE("tensor: bit_equal knows NaN, signed zeros, dtypes and shapes") {
  const double nan = std::nan("");
  CHECK(bit_equal(scalar(nan), scalar(nan)));
  CHECK(!bit_equal(scalar(0.0), scalar(-0.0)));
  CHECK(!bit_equal(zeros({2}), zeros({2}, Dtype::f64)));
  CHECK(!bit_equal(zeros({2, 1}), zeros({2})));
  CHECK(bit_equal(Tensor(), Tensor()));
}
