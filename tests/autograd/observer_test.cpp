// Gradients are seen as soon as they are complete.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "autograd/checkpoint.h"
#include "autograd/engine.h"
#include "autograd/ops.h"

using namespace vitrail;

namespace {

Variable leaf(uint64_t seed) { return Variable(rand_normal({4}, 0, 1, Rng(seed), Dtype::f64), true); }

// Runs backward and notes which leaf was reported when, with a copy of the gradient as it was then.
struct Seen {
  std::vector<Variable> leaves;
  std::vector<Tensor> gradients;
};
Seen watch(const Variable& loss, const std::function<void()>& before_each = [] {}) {
  Seen seen;
  const GradientObserverGuard guard([&](const Variable& x) {
    before_each();
    seen.leaves.push_back(x);
    seen.gradients.push_back(x.grad().defined() ? clone(x.grad()) : Tensor());
  });
  loss.backward({}, true);
  return seen;
}

size_t place(const Seen& seen, const Variable& x) {
  const auto same = [&](const Variable& y) { return y.meta() == x.meta(); };
  CHECK(std::count_if(seen.leaves.begin(), seen.leaves.end(), same) == 1);
  return static_cast<size_t>(std::find_if(seen.leaves.begin(), seen.leaves.end(), same) - seen.leaves.begin());
}

}  // namespace

TEST_CASE("each leaf is reported once, with its whole gradient, the last layer's first") {
  const Variable x = leaf(1), first = leaf(2), last = leaf(3), both = leaf(4);
  const Variable loss = sum(tanh(tanh(x * first * both) * both) * last * last);
  const Seen seen = watch(loss);
  REQUIRE(seen.leaves.size() == 4);
  CHECK(place(seen, last) == 0);
  CHECK(place(seen, both) > 0);
  for (size_t i = 0; i < seen.leaves.size(); ++i) CHECK(bit_equal(seen.gradients[i], seen.leaves[i].grad()));
}

TEST_CASE("a leaf is reported before the ops below it have run") {
  const Variable x = leaf(1), w = leaf(2);
  const Variable inner = exp(x);
  const Variable loss = sum(inner * w);
  bool x_had_gradient = true;
  const GradientObserverGuard guard([&](const Variable& y) {
    if (y.meta() == w.meta()) x_had_gradient = x.grad().defined();
  });
  loss.backward();
  CHECK_FALSE(x_had_gradient);
}

TEST_CASE("parameters inside checkpoints are reported once, when no later checkpoint can add to them") {
  const Variable x = leaf(1), shared = leaf(2), own = leaf(3);
  const Variable h = checkpoint([=](const Variable& t) { return tanh(t * shared * own); }, x);
  const Variable loss = sum(checkpoint([=](const Variable& t) { return sin(t * shared); }, h));
  const Seen seen = watch(loss);
  REQUIRE(seen.leaves.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(bit_equal(seen.gradients[i], seen.leaves[i].grad()));
  static_cast<void>(place(seen, x));
  static_cast<void>(place(seen, shared));
  static_cast<void>(place(seen, own));
}

TEST_CASE("the order is the same in every pass, and a leaf that gets nothing is reported too") {
  const Variable a = leaf(1), b = leaf(2), c = leaf(3);
  const Variable cut = record("cut", exp(c).value(), {exp(c)}, [](const Tensor&, Grads&) {});
  const Variable loss = sum(a * b + cut);
  const Seen once = watch(loss), again = watch(loss);
  REQUIRE(once.leaves.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(once.leaves[i].meta() == again.leaves[i].meta());
  CHECK_FALSE(once.gradients[place(once, c)].defined());
}

TEST_CASE("an observer ends with its guard, and a leaf that is its own result is reported") {
  const Variable x(ones({}), true);
  int calls = 0;
  {
    const GradientObserverGuard guard([&](const Variable&) { ++calls; });
    x.backward();
  }
  x.backward();
  CHECK(calls == 1);
}
