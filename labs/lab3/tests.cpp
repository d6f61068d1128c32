// Lab 3: the graph, its order, its gradients, the rules, and the gradient checker.
//
// What runs backward is tested on graphs that are built by hand here, and a rule through what record() stored, so that an
// unfinished part of the engine fails its own exercise alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/engine.h"
#include "autograd/gradcheck.h"
#include "autograd/node.h"
#include "autograd/ops.h"
#include "labs/common/lab.h"
#include "tensor/ops.h"
#include "tensor/view.h"

using namespace vitrail;
using Values = std::vector<double>;

namespace {

using Function = std::function<Variable(const std::vector<Variable>&)>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor vec(const Values& values) { return from_vector(values, Shape{static_cast<int64_t>(values.size())}); }
Variable leaf(const Values& values) { return Variable(vec(values), true); }
Variable leaf(const Tensor& value) { return Variable(value, true); }

// An op that was added to the graph without record().
Variable op(const Tensor& value, const std::vector<Variable>& inputs, BackwardFn backward) {
  static uint64_t next_id = uint64_t{1} << 40;
  const std::shared_ptr<Node> made(new Node);
  made->name = "by hand", made->id = next_id++;
  made->shape = value.shape(), made->backward = backward;
  for (const Variable& input : inputs) {
    Edge to;
    to.defined = true, to.shape = input.shape(), to.dtype = input.dtype();
    if (input.node()) to.node = input.node();
    if (input.requires_grad() && !input.node()) to.leaf = input.meta();
    made->inputs.push_back(to);
  }
  return Variable(value, made);
}

Variable passing_on(const std::vector<Variable>& inputs) {  // dy for every input, without a copy
  return op(inputs[0].value(), inputs, [](const Tensor& dy, Grads& d) {
    for (int i = 0; i < d.size(); ++i) d[i] = dy;
  });
}

Variable times(const Variable& x, double factor) {
  return op(mul(x.value(), factor), {x}, [factor](const Tensor& dy, Grads& d) { d[0] = mul(dy, factor); });
}

std::string number_of(double value) { return lab::digits(Values{value}, 4); }

}  // namespace

// ---- 3.1 ----

namespace {

BackwardFn nothing() {
  return [](const Tensor&, Grads&) {};
}

std::string edge_text(const Edge& e) {
  return cat(e.node   ? "op "
             : e.leaf ? "leaf "
                      : "none ",
             e.defined ? "defined " : "undefined ", e.shape, name_of(e.dtype), " ");
}

}  // namespace

LAB_PROBE("3.1") {
  const Variable x = leaf({1, 2}), c(vec({3, 4, 5}));
  const Variable h = record("first", vec({1}), {x}, nothing());
  const Variable y = record("second", vec({1, 2}), {h, x, c}, nothing());
  if (!y.node()) return "not recorded";
  std::string text = cat(y.node()->name, y.node()->shape, y.node()->inputs.size(), " ");
  for (const Edge& e : y.node()->inputs) text += edge_text(e);
  return text + cat(h.node() && y.node()->id > h.node()->id ? "rising" : "not rising");
}
LAB_PROBE("3.1") {
  const Variable c(vec({3}));
  return record("op", vec({1}), {c, c}, nothing()).requires_grad() ? "recorded" : "constant";
}
LAB_PROBE("3.1") {
  const NoGradGuard no_grad;
  return record("op", vec({1}), {leaf({3})}, nothing()).requires_grad() ? "recorded" : "constant";
}
LAB_PROBE("3.1") {
  const Variable y = record("op", vec({1}), {Variable(vec({3})), leaf({3}), Variable()}, nothing());
  return y.node() ? edge_text(y.node()->inputs[2]) : "not recorded";
}
LAB_PROBE("3.1") {
  const Tensor x = vec({1, 2});
  const Saved before(x);
  fill_(x, 3);
  return cat(before->numel());
}
namespace {

// What reading a Saved whose tensor was written to ends in.
std::string kind_of_refusal() {
  const Tensor x = vec({1, 2});
  const Saved before(x);
  fill_(x, 3);
  try {
    return cat("nothing: it hands out ", before->numel(), " numbers");
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kValue ? "kValue" : cat("an Error of another kind than kValue: ", error.what());
  }
}

}  // namespace

LAB_PROBE("3.1") { return kind_of_refusal().substr(0, 8); }
LAB_PROBE("3.1") {
  const Tensor x = vec({1, 2});
  fill_(x, 3);
  fill_(x, 4);
  return cat(Saved(x)->numel());
}
LAB_PROBE("3.1") {
  const Tensor x = vec({1, 2});
  const Saved saved(x);
  return cat((*saved).storage() == x.storage() ? "the same memory" : "a copy", Saved().operator*().defined());
}

TEST_SUITE("3.1") {
  TEST_CASE("an op knows its name, its result's shape and where each input came from") {
    const Variable x(lab::random({2, 3}, 1), true), c(lab::random({4}, 2, 0, 1, Dtype::f32));
    const Variable h = record("first", lab::random({5}, 3), {x}, nothing());
    const Variable y = record("second", lab::random({3, 1}, 4), {h, x, c}, nothing());
    REQUIRE(y.node() != nullptr);
    CHECK(std::string(y.node()->name) == "second");
    CHECK(y.node()->shape == Shape{3, 1});
    REQUIRE(y.node()->inputs.size() == 3);
    const Edge &from_op = y.node()->inputs[0], &from_leaf = y.node()->inputs[1], &from_constant = y.node()->inputs[2];
    CHECK(from_op.node == h.node());
    CHECK(from_op.leaf == nullptr);
    CHECK(from_leaf.node == nullptr);
    CHECK(from_leaf.leaf == x.meta());
    CHECK_FALSE(from_constant.needed());
    CHECK(from_op.shape == Shape{5});
    CHECK(from_leaf.shape == Shape{2, 3});
    CHECK(from_constant.shape == Shape{4});
    CHECK(from_leaf.dtype == Dtype::f64);
    CHECK(from_constant.dtype == Dtype::f32);
    CHECK((from_op.defined && from_leaf.defined && from_constant.defined));
  }
  TEST_CASE("an input that was left out has an edge, too, that leads nowhere") {
    const Variable y = record("op", vec({1}), {leaf({1, 2}), Variable()}, nothing());
    REQUIRE(y.node() != nullptr);
    REQUIRE(y.node()->inputs.size() == 2);
    CHECK_FALSE(y.node()->inputs[1].defined);
    CHECK_FALSE(y.node()->inputs[1].needed());
  }
  TEST_CASE("a later op has a higher number") {
    Variable y = leaf({1});
    int wrong = 0;
    uint64_t before = 0;
    for (int i = 0; i < 20; ++i) {
      y = record("op", vec({1}), {y}, nothing());
      REQUIRE(y.node() != nullptr);
      wrong += y.node()->id <= before;
      before = y.node()->id;
    }
    CHECK(wrong == 0);
  }
  TEST_CASE("one input that requires a gradient is enough, none makes a constant") {
    const Variable c(vec({3})), x = leaf({4});
    CHECK(record("op", vec({1}), {c, x, c}, nothing()).requires_grad());
    CHECK_FALSE(record("op", vec({1}), {c, c}, nothing()).requires_grad());
    CHECK(record("op", vec({1}), std::vector<Variable>{}, nothing()).is_leaf());
  }
  TEST_CASE("while a NoGradGuard lives, the result is a constant with the same value") {
    const Tensor value = lab::random({3}, 5);
    const NoGradGuard no_grad;
    const Variable y = record("op", value, {leaf({1})}, nothing());
    CHECK_FALSE(y.requires_grad());
    CHECK(y.is_leaf());
    CHECK(y.value().storage() == value.storage());
  }
  TEST_CASE("the graph keeps no value alive but what the rule has captured") {
    const Variable x(ones({10000}, Dtype::f64), true);
    const int64_t before = memory_stats().live_bytes;
    Variable y = record("first", ones({10000}, Dtype::f64), {x}, nothing());
    y = record("second", vec({1}), {y}, nothing());
    CHECK(memory_stats().live_bytes < before + 8000);
    CHECK(y.requires_grad());
  }
  TEST_CASE("the rule is stored and reads what it saved") {
    const Variable x = leaf({2, 5});
    const Variable y = record("op", vec({0, 0}), {x}, [s = Saved(x)](const Tensor& dy, Grads& d) { d[0] = mul(dy, *s); });
    REQUIRE(y.node() != nullptr);
    Grads d(*y.node());
    y.node()->backward(vec({10, 100}), d);
    CHECK(lab::difference(d[0], vec({20, 500}), 0) == "");
  }
  TEST_CASE("a saved tensor that was written to is refused, also if it was written to through a view") {
    const Tensor x = lab::random({3, 2}, 6), y = lab::random({3, 2}, 7);
    const Saved of_x(x), of_y(y);
    CHECK((*of_x).storage() == x.storage());
    fill_(x, 1);
    fill_(slice(y, 0, 1, 2), 1);
    CHECK_THROWS_AS(*of_x, Error);
    CHECK_THROWS_AS(*of_y, Error);
    CHECK(kind_of_refusal() == "kValue");
    for (int i = 0; i < 3; ++i) fill_(x, 1);
    CHECK((*Saved(x)).numel() == 6);  // saved after the writes: nothing is wrong
  }
}

#include "labs/lab3/tests_engine.h"
#include "labs/lab3/tests_gradcheck.h"
#include "labs/lab3/tests_rules.h"
