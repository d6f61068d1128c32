// Mistakes in calling the graph's interface: each is an Error that says what to do, and none a crash. And what a first program
// needs: printing, one axis, tensor ops beside the differentiable ones.
#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"

using namespace vitrail;

namespace {

Variable leaf(const std::vector<double>& values) {
  return Variable(from_vector(values, Shape{static_cast<int64_t>(values.size())}), true);
}

std::string printed(const Variable& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}

}  // namespace

TEST_CASE("the gradient of an op's result is refused, with the way to get it") {
  const Variable y = exp(leaf({1, 2}));
  CHECK_THROWS_WITH_AS(y.grad(), doctest::Contains("only a leaf keeps its gradient: this is the result of exp"), Error);
  CHECK_THROWS_WITH_AS(y.grad(), doctest::Contains("Hint: make a leaf of its value"), Error);
  const Variable h(y.value(), true);
  sum(square(h)).backward();
  CHECK(h.grad().defined());
}

TEST_CASE("a backward function that is empty is refused where it is recorded") {
  const Variable x = leaf({1});
  CHECK_THROWS_WITH_AS(record("mine", x.value(), {x}, nullptr), doctest::Contains("[mine] the backward function is empty"), Error);
  CHECK_THROWS_WITH_AS(record("mine", x.value(), std::vector<Variable>{x}, BackwardFn()), doctest::Contains("is empty"), Error);
}

TEST_CASE("a gradient of an input that is not there is refused") {
  const Variable x = leaf({1});
  const auto through = [&](BackwardFn backward) { record("mine", clone(x.value()), {x}, std::move(backward)).backward(); };
  CHECK_THROWS_WITH_AS(through([](const Tensor& dy, Grads& d) { d[7] = dy; }),
                       doctest::Contains("[mine] the backward function uses d[7], but the op has 1 inputs"), Error);
  CHECK_THROWS_WITH_AS(through([](const Tensor& dy, Grads& d) { d[-1] = dy; }), doctest::Contains("d[-1]"), Error);
  CHECK_THROWS_WITH_AS(through([](const Tensor&, Grads& d) { static_cast<void>(d.needs(1)); }), doctest::Contains("d[1]"), Error);
  CHECK_THROWS_WITH_AS(through([](const Tensor&, Grads& d) { static_cast<void>(d.leaf_grad(1)); }), doctest::Contains("d[1]"),
                       Error);
}

TEST_CASE("a gradient of another dtype than its value is refused, from an op and from a caller") {
  Variable x(ones({2}), true);
  const Variable y = record("mine", clone(x.value()), {x}, [](const Tensor& dy, Grads& d) { d[0] = to(dy, Dtype::f64); });
  CHECK_THROWS_WITH_AS(y.backward(ones({2})), doctest::Contains("gradient is f64, input is f32"), Error);
  CHECK_THROWS_WITH_AS(x.set_grad(ones({2}, Dtype::f64)), doctest::Contains("gradient is f64, value is f32"), Error);
  x.set_grad(ones({2}));
}

TEST_CASE("checkpoints nested without end are refused before the stack is full") {
  std::function<Variable(const Variable&, int)> nested = [&](const Variable& h, int levels) -> Variable {
    if (levels == 0) return exp(h);
    return checkpoint([&, levels](const Variable& inner) { return nested(inner, levels - 1); }, h);
  };
  CHECK_THROWS_WITH_AS(nested(leaf({1}), 200000), doctest::Contains("[checkpoint] checkpoints are nested more than 64 deep"),
                       Error);
  const Variable x = leaf({1});
  nested(x, 3).backward();  // the counter is back at its start
  CHECK(x.grad().item() == doctest::Approx(std::exp(1.0)));
  CHECK_THROWS_WITH_AS(checkpoint(nullptr, x), doctest::Contains("the function is empty"), Error);
}

TEST_CASE("a variable prints its value and where its gradient goes") {
  const Variable x(from_vector(std::vector<float>{1, 2}, {2}), true);
  CHECK(printed(x) == "Variable([1.0000, 2.0000], shape=[2], dtype=f32, requires_grad)");
  CHECK(printed(neg(x)) == "Variable([-1.0000, -2.0000], shape=[2], dtype=f32, op=neg)");
  CHECK(printed(x.detach()) == "Variable([1.0000, 2.0000], shape=[2], dtype=f32)");
  CHECK(printed({}) == "Variable(undefined)");
}

TEST_CASE("autograd/ops.h alone: a tensor op on a tensor gives a tensor, and one axis is written as a number") {
  const Tensor x = ones({2, 3});
  const Tensor p = softmax(x);
  CHECK(p.at({0, 0}) == doctest::Approx(1.0 / 3));
  CHECK(sum(x, 0).shape() == Shape{3});
  CHECK(sum(Variable(x), -1).shape() == Shape{2});
  CHECK(mean(Variable(x), {0, 1}).dim() == 0);
  CHECK(max(Variable(x), 1, true).shape() == Shape{2, 1});
  CHECK_THROWS_WITH_AS(sum(x, int64_t{1} << 32), doctest::Contains("[sum]"), Error);
}

TEST_CASE("two backward passes over a reduction of nothing add up") {
  const Variable x(zeros({0, 3}), true);
  for (int pass = 0; pass < 2; ++pass) {
    mean(x).backward();
    sum(x, 0).backward(ones({3}));
    broadcast_to(x, {0, 3}).backward(ones({0, 3}));
  }
  CHECK(x.grad().shape() == Shape{0, 3});
  Tensor nothing = expand(zeros({1, 3}), {0, 3});
  add_(nothing, zeros({0, 3}));
  fill_(nothing, 1);
}

TEST_CASE("batch norm in training refuses one value a channel, and learns nothing from none") {
  const Tensor mean = full({3}, 0.5), var = full({3}, 2);
  const auto train = [&](const Shape& shape) { return batch_norm(Variable(zeros(shape), true), {}, {}, mean, var, true); };
  CHECK_THROWS_WITH_AS(train({1, 3}), doctest::Contains("[batch_norm] training needs more than one value a channel"), Error);
  CHECK_THROWS_WITH_AS(train({1, 3, 1, 1}), doctest::Contains("x is [1, 3, 1, 1]"), Error);
  train({0, 3, 4, 4}).backward(zeros({0, 3, 4, 4}));
  CHECK(bit_equal(mean, full({3}, 0.5)));
  CHECK(bit_equal(var, full({3}, 2)));
  train({1, 3, 1, 2});
  CHECK(mean.at({0}) == doctest::Approx(0.45));
}
