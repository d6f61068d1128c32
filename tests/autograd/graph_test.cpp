// The graph and the engine: how gradients meet, what is kept, what is refused.
#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include "autograd/graph_picture.h"
#include "autograd/ops.h"
#include "tensor/ops.h"

using namespace vitrail;
using Values = std::vector<double>;

namespace {

Variable leaf(const Values& values) { return Variable(from_vector(values, Shape{static_cast<int64_t>(values.size())}), true); }

Values grad_of(const Variable& x) { return to_vector<double>(x.grad()); }

}  // namespace

// ---- how gradients meet ----

TEST_CASE("(a + b) + a gives a two and b one") {
  const Variable a = leaf({1, 2}), b = leaf({3, 4});
  sum((a + b) + a).backward();
  CHECK(grad_of(a) == Values{2, 2});
  CHECK(grad_of(b) == Values{1, 1});
}

TEST_CASE("a + (a + b) gives the same in the other order") {
  const Variable a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor dy = from_vector(Values{5, 7}, {2});
  (a + (a + b)).backward(dy);
  CHECK(grad_of(a) == Values{10, 14});
  CHECK(grad_of(b) == Values{5, 7});
  CHECK(to_vector<double>(dy) == Values{5, 7});
}

TEST_CASE("a * a + a has the gradient 2 a + 1") {
  const Variable a = leaf({3, -1});
  sum(a * a + a).backward();
  CHECK(grad_of(a) == Values{7, -1});
}

TEST_CASE("x / (x + y) gives both operands the gradient of the quotient rule") {
  const Variable x = leaf({3}), y = leaf({1});
  (x / (x + y)).backward();
  CHECK(x.grad().item() == doctest::Approx(1.0 / 16));
  CHECK(y.grad().item() == doctest::Approx(-3.0 / 16));
}

TEST_CASE("both arms of a diamond below an inner node arrive before it runs") {
  const Variable x = leaf({2});
  const Variable h = square(x);      // 4, h' = 4
  (h * 3.0 + square(h)).backward();  // (3 + 2 h) h' = 44
  CHECK(grad_of(x) == Values{44});
}

TEST_CASE("sixty diamonds on top of each other are walked once, not 2^60 times") {
  const Variable x = leaf({1});
  Variable y = x;
  for (int i = 0; i < 60; ++i) y = y + y;
  y.backward();
  CHECK(x.grad().item() == std::ldexp(1.0, 60));
}

TEST_CASE("the same variable as both operands gets both gradients") {
  const Variable x = leaf({2, 5});
  sum(mul(x, x)).backward();
  CHECK(grad_of(x) == Values{4, 10});
  x.meta()->grad = {};
  sum(concat({x, x, x}, 0)).backward();
  CHECK(grad_of(x) == Values{3, 3});
}

TEST_CASE("a broadcast operand gets the sum over its copies") {
  const Variable row = leaf({1, 2});
  (row * Variable(ones({3, 2}, Dtype::f64))).backward(ones({3, 2}, Dtype::f64));
  CHECK(row.grad().shape() == Shape{2});
  CHECK(grad_of(row) == Values{3, 3});
}

TEST_CASE("an input that the result does not depend on gets no gradient") {
  const Variable used = leaf({1}), unused = leaf({1});
  const Variable side = exp(unused);
  sum(used * 2.0).backward();
  CHECK(grad_of(used) == Values{2});
  CHECK_FALSE(unused.grad().defined());
  CHECK(side.requires_grad());
}

TEST_CASE("a leaf that is its own result gets dy, in memory of its own") {
  const Variable x = leaf({1, 2});
  Tensor dy = from_vector(Values{3, 4}, {2});
  x.backward(dy);
  fill_(dy, 0);
  CHECK(grad_of(x) == Values{3, 4});
}

TEST_CASE("the gradient of a sum can be written to, although it was handed out as a view") {
  const Variable x = leaf({1, 2, 3});
  sum(x).backward();
  Tensor grad = x.grad();
  mul_(grad, 2);
  CHECK(grad_of(x) == Values{2, 2, 2});
}

// ---- several passes ----

TEST_CASE("two batches add up in the gradient of a leaf") {
  const Variable w = leaf({1, 1});
  sum(w * Variable(from_vector(Values{1, 2}, {2}))).backward();
  sum(w * Variable(from_vector(Values{10, 20}, {2}))).backward();
  CHECK(grad_of(w) == Values{11, 22});
}

TEST_CASE("two backward passes with retain_graph give exactly twice the gradient") {
  const Variable x = leaf({0.3, -1.7, 2.9});
  const Variable h = exp(x);
  const Variable loss = sum(tanh(h * h) / (h + 1.0));
  loss.backward({}, true);
  const Tensor once = clone(x.grad());
  loss.backward({}, true);
  CHECK(bit_equal(x.grad(), once * 2));
}

TEST_CASE("a second backward without retain_graph throws and says how to keep the graph") {
  const Variable x = leaf({1});
  const Variable y = exp(x);
  y.backward();
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("[exp] backward a second time"), Error);
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("retain_graph"), Error);
}

TEST_CASE("backward of several elements needs a dy of their shape") {
  const Variable y = exp(leaf({1, 2}));
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("must have one element: shape is [2]"), Error);
  CHECK_THROWS_WITH_AS(y.backward(ones({3}, Dtype::f64)), doctest::Contains("dy is [3]"), Error);
  CHECK_THROWS_WITH_AS(y.backward(ones({2}, Dtype::f32)), doctest::Contains("f32"), Error);
}

// ---- what is kept ----

TEST_CASE("a saved tensor that was changed in place is refused, naming the op") {
  const Variable x = leaf({1, 2});
  const Variable y = sum(sin(x));
  fill_(x.value(), 3);
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("[sin] a tensor that this op saved"), Error);
}

TEST_CASE("a change through a view is seen as well") {
  const Variable x = leaf({1, 2});
  const Variable y = sum(square(x));
  fill_(slice(x.value(), 0, 1, 2), 3);
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("[square]"), Error);
}

TEST_CASE("a factor is kept only if the other one wants a gradient") {
  const Variable x = leaf({1, 2});
  const Variable y = sum(mul(x, Variable(from_vector(Values{3, 4}, {2}))));
  fill_(x.value(), 9);  // nobody needs it any more
  y.backward();
  CHECK(grad_of(x) == Values{3, 4});
}

TEST_CASE("backward frees what the ops saved, and dropping the result frees the rest") {
  const Variable x(ones({1000}), true);
  const int64_t before = memory_stats().live_bytes;
  {
    const Variable y = sum(exp(exp(x)));
    CHECK(memory_stats().live_bytes >= before + 8000);
    y.backward();
    CHECK(memory_stats().live_bytes < before + 4000 + 1000);  // the gradient of x, and y
  }
  x.meta()->grad = {};
  CHECK(memory_stats().live_bytes == before);
}

TEST_CASE("a graph that was never run backward is freed too") {
  const int64_t before = memory_stats().live_bytes;
  {
    const Variable x(ones({1000}), true);
    const Variable y = sum(exp(x) * x);
  }
  CHECK(memory_stats().live_bytes == before);
}

TEST_CASE("a chain of a million ops runs forward, backward, and is destroyed without recursion") {
  for (const bool run : {true, false}) {
    const Variable x = leaf({1});
    Variable y = x;
    for (int i = 0; i < 1000000; ++i) y = neg(y);
    if (!run) continue;
    y.backward();
    CHECK(grad_of(x) == Values{1});
  }
}

// ---- modes ----

TEST_CASE("nothing is recorded under a NoGradGuard") {
  const Variable x = leaf({1});
  {
    const NoGradGuard no_grad;
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE(exp(x).requires_grad());
    CHECK(exp(x).is_leaf());
    {
      const EnableGradGuard enable_grad;
      CHECK(exp(x).requires_grad());
    }
    CHECK_FALSE(exp(x).requires_grad());
  }
  CHECK(exp(x).requires_grad());
  CHECK_THROWS_WITH_AS(Variable(ones({})).backward(), doctest::Contains("no input of this variable requires a gradient"),
                       Error);
}

TEST_CASE("detach cuts the graph and shares the memory") {
  const Variable x = leaf({2});
  const Variable h = square(x), cut = h.detach();
  CHECK(cut.value().storage() == h.value().storage());
  CHECK_FALSE(cut.requires_grad());
  (h * cut).backward();
  CHECK(grad_of(x) == Values{16});  // cut counts as the number 4
}

TEST_CASE("ops on constants record nothing") {
  const Variable c(ones({2}));
  CHECK_FALSE((exp(c) + c).requires_grad());
  CHECK((exp(c) + c).is_leaf());
}

// ---- what is refused ----

TEST_CASE("integers cannot require a gradient") {
  CHECK_THROWS_WITH_AS(Variable(zeros({2}, Dtype::i64), true), doctest::Contains("dtype is i64"), Error);
  Variable x(zeros({2}, Dtype::u8));
  CHECK_THROWS_WITH_AS(x.set_requires_grad(true), doctest::Contains("dtype is u8"), Error);
  CHECK_THROWS_WITH_AS(to(leaf({1}), Dtype::i64), doctest::Contains("[to] converts between f32 and f64 only"), Error);
}

TEST_CASE("a backward rule that gives the wrong shape is named, with both shapes") {
  const Variable x = leaf({1, 2});
  const Variable y = record("crooked", x.value(), {x}, [](const Tensor& dy, Grads& d) { d[0] = reshape(dy, {2, 1}); });
  CHECK_THROWS_WITH_AS(y.backward(ones({2}, Dtype::f64)),
                       doctest::Contains("[crooked] backward gave input 0 a gradient of another shape: gradient is [2, 1], "
                                         "input is [2]"),
                       Error);
}

TEST_CASE("shapes that do not broadcast are named by the op that was called") {
  CHECK_THROWS_WITH_AS(mul(leaf({1, 2}), leaf({1, 2, 3})), doctest::Contains("[mul]"), Error);
}

TEST_CASE("only a leaf can be changed or asked to require a gradient") {
  Variable y = exp(leaf({1}));
  CHECK_THROWS_WITH_AS(y.set_value(ones({1})), doctest::Contains("the result of exp"), Error);
  CHECK_THROWS_WITH_AS(y.set_requires_grad(false), doctest::Contains("detach()"), Error);
}

TEST_CASE("anomaly mode names the op that made the first value or gradient that is no number") {
  const AnomalyGuard anomaly;
  const Variable x = leaf({4, -1, 0});
  CHECK_THROWS_WITH_AS(exp(log(x)), doctest::Contains("[log] the first value that is no finite number: element 1"), Error);
  const Variable y = sum(sqrt(abs(x)));
  CHECK_THROWS_WITH_AS(y.backward(), doctest::Contains("[sqrt] the first gradient that is no finite number: element 2"), Error);
}

TEST_CASE("anomaly mode is that of one thread") {
  const AnomalyGuard anomaly;
  std::thread([] {
    CHECK(!anomaly_mode());
    const AnomalyGuard another;
    CHECK(anomaly_mode());
  }).join();
  CHECK(anomaly_mode());
}

TEST_CASE("without anomaly mode NaN and infinity flow on") {
  CHECK(!anomaly_mode());
  const Variable x = leaf({-1});
  log(x).backward();
  CHECK(grad_of(x) == Values{-1});
  CHECK(std::isnan(log(x).item()));
}

// ---- as a picture ----

TEST_CASE("to_dot draws each op once, with its shape, and the leaves") {
  const Variable x = leaf({1, 2});
  const Variable h = exp(x);
  const std::string dot = to_dot(sum(h * h));
  CHECK(dot.find("digraph") == 0);
  CHECK(dot.find("shape=box, label=\"sum\\n[]\"") != std::string::npos);
  CHECK(dot.find("shape=box, label=\"mul\\n[2]\"") != std::string::npos);
  CHECK(dot.find("shape=ellipse, label=\"leaf\\n[2]\"") != std::string::npos);
  CHECK(dot.find("\"exp\\n[2]\"") == dot.rfind("\"exp\\n[2]\""));
}
