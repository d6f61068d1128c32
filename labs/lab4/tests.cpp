// Lab 4: a tree of parameters, and the layers in plain loops. The loops are called directly, so that each exercise stands
// alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "labs/common/lab.h"
#include "nn/init.h"
#include "nn/module.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/dropout.h"
#include "tensor/reference/gelu.h"
#include "tensor/reference/linear.h"
#include "tensor/reference/loss.h"
#include "tensor/reference/norm.h"
#include "tensor/reference/softmax.h"
#include "tensor/view.h"

using namespace vitrail;
using Values = std::vector<double>;
using Names = std::vector<std::string>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

Tensor vec(const Values& values) { return from_vector(values, Shape{static_cast<int64_t>(values.size())}); }
Tensor counting(const Shape& shape) {
  return reshape(arange(1, static_cast<double>(checked_numel(shape)) + 1, 1, Dtype::f64), shape);
}
double inner(const Tensor& a, const Tensor& b) { return sum(mul(a, b)).item(); }
// "" if there is no difference; else whose it is.
std::string of(const std::string& name, const std::string& difference) {
  return difference.empty() ? "" : name + ": " + difference;
}
// The same numbers in the middle of a memory full of sevens, for probes of answers that read beyond them.
Tensor amid_sevens(const Tensor& x) {
  const Tensor part = slice(full({400}, 7, x.dtype()), 0, 200, 200 + x.numel());
  copy_(part, reshape(x, {x.numel()}));
  return reshape(part, x.shape());
}
// Memory that shows what was not written to.
Tensor fresh(const Shape& shape, Dtype dtype = Dtype::f64) { return full(shape, -77, dtype); }

// d f(x) / dx by central differences, element by element.
Tensor slope_of(const std::function<double(const Tensor&)>& f, const Tensor& x) {
  const double eps = 1e-6;
  Tensor point = clone(x), slope = empty_like(point);
  for (int64_t i = 0; i < point.numel(); ++i) {
    const double before = point.data<double>()[i];
    point.mutable_data<double>()[i] = before + eps;
    const double high = f(point);
    point.mutable_data<double>()[i] = before - eps;
    const double low = f(point);
    point.mutable_data<double>()[i] = before;
    slope.mutable_data<double>()[i] = (high - low) / (2 * eps);
  }
  return slope;
}

}  // namespace

// ---- 4.2 ----

namespace {

Tensor forward_of(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Shape shape = x.shape();
  shape[shape.size() - 1] = weight.size(0);
  const Tensor y = fresh(shape, x.dtype());
  reference::linear(x, weight, bias, y, false);
  return y;
}

Tensor input_gradient(const Tensor& dy, const Tensor& weight) {
  Shape shape = dy.shape();
  shape[shape.size() - 1] = weight.size(1);
  const Tensor dx = fresh(shape);
  reference::linear_backward_input(dy, weight, dx, false);
  return dx;
}

Tensor weight_gradient(const Tensor& dy, const Tensor& x) {
  const Tensor dw = fresh({dy.size(-1), x.size(-1)});
  reference::linear_backward_weight(dy, x, dw, false, false);
  return dw;
}

Tensor bias_gradient(const Tensor& dy) {
  const Tensor db = fresh({dy.size(-1)}, dy.dtype());
  reference::linear_backward_bias(dy, db);
  return db;
}

// y, dx and dw of numbers that bf16 does not hold, each factor rounded or not: 1.001 is 1 in bf16.
std::vector<Tensor> of_thousandths(bool rounded) {
  const Tensor x = full({1, 1}, 1.001), one = ones({1, 1}), y = fresh({1, 1}, Dtype::f32), dx = fresh({1, 1}, Dtype::f32),
               dw = fresh({1, 1}, Dtype::f32);
  reference::linear(x, one, {}, y, rounded);
  reference::linear_backward_input(one, x, dx, rounded);
  reference::linear_backward_weight(one, x, dw, false, rounded);
  return {y, dx, dw};
}

}  // namespace

LAB_PROBE("4.2") { return lab::digits(forward_of(counting({1, 2, 3}), amid_sevens(counting({2, 3})), vec({100, 1000})), 4); }
LAB_PROBE("4.2") {
  std::string text;
  for (const Tensor& x : of_thousandths(true)) text += lab::digits(x, 5);
  return text;
}
LAB_PROBE("4.2") { return lab::digits(bias_gradient(to(reshape(vec({1e8, 1, -1e8}), {3, 1}), Dtype::f32)), 4); }
LAB_PROBE("4.2") {
  return lab::digits(forward_of(reshape(vec({1e8, 1, -1e8}), {1, 3}), amid_sevens(ones({1, 3}, Dtype::f64)), {}), 4);
}
LAB_PROBE("4.2") { return lab::digits(forward_of(counting({2, 2}), mul(counting({2, 2}), 3), {}), 4); }
LAB_PROBE("4.2") { return lab::digits(input_gradient(counting({2, 1, 2}), counting({2, 3})), 4); }
LAB_PROBE("4.2") { return lab::digits(weight_gradient(counting({3, 1, 2}), counting({3, 1, 3})), 4); }
LAB_PROBE("4.2") {
  const Tensor dw = full({2, 3}, 1000, Dtype::f64);
  reference::linear_backward_weight(counting({3, 2}), counting({3, 3}), dw, true, false);
  return lab::digits(dw, 4);
}
LAB_PROBE("4.2") { return lab::digits(bias_gradient(counting({2, 2, 3})), 4); }

TEST_SUITE("4.2") {
  TEST_CASE("one row by hand: x = (1, 2, 3), W has the rows (1, 0, 2) and (0, 1, 0)") {
    const Tensor x = reshape(vec({1, 2, 3}), {1, 3}), w = reshape(vec({1, 0, 2, 0, 1, 0}), {2, 3});
    CHECK(lab::difference(forward_of(x, w, vec({10, 20})), reshape(vec({17, 22}), {1, 2}), 0) == "");
    CHECK(lab::difference(forward_of(x, w, {}), reshape(vec({7, 2}), {1, 2}), 0) == "");
    const Tensor dy = reshape(vec({5, 7}), {1, 2});
    CHECK(lab::difference(input_gradient(dy, w), reshape(vec({5, 7, 10}), {1, 3}), 0) == "");
    CHECK(lab::difference(weight_gradient(dy, x), reshape(vec({5, 10, 15, 7, 14, 21}), {2, 3}), 0) == "");
  }
  TEST_CASE("any number of axes in front, any strides, against a product of matrices") {
    for (const Shape& lead : std::vector<Shape>{{4}, {2, 3}, {2, 1, 3}, {1}}) {
      CAPTURE(lead);
      Shape of_x = lead;
      of_x.push_back(5);
      const Tensor x = lab::random(of_x, 10), w = lab::random({3, 5}, 11), b = lab::random({3}, 12);
      CHECK(lab::difference(forward_of(x, w, b), add(matmul(x, transpose(w)), b), 1e-12) == "");
      CHECK(lab::difference(forward_of(x, w, {}), matmul(x, transpose(w)), 1e-12) == "");
    }
  }
  TEST_CASE("a square weight is not its own transpose") {
    const Tensor x = lab::random({4, 4}, 13), w = lab::random({4, 4}, 14), dy = lab::random({4, 4}, 15);
    CHECK(lab::difference(forward_of(x, w, {}), matmul(x, transpose(w)), 1e-12) == "");
    CHECK(lab::difference(input_gradient(dy, w), matmul(dy, w), 1e-12) == "");
    CHECK(lab::difference(weight_gradient(dy, x), matmul(transpose(dy), x), 1e-12) == "");
  }
  TEST_CASE("<x V^T, dy> = <x, dx> and so on: each gradient is the adjoint of its input's way") {
    const Tensor x = lab::random({2, 3, 5}, 16), w = lab::random({4, 5}, 17), dy = lab::random({2, 3, 4}, 18);
    const Tensor u = lab::random({2, 3, 5}, 19), v = lab::random({4, 5}, 20), c = lab::random({4}, 21);
    CHECK(inner(u, input_gradient(dy, w)) == doctest::Approx(inner(forward_of(u, w, {}), dy)).epsilon(1e-9));
    CHECK(inner(v, weight_gradient(dy, x)) == doctest::Approx(inner(forward_of(x, v, {}), dy)).epsilon(1e-9));
    CHECK(inner(c, bias_gradient(dy)) == doctest::Approx(inner(forward_of(zeros_like(x), w, c), dy)).epsilon(1e-9));
  }
  TEST_CASE("the weight's gradient can be added to what is there") {
    const Tensor x = lab::random({6, 5}, 22), dy = lab::random({6, 4}, 23), before = lab::random({4, 5}, 24),
                 dw = clone(before);
    reference::linear_backward_weight(dy, x, dw, true, false);
    CHECK(lab::difference(dw, add(before, weight_gradient(dy, x)), 1e-12) == "");
  }
  TEST_CASE("in f32 the sums are taken in double") {
    const Tensor x = to(vec({1e8, 1, -1e8}), Dtype::f32), ones_row = ones({1, 3});
    CHECK(forward_of(reshape(x, {1, 3}), ones_row, {}).item() == 1);
    CHECK(bias_gradient(reshape(x, {3, 1})).item() == 1);
  }
  TEST_CASE("where it is asked for, every factor is rounded to bf16 first") {
    const std::vector<Tensor> rounded = of_thousandths(true), as_they_are = of_thousandths(false);
    for (size_t i = 0; i < 3; ++i) {
      const std::string name = i == 0 ? "y" : i == 1 ? "dx" : "dw";
      CHECK(of(name, lab::difference(rounded[i], ones({1, 1}), 0)) == "");
      CHECK(of(name, lab::difference(as_they_are[i], full({1, 1}, 1.001), 1e-6)) == "");
    }
  }
}

#include "labs/lab4/tests_losses.h"
#include "labs/lab4/tests_modules.h"
#include "labs/lab4/tests_norms.h"
