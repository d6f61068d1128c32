// RMS, batch and group normalisation against what defines them: plain loops, and layer normalisation of rearranged input.
#include "tensor/ops/norm.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::dot;
using testing::max_difference;
using testing::random_tensor;

// d/dt of loss(x + t direction) at t = 0, by central differences.
template <class Fn>
double slope(const Tensor& x, const Tensor& direction, Fn&& loss) {
  const double step = 1e-5;
  Tensor up = clone(x), down = clone(x);
  add_(up, direction, step);
  add_(down, direction, -step);
  return (loss(up) - loss(down)) / (2 * step);
}

// Checks dx, dweight and dbias of any normalisation y = fn(x, weight, bias) along random directions.
template <class Fn>
void check_gradients(const Tensor& x, const Tensor& w, const Tensor& b, const Tensor& dy, const NormGradients& d, Fn&& fn) {
  const Tensor vx = random_tensor(x.shape(), Dtype::f64, 91), vw = random_tensor(w.shape(), Dtype::f64, 92);
  CHECK(dot(d.dx, vx) == doctest::Approx(slope(x, vx, [&](const Tensor& t) { return dot(fn(t, w, b), dy); })).epsilon(1e-7));
  CHECK(dot(d.dweight, vw) ==
        doctest::Approx(slope(w, vw, [&](const Tensor& t) { return dot(fn(x, t, b), dy); })).epsilon(1e-7));
  CHECK(dot(d.dbias, vw) == doctest::Approx(slope(b, vw, [&](const Tensor& t) { return dot(fn(x, w, t), dy); })).epsilon(1e-7));
}

struct Inputs {
  Tensor x, w, b, dy;
};
Inputs random_inputs(const Shape& shape, int64_t width, Dtype dtype = Dtype::f64) {
  return {random_tensor(shape, dtype, 1), random_tensor({width}, dtype, 2), random_tensor({width}, dtype, 3),
          random_tensor(shape, dtype, 4)};
}

Tensor channels_first_to_rows(const Tensor& x) {  // [B, C, S] -> [C, B S]
  return reshape(transpose(x, 0, 1), {x.size(1), x.size(0) * x.size(2)});
}

}  // namespace

TEST_CASE("rms_norm divides by the root of the mean square, and its gradient is the slope") {
  const auto [x, w, b, dy] = random_inputs({5, 37}, 37);
  const auto xs = to_vector<double>(x), ws = to_vector<double>(w);
  std::vector<double> expected(xs.size());
  for (size_t r = 0; r < xs.size(); r += 37) {
    double square = 0;
    for (size_t i = 0; i < 37; ++i) square += xs[r + i] * xs[r + i] / 37;
    for (size_t i = 0; i < 37; ++i) expected[r + i] = xs[r + i] / std::sqrt(square + 1e-3) * ws[i];
  }
  const auto f = rms_norm_forward(x, w, 1e-3);
  CHECK(max_difference(f.output, expected) < 1e-13);
  CHECK(max_difference(rms_norm_forward(to(x, Dtype::f32), to(w, Dtype::f32), 1e-3).output, expected) < 2e-6);
  auto d = rms_norm_backward(dy, x, w, f.rrms);
  const auto fn = [](const Tensor& t, const Tensor& weight, const Tensor& bias) {
    Tensor y = rms_norm_forward(t, weight, 1e-3).output;  // with the bias that its dbias would belong to
    add_(y, bias);
    return y;
  };
  check_gradients(x, w, b, dy, d, fn);
}

TEST_CASE("batch_norm is layer_norm of each channel's elements, and its gradient is the slope") {
  const auto [x, w, b, dy] = random_inputs({4, 3, 10}, 3);
  const auto f = batch_norm_forward(x, w, b, 1e-4);
  const auto rows = layer_norm_forward(channels_first_to_rows(x), {}, {}, 1e-4);
  Tensor expected = clone(transpose(reshape(rows.output, {3, 4, 10}), 0, 1));
  for (int64_t c = 0; c < 3; ++c) {
    Tensor channel = select(expected, 1, c);
    mul_(channel, w.at({c}));
    add_(channel, full({1}, b.at({c}), Dtype::f64));
  }
  CHECK(max_difference(f.output, to_vector<double>(expected)) < 1e-13);
  CHECK(max_difference(f.mean, to_vector<double>(rows.mean)) < 1e-14);
  const auto fn = [](const Tensor& t, const Tensor& weight, const Tensor& bias) {
    return batch_norm_forward(t, weight, bias, 1e-4).output;
  };
  check_gradients(x, w, b, dy, batch_norm_backward(dy, x, w, f.mean, f.var, 1e-4), fn);
}

TEST_CASE("batch_norm refuses one value a channel and says what to do, whatever the rank") {
  for (const Shape& shape : {Shape{1, 3}, Shape{1, 3, 1}, Shape{1, 3, 1, 1}}) {
    CHECK_THROWS_WITH_AS(batch_norm_forward(zeros(shape), {}, {}, 1e-5),
                         doctest::Contains("training needs more than one value a channel"), Error);
  }
  CHECK_THROWS_WITH_AS(batch_norm_forward(zeros({1, 3, 1, 1}), {}, {}, 1e-5), doctest::Contains("x is [1, 3, 1, 1]"), Error);
  CHECK_NOTHROW(batch_norm_forward(zeros({1, 3, 2, 1}), {}, {}, 1e-5));
}

TEST_CASE("batch_norm of no images, of images of no size and of no channels is defined") {
  for (const Shape& shape : {Shape{0, 2, 3, 3}, Shape{4, 2, 0, 3}, Shape{4, 0, 3, 3}, Shape{1, 0, 1, 1}, Shape{0, 0}}) {
    const Tensor x = zeros(shape), w = ones({shape[1]});
    const auto f = batch_norm_forward(x, w, w, 1e-5);
    CHECK(f.output.shape() == shape);
    CHECK(max_difference(f.mean, std::vector<double>(static_cast<size_t>(shape[1]), 0)) == 0);
    const NormGradients d = batch_norm_backward(x, x, w, f.mean, f.var, 1e-5);
    CHECK(d.dx.shape() == shape);
    CHECK(max_difference(d.dweight, std::vector<double>(static_cast<size_t>(shape[1]), 0)) == 0);
    CHECK(max_difference(d.dbias, std::vector<double>(static_cast<size_t>(shape[1]), 0)) == 0);
  }
}

TEST_CASE("group_norm is layer_norm of each group's elements, and its gradient is the slope") {
  const auto [x, w, b, dy] = random_inputs({3, 6, 2, 5}, 6);
  const auto f = group_norm_forward(x, 2, ones({6}, Dtype::f64), zeros({6}, Dtype::f64), 1e-4);
  const auto rows = layer_norm_forward(reshape(x, {6, 30}), {}, {}, 1e-4);
  CHECK(max_difference(f.output, to_vector<double>(rows.output)) < 1e-13);
  const auto fn = [](const Tensor& t, const Tensor& weight, const Tensor& bias) {
    return group_norm_forward(t, 2, weight, bias, 1e-4).output;
  };
  check_gradients(x, w, b, dy, group_norm_backward(dy, x, 2, w, f.mean, f.rstd), fn);
}

TEST_CASE("normalisation keeps five digits at mean 10,000 and gives the bias for constant input") {
  const Tensor noise = random_tensor({8, 4, 100}, Dtype::f64, 7);
  Tensor shifted = full({8, 4, 100}, 1e4, Dtype::f64);
  add_(shifted, noise);
  const Tensor x = to(shifted, Dtype::f32), exact = to(x, Dtype::f64), w = ones({4}), b = full({4}, 0.3);
  const Tensor w64 = ones({4}, Dtype::f64), b64 = to(b, Dtype::f64);
  const auto expected = to_vector<double>(batch_norm_forward(exact, w64, b64, 1e-5).output);
  CHECK(max_difference(batch_norm_forward(x, w, b, 1e-5).output, expected) < 1e-5);
  const auto grouped = to_vector<double>(group_norm_forward(exact, 2, w64, b64, 1e-5).output);
  CHECK(max_difference(group_norm_forward(x, 2, w, b, 1e-5).output, grouped) < 1e-5);
  const Tensor constant = full({2, 4, 9}, 0.1), bias = expand(unsqueeze(b, 1), {2, 4, 9});
  CHECK(bit_equal(batch_norm_forward(constant, w, b, 0).output, contiguous(bias)));
  CHECK(bit_equal(group_norm_forward(constant, 2, w, b, 0).output, contiguous(bias)));
}

TEST_CASE("normalisation of nothing is nothing") {
  const Tensor x = zeros({0, 4, 3}), w = ones({4});
  const auto batch = batch_norm_forward(x, w, w, 1e-5);
  CHECK(max_difference(batch_norm_backward(x, x, w, batch.mean, batch.var, 1e-5).dweight, {0, 0, 0, 0}) == 0);
  const auto group = group_norm_forward(x, 2, w, w, 1e-5);
  CHECK(max_difference(group_norm_backward(x, x, 2, w, group.mean, group.rstd).dbias, {0, 0, 0, 0}) == 0);
  const auto rms = rms_norm_forward(zeros({0, 4}), w, 1e-5);
  CHECK(max_difference(rms_norm_backward(zeros({0, 4}), zeros({0, 4}), w, rms.rrms).dweight, {0, 0, 0, 0}) == 0);
}

TEST_CASE("rms, batch and group normalisation have the same bits for 1, 2 and 4 threads") {
  const auto [x, w, b, dy] = random_inputs({33, 24, 47}, 24, Dtype::f32);
  const auto rows = random_inputs({900, 60}, 60, Dtype::f32);
  testing::check_same_bits_for_any_threads([&, &xs = x, &ws = w, &bs = b, &gs = dy] {
    const auto batch = batch_norm_forward(xs, ws, bs, 1e-5);
    const auto group = group_norm_forward(xs, 4, ws, bs, 1e-5);
    const auto rms = rms_norm_forward(rows.x, rows.w, 1e-5);
    const auto db = batch_norm_backward(gs, xs, ws, batch.mean, batch.var, 1e-5);
    const auto dg = group_norm_backward(gs, xs, 4, ws, group.mean, group.rstd);
    const auto dr = rms_norm_backward(rows.dy, rows.x, rows.w, rms.rrms);
    return std::vector<Tensor>{batch.output, group.output, rms.output, db.dx, db.dweight, db.dbias,
                               dg.dx,        dg.dweight,   dg.dbias,   dr.dx, dr.dweight};
  });
}

TEST_CASE("channel normalisation names what does not fit") {
  const Tensor x = zeros({2, 6, 3}), w = ones({6});
  CHECK_THROWS_WITH_AS(group_norm_forward(x, 4, w, w, 1e-5), doctest::Contains("(C = 6), groups is 4"), Error);
  CHECK_THROWS_WITH_AS(group_norm_forward(x, 0, w, w, 1e-5), doctest::Contains("groups is 0"), Error);
  CHECK_THROWS_WITH_AS(batch_norm_forward(x, ones({3}), {}, 1e-5), doctest::Contains("weight must be [6]"), Error);
  CHECK_THROWS_WITH_AS(batch_norm_forward(zeros({6}), {}, {}, 1e-5), doctest::Contains("needs [B, C, ...]: x is [6]"), Error);
  CHECK_THROWS_WITH_AS(rms_norm_forward(x, w, 1e-5), doctest::Contains("weight must be [3]"), Error);
}

}  // namespace vitrail
