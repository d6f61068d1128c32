// Matrix products against the triple loop that defines them, over odd shapes and strides.
#include <doctest/doctest.h>

#include <cmath>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/product/gemm.h"
#include "tensor/reference/matmul.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

// c[i, j] = sum_k a[i, k] b[k, j] in double.
Tensor plain_product(const Tensor& a, const Tensor& b) {
  Tensor c = zeros({a.size(0), b.size(1)}, Dtype::f64);
  double* out = c.mutable_data<double>();
  for (int64_t i = 0; i < a.size(0); ++i) {
    for (int64_t j = 0; j < b.size(1); ++j) {
      for (int64_t k = 0; k < a.size(1); ++k) out[i * b.size(1) + j] += a.at({i, k}) * b.at({k, j});
    }
  }
  return c;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return a.numel() == 0 ? 0 : max(abs(sub(to(a, Dtype::f64), to(b, Dtype::f64)))).item();
}

Tensor random(const Shape& shape, uint64_t seed, Dtype dtype) { return rand_normal(shape, 0, 1, Rng(seed), dtype); }

}  // namespace

TEST_CASE("a product equals the triple loop for odd shapes, transposed and strided operands") {
  const int64_t extents[] = {1, 2, 7, 33};
  uint64_t seed = 0;
  for (Dtype dtype : {Dtype::f32, Dtype::f64}) {
    for (int64_t m : extents) {
      for (int64_t n : extents) {
        for (int64_t k : extents) {
          const Tensor a = random({m, k}, ++seed, dtype), bt = random({n, k}, ++seed, dtype);
          const Tensor wide = random({k, 2 * n}, ++seed, dtype);
          const double tolerance = dtype == Dtype::f32 ? 1e-5 * static_cast<double>(k) : 1e-13 * static_cast<double>(k);
          CHECK(largest_difference(matmul(a, transpose(bt)), plain_product(a, transpose(bt))) < tolerance);
          CHECK(largest_difference(matmul(a, slice(wide, 1, 0, 2 * n, 2)), plain_product(a, slice(wide, 1, 0, 2 * n, 2))) <
                tolerance);
        }
      }
    }
  }
}

TEST_CASE("batch axes broadcast") {
  const Tensor a = random({2, 1, 3, 4}, 1, Dtype::f64), b = random({5, 4, 2}, 2, Dtype::f64);
  const Tensor c = matmul(a, b);
  REQUIRE(c.shape() == Shape{2, 5, 3, 2});
  for (int64_t i = 0; i < 2; ++i) {
    for (int64_t j = 0; j < 5; ++j) {
      const Tensor expected = plain_product(select(select(a, 0, i), 0, 0), select(b, 0, j));
      CHECK(largest_difference(select(select(c, 0, i), 0, j), expected) < 1e-13);
    }
  }
}

TEST_CASE("vectors multiply as rows from the left and columns from the right") {
  const Tensor v = random({4}, 1, Dtype::f64), m = random({4, 3}, 2, Dtype::f64);
  CHECK(matmul(v, v).shape() == Shape{});
  CHECK(matmul(v, v).item() == doctest::Approx(sum(square(v)).item()));
  CHECK(matmul(v, m).shape() == Shape{3});
  CHECK(matmul(transpose(m), v).shape() == Shape{3});
  CHECK(largest_difference(matmul(v, m), matmul(transpose(m), v)) < 1e-14);
}

TEST_CASE("empty products are zeros of the right shape") {
  CHECK(matmul(zeros({0, 3}), zeros({3, 2})).shape() == Shape{0, 2});
  const Tensor none = matmul(ones({2, 0}), ones({0, 3}));
  CHECK(none.shape() == Shape{2, 3});
  CHECK(sum(none).item() == 0);
}

TEST_CASE("linear is x W^T + b over all leading axes") {
  const Tensor x = random({3, 5, 7}, 1, Dtype::f64), w = random({4, 7}, 2, Dtype::f64), b = random({4}, 3, Dtype::f64);
  const Tensor expected = reshape(add(plain_product(reshape(x, {15, 7}), transpose(w)), b), {3, 5, 4});
  CHECK(largest_difference(linear(x, w, b), expected) < 1e-13);
  CHECK(largest_difference(linear(x, w), sub(expected, b)) < 1e-13);
}

TEST_CASE("a long thin product, cut along its depth, is right and accumulates into c") {
  const Tensor a = random({5, 9000}, 1, Dtype::f64), b = random({9000, 6}, 2, Dtype::f64);
  CHECK(largest_difference(matmul(a, b), plain_product(a, b)) < 1e-10);
  Tensor c = ones({5, 6}, Dtype::f64);
  gemm<double>(2, {a.data<double>(), 5, 9000, 9000, 1}, {b.data<double>(), 9000, 6, 6, 1}, 3,
               {c.mutable_data<double>(), 5, 6, 6, 1});
  CHECK(largest_difference(c, add(mul(plain_product(a, b), 2.0), 3.0)) < 1e-10);
  Tensor twin = ones({5, 6}, Dtype::f64);
  reference::gemm<double>(2, {a.data<double>(), 5, 9000, 9000, 1}, {b.data<double>(), 9000, 6, 6, 1}, 3,
                          {twin.mutable_data<double>(), 5, 6, 6, 1});
  CHECK(largest_difference(c, twin) < 1e-10);
}

TEST_CASE("with beta 0 the old content of c is not read, not even a NaN") {
  Tensor c = full({2, 2}, NAN);
  const Tensor a = ones({2, 3});
  gemm<float>(1, {a.data<float>(), 2, 3, 3, 1}, {a.data<float>(), 3, 2, 1, 3}, 0, {c.mutable_data<float>(), 2, 2, 2, 1});
  CHECK(max(abs(sub(c, 3.0))).item() == 0);
}

TEST_CASE("products have the same bits for 1, 2, 3 and 4 threads") {
  const int before = num_threads();
  // 65 x 65 x 64 with b transposed is where multi-threaded BLIS differs; the others reach each way of cutting.
  const Shape shapes[] = {{65, 65, 64}, {197, 64, 197}, {1000, 192, 192}, {64, 64, 5000}, {3, 2048, 300}};
  for (const Shape& s : shapes) {
    const Tensor a = random({s[0], s[2]}, 1, Dtype::f32), b = random({s[1], s[2]}, 2, Dtype::f32);
    set_num_threads(1);
    const Tensor one = matmul(a, transpose(b));
    for (int threads : {2, 3, 4}) {
      set_num_threads(threads);
      CHECK(bit_equal(one, matmul(a, transpose(b))));
    }
  }
  set_num_threads(before);
}

TEST_CASE("shapes that do not fit are named with their numbers") {
  CHECK_THROWS_WITH_AS(matmul(zeros({8, 65, 192}), zeros({128, 192})),
                       doctest::Contains("[matmul] inner dimensions differ: a is [8, 65, 192], b is [128, 192] (192 vs 128)"),
                       Error);
  CHECK_THROWS_WITH_AS(linear(zeros({2, 3}), zeros({4, 5})), doctest::Contains("weight is [4, 5]"), Error);
  CHECK_THROWS_WITH_AS(matmul(zeros({2, 2}), zeros({2, 2}, Dtype::f64)), doctest::Contains("dtypes differ"), Error);
}
