// Suites 3.2 and 3.3: the order, and the backward pass, on graphs that are built by hand. Included by tests.cpp.
#pragma once

// ---- 3.2 ----

namespace {

Variable plain_op(const std::vector<Variable>& inputs) { return op(vec({1}), inputs, nothing()); }

// The numbers of the nodes in the order given, counted from `first`.
std::string order_text(const Variable& root, const Variable& first) {
  std::string text;
  const std::vector<Node*> order = nodes_below(root.node().get());
  if (order.size() > 40) return cat(order.size(), " nodes");
  for (const Node* node : order) text += node ? cat(node->id - first.node()->id, " ") : "null ";
  return text;
}

// A chain with shortcuts: op i reads op i - 1 and op 0.
std::pair<Variable, Variable> with_shortcuts() {
  const Variable first = plain_op({leaf({1})});
  Variable y = first;
  for (int i = 0; i < 3; ++i) y = plain_op({first, y});
  return {first, plain_op({y, first})};
}

// Nodes that are missing, twice, or before one that reads their result.
int wrong_places(const std::vector<Node*>& order, const std::vector<Variable>& all) {
  int wrong = 0;
  const auto place = [&](const Node* node) { return std::find(order.begin(), order.end(), node) - order.begin(); };
  for (const Variable& v : all) {
    wrong += std::count(order.begin(), order.end(), v.node().get()) != 1;
    for (const Edge& edge : v.node()->inputs) wrong += edge.node && place(edge.node.get()) <= place(v.node().get());
  }
  return wrong + static_cast<int>(order.size() != all.size());
}

}  // namespace

LAB_PROBE("3.2") {
  const auto [first, last] = with_shortcuts();
  return order_text(last, first);
}
LAB_PROBE("3.2") {
  const Variable a = plain_op({leaf({1})}), b = plain_op({a}), c = plain_op({a}), d = plain_op({c, b});
  return order_text(d, a);
}
LAB_PROBE("3.2") {
  const Variable a = plain_op({leaf({1})});
  return order_text(a, a);
}
LAB_PROBE("3.2") {
  Variable y = plain_op({leaf({1})});
  for (int i = 0; i < 30; ++i) y = plain_op({y, y});
  return cat(nodes_below(y.node().get()).size());
}
LAB_PROBE("3.2") {
  Variable y = leaf({1});
  for (int i = 0; i < 80000; ++i) y = plain_op({y});
  return cat(nodes_below(y.node().get()).size());
}
LAB_PROBE("3.2") {
  const Variable a = plain_op({leaf({1}), Variable(vec({2}))}), b = plain_op({Variable(vec({2})), a});
  return order_text(b, a);
}

TEST_SUITE("3.2") {
  TEST_CASE("a chain runs from the last op to the first, and the root is one of them") {
    const Variable a = plain_op({leaf({1})}), b = plain_op({a}), c = plain_op({b});
    CHECK(order_text(c, a) == "2 1 0 ");  // counted from the first op
    CHECK(order_text(a, a) == "0 ");
  }
  TEST_CASE("leaves and constants are no nodes") {
    const Variable c(vec({2})), a = plain_op({c, leaf({1})}), b = plain_op({a, c});
    CHECK(nodes_below(b.node().get()).size() == 2);
  }
  TEST_CASE("shortcuts: an op waits for all that read its result") {
    const auto [first, last] = with_shortcuts();
    const std::vector<Node*> order = nodes_below(last.node().get());
    REQUIRE(order.size() == 5);
    CHECK(order.front() == last.node().get());
    CHECK(order.back() == first.node().get());
  }
  TEST_CASE("in a random graph each op stands once, behind all that read its result") {
    lab::Dice dice(32);
    for (int round = 0; round < 40; ++round) {
      CAPTURE(round);
      std::vector<Variable> all{plain_op({leaf({1})})};
      for (int i = 1; i < 25; ++i) {
        std::vector<Variable> inputs{all[static_cast<size_t>(dice.roll(0, i - 1))]};
        for (int64_t k = dice.roll(0, 2); k > 0; --k) inputs.push_back(all[static_cast<size_t>(dice.roll(0, i - 1))]);
        if (i == 24) inputs.insert(inputs.end(), all.begin(), all.end());  // the root reads them all
        all.push_back(plain_op(inputs));
      }
      CHECK(wrong_places(nodes_below(all.back().node().get()), all) == 0);
    }
  }
  TEST_CASE("thirty diamonds on top of each other are thirty ops, not a thousand million paths") {
    Variable y = plain_op({leaf({1})});
    for (int i = 0; i < 30; ++i) y = plain_op({y, y});
    CHECK(nodes_below(y.node().get()).size() == 31);
  }
  // labtool gives the tests of this lab a stack of 2 MiB (lab.json): 26 bytes for each op.
  TEST_CASE("a chain of 80,000 ops needs no deep stack") {
    Variable y = leaf({1});
    for (int i = 0; i < 80000; ++i) y = plain_op({y});
    CHECK(nodes_below(y.node().get()).size() == 80000);
  }
}

// ---- 3.3 ----

LAB_PROBE("3.3") {
  const Variable x = leaf({1, 2}), h = times(x, 2);
  passing_on({times(h, 3), times(h, 5), x}).backward(vec({1, 10}));
  return lab::digits(x.grad(), 4);
}
LAB_PROBE("3.3") {  // (a + b) + a
  const Variable a = leaf({1, 2}), b = leaf({3, 4}), h = times(a, 2), g = times(b, 2);
  const Tensor dy = vec({5, 7});
  passing_on({passing_on({h, g}), h}).backward(dy);
  return lab::digits(a.grad(), 4) + lab::digits(b.grad(), 4) + lab::digits(dy, 4);
}
LAB_PROBE("3.3") {
  const Variable x = leaf({1}), y = times(times(x, 2), 3);
  y.backward({}, true);
  y.backward({}, true);
  return lab::digits(x.grad(), 4);
}
LAB_PROBE("3.3") {
  const Variable x = leaf({1}), y = times(times(x, 2), 3);
  y.backward();
  return y.node()->backward ? "kept" : "freed";
}
LAB_PROBE("3.3") {
  const Variable x = leaf({1}), h = times(x, 2);
  const Variable y = op(vec({1}), {h, x}, [](const Tensor& dy, Grads& d) { d[1] = dy; });
  y.backward();
  return lab::digits(x.grad(), 4);
}
LAB_PROBE("3.3") {
  std::string told;
  const GradientObserverGuard guard([&](const Variable& v) { told += lab::digits(v.grad(), 4) + ";"; });
  const Variable x = leaf({1});
  times(passing_on({times(x, 2), x}), 3).backward();
  op(vec({1}), {times(leaf({1}), 2), x}, [](const Tensor& dy, Grads& d) { d[1] = dy; }).backward();
  return told;
}

namespace {

// x is read by two ops, of which the later one gets no gradient.
Variable past_one_without(const Variable& x) {
  const Variable reached = times(x, 2), not_reached = times(x, 3);
  return op(x.value(), {reached, not_reached}, [](const Tensor& dy, Grads& d) { d[0] = dy; });
}

// In which order an op runs and the observer hears of w, whose gradient is complete before that.
std::string told_and_run() {
  std::string log;
  const Variable x = leaf({1}), w = leaf({5});
  const GradientObserverGuard guard([&](const Variable& v) { log += v.meta() == w.meta() ? "told of w, " : "told of x, "; });
  const Variable h = op(vec({1}), {x}, [&](const Tensor& dy, Grads& d) { log += "the op below runs, ", d[0] = dy; });
  passing_on({h, w}).backward();
  return log;
}

struct Live {  // bytes of tensors that the chain's first rule finds alive, in gradients of its own size
  int64_t before = memory_stats().live_bytes, most = 0;
};

// A chain of `length` ops whose rules make new gradients of 1000 numbers each.
Variable measured_chain(const Variable& x, int length, Live& live) {
  Variable y = x;
  for (int i = 0; i < length; ++i) {
    y = op(x.value(), {y}, [&live](const Tensor& dy, Grads& d) {
      d[0] = mul(dy, 2);
      live.most = std::max(live.most, (memory_stats().live_bytes - live.before) / 8000);
    });
  }
  return y;
}

}  // namespace

LAB_PROBE("3.3") {
  const Variable x = leaf({1});
  past_one_without(x).backward();
  return lab::digits(x.grad(), 4);
}
LAB_PROBE("3.3") { return told_and_run(); }
LAB_PROBE("3.3") {
  const Variable x(ones({1000}, Dtype::f64), true);
  Live live;
  measured_chain(x, 30, live).backward(ones({1000}, Dtype::f64));
  return live.most <= 4 ? "freed" : "kept";
}

TEST_SUITE("3.3") {
  TEST_CASE("a variable that is used twice gets the sum") {
    const Variable x = leaf({3, -1});
    passing_on({times(x, 2), times(x, 3), x}).backward(vec({1, 10}));
    CHECK(lab::difference(x.grad(), vec({6, 60}), 0) == "");
  }
  TEST_CASE("both arms of a diamond arrive before the op below runs") {
    const Variable x = leaf({2}), h = times(x, 2);
    passing_on({times(h, 3), times(times(h, 5), 7)}).backward();
    CHECK(x.grad().item() == 76);  // (3 + 35) 2
  }
  TEST_CASE("(a + b) + a: b gets one, not two, and dy is left alone") {
    const Variable a = leaf({1, 2}), b = leaf({3, 4}), h = times(a, 2), g = times(b, 2);
    const Tensor dy = vec({5, 7});
    passing_on({passing_on({h, g}), h}).backward(dy);
    CHECK(lab::difference(a.grad(), vec({20, 28}), 0) == "");
    CHECK(lab::difference(b.grad(), vec({10, 14}), 0) == "");
    CHECK(lab::difference(dy, vec({5, 7}), 0) == "");
  }
  TEST_CASE("a first gradient that is an expanded view takes a second one") {
    const Variable x = leaf({1, 2, 3}), h = times(x, 1);
    const BackwardFn spread = [](const Tensor& dy, Grads& d) { d[0] = expand(dy, {3}); };
    const Variable a = op(vec({1}), {h}, spread), b = op(vec({1}), {h}, spread);
    passing_on({a, b}).backward(vec({4}));
    CHECK(lab::difference(x.grad(), vec({8, 8, 8}), 0) == "");
  }
  TEST_CASE("the gradient given to backward() counts") {
    const Variable x = leaf({1, 2});
    times(x, 2).backward(vec({10, 100}));
    CHECK(lab::difference(x.grad(), vec({20, 200}), 0) == "");
  }
  TEST_CASE("two passes add exactly twice into a leaf; what ops received in the first is gone") {
    const Variable x(lab::random({4}, 33), true), h = times(x, 0.3);
    const Variable y = passing_on({times(h, 1.7), h});
    const Tensor dy = lab::random({4}, 34);
    y.backward(dy, true);
    const Tensor once = clone(x.grad());
    y.backward(dy, true);
    CHECK(lab::difference(x.grad(), mul(once, 2), 0) == "");
  }
  TEST_CASE("an op that no gradient reaches does not run") {
    const Variable x = leaf({1});
    int runs = 0;
    const Variable h = op(vec({1}), {x}, [&](const Tensor& dy, Grads& d) { ++runs, d[0] = dy; });
    op(vec({1}), {h, x}, [](const Tensor& dy, Grads& d) { d[1] = dy; }).backward();
    CHECK(runs == 0);
    CHECK(x.grad().item() == 1);
  }
  TEST_CASE("the pass goes on behind an op that no gradient reaches") {
    const Variable x = leaf({1, 2});
    past_one_without(x).backward(vec({10, 100}));
    CHECK(lab::difference(x.grad(), vec({20, 200}), 0) == "");
  }
  TEST_CASE("what the ops saved is freed as the pass goes, unless it is asked for") {
    const Variable x = leaf({1}), y = times(times(x, 2), 3), z = times(times(x, 2), 3);
    y.backward();
    CHECK_FALSE(static_cast<bool>(y.node()->backward));
    CHECK_THROWS_AS(y.backward(), Error);
    z.backward({}, true);
    CHECK(static_cast<bool>(z.node()->backward));
    z.backward();
    CHECK(x.grad().item() == 18);
  }
  TEST_CASE("a gradient that has been used is freed as the pass goes") {
    const Variable x(ones({1000}, Dtype::f64), true);
    Live live;
    measured_chain(x, 30, live).backward(ones({1000}, Dtype::f64));
    CHECK(live.most <= 4);
    CHECK(x.grad().at({7}) == std::ldexp(1.0, 30));
  }
  TEST_CASE("the observer is told of each leaf once, when its gradient is complete") {
    std::vector<double> told;
    const Variable x = leaf({1}), w = leaf({5});
    {
      const GradientObserverGuard guard([&](const Variable& v) { told.push_back(v.grad().item()); });
      passing_on({times(passing_on({x, w}), 10), x}).backward();
    }
    CHECK(told == std::vector<double>{11, 10});
  }
  TEST_CASE("the observer is told before the next op runs, not at the end of the pass") {
    CHECK(told_and_run() == "told of w, the op below runs, told of x, ");
  }
  TEST_CASE("it is told of a leaf, too, whose gradient will never come because the ops above it did not run") {
    int told = 0, without = 0;
    const Variable x = leaf({1}), w = leaf({5});
    {
      const GradientObserverGuard guard([&](const Variable& v) { ++told, without += !v.grad().defined(); });
      op(vec({1}), {times(x, 2), w}, [](const Tensor& dy, Grads& d) { d[1] = dy; }).backward();
    }
    CHECK(told == 2);
    CHECK(without == 1);
  }
}
