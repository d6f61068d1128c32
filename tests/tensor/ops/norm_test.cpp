// Layer and RMS normalisation against plain loops in double.
#include <doctest/doctest.h>

#include <cmath>

#include "tensor/ops/norm.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::max_difference;
using testing::random_tensor;

struct Plain {
  std::vector<double> y, dx, dw, db;
};

// The definition of layer_norm (centred) and rms_norm (not), forward and backward, on rows of width n.
Plain plain_norm(const std::vector<double>& x, const std::vector<double>& w, const std::vector<double>& b,
                 const std::vector<double>& dy, bool centred, double eps) {
  const size_t n = w.size();
  Plain p{std::vector<double>(x.size()), std::vector<double>(x.size()), std::vector<double>(n), std::vector<double>(n)};
  for (size_t r = 0; r < x.size(); r += n) {
    double mean = 0, square = 0, mean_g = 0, mean_gh = 0;
    for (size_t i = 0; i < n; ++i) mean += centred ? x[r + i] / n : 0;
    for (size_t i = 0; i < n; ++i) square += (x[r + i] - mean) * (x[r + i] - mean) / n;
    const double s = 1 / std::sqrt(square + eps);
    for (size_t i = 0; i < n; ++i) {
      const double h = (x[r + i] - mean) * s;
      p.y[r + i] = h * w[i] + b[i];
      p.dw[i] += dy[r + i] * h;
      p.db[i] += dy[r + i];
      mean_g += centred ? dy[r + i] * w[i] / n : 0;
      mean_gh += dy[r + i] * w[i] * h / n;
    }
    for (size_t i = 0; i < n; ++i) p.dx[r + i] = s * (dy[r + i] * w[i] - mean_g - (x[r + i] - mean) * s * mean_gh);
  }
  return p;
}

void check_layer_norm(const Shape& shape, Dtype dtype, double tolerance) {
  const Tensor x = random_tensor(shape, dtype, 1), dy = random_tensor(shape, dtype, 2);
  const Tensor w = random_tensor({shape.back()}, dtype, 3), b = random_tensor({shape.back()}, dtype, 4);
  const auto f = layer_norm_forward(x, w, b, 1e-5);
  const auto d = layer_norm_backward(dy, x, w, f.mean, f.rstd);
  const auto p =
      plain_norm(to_vector<double>(x), to_vector<double>(w), to_vector<double>(b), to_vector<double>(dy), true, 1e-5);
  const double rows = std::sqrt(static_cast<double>(x.numel() / shape.back()));
  CAPTURE(to_string(shape));
  CHECK(max_difference(f.output, p.y) < tolerance);
  CHECK(max_difference(d.dx, p.dx) < tolerance * 10);
  CHECK(max_difference(d.dweight, p.dw) < tolerance * rows);
  CHECK(max_difference(d.dbias, p.db) < tolerance * rows);
}

Tensor layer_norm(const Tensor& x, double eps = 1e-6) { return layer_norm_forward(x, {}, {}, eps).output; }

}  // namespace

TEST_CASE("layer_norm equals the plain loops in value and gradient") {
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 65, 48}, Shape{501, 33}, Shape{3, 2, 700}, Shape{4, 2}}) {
    check_layer_norm(shape, Dtype::f64, 1e-12);
    check_layer_norm(shape, Dtype::f32, 5e-6);
  }
}

TEST_CASE("layer_norm keeps five digits at mean 10,000 and deviation 1, forward and backward") {
  const int64_t n = 768;
  const Tensor x = to(rand_normal({4, n}, 1e4, 1, Rng(5), Dtype::f64), Dtype::f32), dy = random_tensor({4, n}, Dtype::f32, 6);
  const Tensor w = ones({n}), b = zeros({n});
  const std::vector<double> one(n, 1.0), zero(n, 0.0);
  const auto p = plain_norm(to_vector<double>(x), one, zero, to_vector<double>(dy), true, 1e-6);
  const auto f = layer_norm_forward(x, w, b, 1e-6);
  const auto d = layer_norm_backward(dy, x, w, f.mean, f.rstd);
  CHECK(max_difference(f.output, p.y) <= 1e-5);
  CHECK(max_difference(d.dx, p.dx) <= 1e-5);
  CHECK(max_difference(d.dweight, p.dw) <= 1e-5);
}

TEST_CASE("layer_norm of 40000 .. 40003 is not NaN but the textbook values") {
  const Tensor y = layer_norm(from_vector(std::vector<float>{40000, 40001, 40002, 40003}, {4}), 1e-5);
  CHECK(max_difference(y, {-1.34164, -0.44721, 0.44721, 1.34164}) <= 1e-5);
}

TEST_CASE("layer_norm of values around 1e30 is finite and has unit variance") {
  Tensor x = random_tensor({3, 64}, Dtype::f32, 7);
  const Tensor small = layer_norm(x, 0);
  mul_(x, 1e30);
  CHECK(max_difference(layer_norm(x), to_vector<double>(small)) < 1e-5);
}

TEST_CASE("layer_norm of a constant row gives the bias to the bit, with eps = 0 too") {
  const Tensor w = random_tensor({50}, Dtype::f64, 8), b = random_tensor({50}, Dtype::f64, 9);
  for (const double eps : {1e-6, 0.0}) {
    CHECK(bit_equal(layer_norm_forward(full({50}, 0.1, Dtype::f64), w, b, eps).output, b));
    CHECK(bit_equal(layer_norm_forward(full({50}, 1e10, Dtype::f32), to(w, Dtype::f32), to(b, Dtype::f32), eps).output,
                    to(b, Dtype::f32)));
  }
}

TEST_CASE("layer_norm lets a NaN spoil its own row and no other") {
  Tensor x = random_tensor({2, 8}, Dtype::f32, 10);
  x.mutable_data<float>()[3] = std::nanf("");
  const Tensor y = layer_norm(x);
  CHECK(std::isnan(y.at({0, 0})));
  CHECK(std::isfinite(y.at({1, 0})));
}

TEST_CASE("layer_norm takes transposed input, no rows, and no columns") {
  const Tensor x = random_tensor({6, 5}, Dtype::f32, 11), w = random_tensor({6}, Dtype::f32, 12);
  const Tensor xt = transpose(x), dy = random_tensor({6, 5}, Dtype::f32, 13);
  const auto f = layer_norm_forward(xt, w, w, 1e-6);
  CHECK(bit_equal(f.output, layer_norm_forward(contiguous(xt), w, w, 1e-6).output));
  const auto d = layer_norm_backward(transpose(dy), xt, w, f.mean, f.rstd);
  CHECK(bit_equal(d.dx, layer_norm_backward(contiguous(transpose(dy)), contiguous(xt), w, f.mean, f.rstd).dx));
  const auto none = layer_norm_forward(zeros({0, 6}), w, w, 1e-6);
  CHECK(none.output.shape() == Shape{0, 6});
  CHECK(max_difference(layer_norm_backward(zeros({0, 6}), zeros({0, 6}), w, none.mean, none.rstd).dbias,
                       std::vector<double>(6, 0.0)) == 0);
  const auto narrow = layer_norm_forward(zeros({3, 0}), zeros({0}), zeros({0}), 1e-6);
  CHECK(layer_norm_backward(zeros({3, 0}), zeros({3, 0}), zeros({0}), narrow.mean, narrow.rstd).dweight.shape() == Shape{0});
}

TEST_CASE("layer_norm has the same bits for 1, 2 and 4 threads") {
  const Tensor x = random_tensor({1003, 96}, Dtype::f32, 14), dy = random_tensor({1003, 96}, Dtype::f32, 15);
  const Tensor w = random_tensor({96}, Dtype::f32, 16);
  testing::check_same_bits_for_any_threads([&] {
    const auto f = layer_norm_forward(x, w, w, 1e-6);
    const auto d = layer_norm_backward(dy, x, w, f.mean, f.rstd);
    return std::vector<Tensor>{f.output, f.mean, f.rstd, d.dx, d.dweight, d.dbias};
  });
}

TEST_CASE("layer_norm names the shapes that do not fit") {
  const Tensor x = zeros({2, 3});
  CHECK_THROWS_WITH_AS(layer_norm_forward(x, ones({4}), {}, 1e-6), doctest::Contains("x is [2, 3], weight is [4]"), Error);
  CHECK_THROWS_WITH_AS(layer_norm_forward(x, ones({3}, Dtype::f64), {}, 1e-6), doctest::Contains("weight is f64"), Error);
  CHECK_THROWS_WITH_AS(layer_norm_forward(x, {}, ones({3}), 1e-6), doctest::Contains("a bias needs a weight"), Error);
  CHECK_THROWS_WITH_AS(layer_norm_forward(x, {}, {}, -1), doctest::Contains("eps is -1"), Error);
  CHECK_THROWS_WITH_AS(layer_norm_forward(scalar(1), {}, {}, 0), doctest::Contains("at least one axis"), Error);
  CHECK_THROWS_WITH_AS(layer_norm_forward(zeros({3}, Dtype::i64), {}, {}, 0), doctest::Contains("needs a float tensor"), Error);
  const auto f = layer_norm_forward(x, {}, {}, 1e-6);
  CHECK_THROWS_WITH_AS(layer_norm_backward(zeros({3, 2}), x, {}, f.mean, f.rstd), doctest::Contains("dy is [3, 2]"), Error);
  CHECK_THROWS_WITH_AS(layer_norm_backward(x, x, {}, zeros({2}), f.rstd), doctest::Contains("mean is f32 [2]"), Error);
}

}  // namespace vitrail
