// Lab 10, exercise 10.6: the same bits for less memory.
#pragma once

#include <cmath>
#include <functional>
#include <string>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"
#include "labs/common/lab.h"
#include "tensor/ops.h"
#include "tensor/plain.h"
#include "tensor/precision.h"

namespace {

using namespace vitrail;

using Part = std::function<Variable(const Variable&)>;
using Through = std::function<Variable(const Part&, const Variable&)>;
const Through kAsItIs = [](const Part& part, const Variable& x) { return part(x); };
const Through kTwice = [](const Part& part, const Variable& x) { return checkpoint(part, x); };

Variable leaf_of(const Shape& shape, uint64_t stream) {
  return Variable(contiguous(lab::random(shape, stream, 0, 1, Dtype::f32)), true);
}

struct Gradients {
  Tensor y, dx, dw;
  uint64_t splits;  // how far default_rng() has moved
};
// Of a part with a parameter, something before it, and dropout inside and behind it.
Gradients with_dropout(const Through& through) {
  manual_seed(lab::seed() + 9);
  const Variable x = leaf_of({6, 8}, 1071), w = leaf_of({8}, 1072);
  const Part part = [w](const Variable& h) { return dropout(tanh(h * w), 0.5, true, default_rng().split()); };
  const Variable inside = through(part, square(x));
  const Variable y = dropout(inside, 0.25, true, default_rng().split());
  y.backward(contiguous(lab::random({6, 8}, 1073, 0, 1, Dtype::f32)));
  return {y.value(), x.grad(), w.grad(), default_rng().splits()};
}

// The gradient of a weight in bf16 products, of which the guard is gone when backward runs.
Tensor in_bf16(const Through& through) {
  const Variable w = leaf_of({64, 64}, 1074);
  const Part part = [w](const Variable& h) { return linear(square(linear(h, w)), w); };
  Variable y;
  {
    const PrecisionGuard guard(Precision::kBf16);
    y = through(part, Variable(contiguous(lab::random({64, 64}, 1075, 0, 1, Dtype::f32))));
  }
  sum(square(y)).backward();
  return w.grad();
}

// A part whose meaning depends on a mode that has changed by the time it runs again.
Tensor in_training(const Through& through) {
  bool training = true;
  const Variable x = leaf_of({3}, 1076);
  const Variable y = through([&](const Variable& h) { return replayed(training) ? h * h : h; }, x);
  training = false;
  sum(y).backward();
  return x.grad();
}

// What stays alive until backward, and the most there was on the way.
struct Bytes {
  int64_t kept, most;
};
Bytes bytes_of_forward(const Through& through) {
  const Variable x = leaf_of({50, 20}, 1077);
  reset_peak_memory();
  const int64_t before = memory_stats().live_bytes;
  const Part part = [](Variable h) {
    for (int i = 0; i < 8; ++i) h = sin(exp(h));
    return h;
  };
  const Variable y = through(part, x);
  return {memory_stats().live_bytes - before - y.value().storage()->bytes(), memory_stats().peak_bytes - before};
}

// Whether a part that ran on the plain loops runs on them again.
bool on_plain_loops() {
  const Variable w = leaf_of({12, 20}, 1084);
  Variable y;
  {
    const PlainGuard plain("all");
    y = checkpoint([&](const Variable& h) { return softmax(linear(h, w), -1); }, Variable(leaf_of({9, 20}, 1085).value()));
  }
  sum(square(y)).backward();
  return w.grad().shape() == w.shape();
}

// The value is w - w + x: only who has noted what was read sees that w has changed.
bool is_refused_after_a_change() {
  const Variable x = leaf_of({4}, 1087), w = leaf_of({4}, 1088);
  const Variable y = checkpoint([w](const Variable& h) { return (w - w) * h + h; }, x);
  fill_(w.value(), 3);
  try {
    sum(y).backward();
  } catch (const Error&) {
    return true;
  }
  return false;
}

// Whether the leaf of the second run requires a gradient, for an input that does or does not.
bool second_leaf_requires(bool x_does) {
  const Variable x(leaf_of({4}, 1089).value(), x_does), w = leaf_of({4}, 1090);
  bool last = false;
  const Variable y = checkpoint([&](const Variable& h) { return last = h.requires_grad(), h * w; }, x);
  last = false;
  sum(y).backward();
  return last;
}

// The gradient of w = sum(sin(x) w) where nothing in the part requires a gradient.
Tensor beside_a_part_without_gradient(const Through& through) {
  const Variable x(leaf_of({4}, 1092).value()), w = leaf_of({4}, 1093);
  sum(through([](const Variable& h) { return sin(h); }, x) * w).backward();
  return w.grad();
}

std::string outcome_of(const std::function<std::string()>& what) {
  try {
    return what();
  } catch (const Error& error) {
    return std::string(error.what()).substr(0, 60);
  }
}
// Fixed numbers for probes: y = (x w)^2 through a checkpoint, with a cotangent that is not 1.
std::string simple_gradients(bool x_needs_it) {
  const Variable x(from_vector(std::vector<double>{1, 2}, {2}), x_needs_it),
      w(from_vector(std::vector<double>{3, -1}, {2}), true);
  checkpoint([w](const Variable& h) { return square(h * w); }, x).backward(from_vector(std::vector<double>{1, 10}, {2}));
  return (x.grad().defined() ? lab::digits(x.grad(), 5) : "none ") + lab::digits(w.grad(), 5);
}

}  // namespace

LAB_PROBE("10.6") {
  return outcome_of([] { return simple_gradients(true); });
}
LAB_PROBE("10.6") {
  return outcome_of([] { return simple_gradients(false); });
}
LAB_PROBE("10.6") {
  return outcome_of([] {
    const Gradients given = with_dropout(kTwice), wanted = with_dropout(kAsItIs);
    return cat(bit_equal(given.y, wanted.y), bit_equal(given.dx, wanted.dx), given.splits == wanted.splits);
  });
}
LAB_PROBE("10.6") {
  return outcome_of([] { return cat(bit_equal(in_bf16(kTwice), in_bf16(kAsItIs))); });
}
LAB_PROBE("10.6") {
  return outcome_of([] { return cat(bit_equal(in_training(kTwice), in_training(kAsItIs))); });
}
LAB_PROBE("10.6") {
  return outcome_of([] {
    const Bytes bytes = bytes_of_forward(kTwice);
    return cat(bytes.kept > 2000, bytes.most > 6 * 4000);
  });
}
LAB_PROBE("10.6") {
  return outcome_of([] { return std::string(on_plain_loops() ? "same" : "other"); });
}

LAB_PROBE("10.6") { return cat(is_refused_after_a_change()); }
LAB_PROBE("10.6") {
  return outcome_of([] { return cat(second_leaf_requires(true), second_leaf_requires(false)); });
}
LAB_PROBE("10.6") {
  return outcome_of([] { return lab::digits(beside_a_part_without_gradient(kTwice), 4); });
}

TEST_SUITE("10.6") {
  TEST_CASE("value and gradients have the bits of the part as it is, dropout included") {
    const Gradients given = with_dropout(kTwice), wanted = with_dropout(kAsItIs);
    CHECK(lab::difference(given.y, wanted.y, 0) == "");
    CHECK(bit_equal(given.y, wanted.y));
    CHECK(lab::difference(given.dx, wanted.dx, 0) == "");
    CHECK(bit_equal(given.dx, wanted.dx));
    CHECK(lab::difference(given.dw, wanted.dw, 0) == "");
    CHECK(bit_equal(given.dw, wanted.dw));
    CHECK(given.splits == wanted.splits);
  }
  TEST_CASE("the gradient of the input, and of a parameter inside, for any cotangent") {
    const Variable x(lab::random({3, 4}, 1078), true), w(lab::random({4}, 1079), true), x2(x.value(), true),
        w2(w.value(), true);
    const Tensor dy = lab::random({3, 4}, 1080);
    checkpoint([w](const Variable& h) { return exp(h * w); }, x).backward(dy);
    exp(x2 * w2).backward(dy);
    CHECK(lab::difference(x.grad(), x2.grad(), 0) == "");
    CHECK(bit_equal(x.grad(), x2.grad()));
    CHECK(lab::difference(w.grad(), w2.grad(), 0) == "");
    CHECK(bit_equal(w.grad(), w2.grad()));
  }
  TEST_CASE("an input that needs no gradient gets none; the parameters inside get theirs") {
    const Variable x(lab::random({5}, 1081)), w(lab::random({5}, 1082), true);
    sum(checkpoint([w](const Variable& h) { return h * w; }, x)).backward();
    CHECK_FALSE(x.grad().defined());
    CHECK(lab::difference(w.grad(), contiguous(x.value()), 0) == "");
    CHECK(bit_equal(w.grad(), contiguous(x.value())));
  }
  TEST_CASE("the leaf of the second run requires a gradient if the input does, and not else: nothing is computed for nobody") {
    CHECK(second_leaf_requires(true));
    CHECK_FALSE(second_leaf_requires(false));
  }
  TEST_CASE("a part in which nothing requires a gradient is left alone") {
    CHECK(lab::difference(beside_a_part_without_gradient(kTwice), beside_a_part_without_gradient(kAsItIs), 0) == "");
  }
  TEST_CASE("between forward and backward nothing is kept but the input") {
    CHECK(bytes_of_forward(kAsItIs).kept >= 8 * 4000);  // each exp keeps its result
    CHECK(bytes_of_forward(kTwice).kept < 2000);
  }
  TEST_CASE("nor while the forward pass runs: an op and its input are alive, not all of them") {
    CHECK(bytes_of_forward(kAsItIs).most >= 8 * 4000);
    CHECK(bytes_of_forward(kTwice).most < 6 * 4000);
  }
  TEST_CASE("the part runs twice: once forward, once in backward") {
    int calls = 0;
    const Variable x = leaf_of({4}, 1083);
    const Variable y = checkpoint([&calls](const Variable& h) { return ++calls, sin(h); }, x);
    CHECK(calls == 1);
    sum(y).backward();
    CHECK(calls == 2);
  }
  TEST_CASE("it runs again in the precision and in the mode of the forward pass") {
    CHECK(bit_equal(in_bf16(kTwice), in_bf16(kAsItIs)));
    CHECK(bit_equal(in_training(kTwice), in_training(kAsItIs)));
  }
  TEST_CASE("it runs again on the plain loops, if it ran on them") {
    CHECK(on_plain_loops());  // refused if the second run has other bits
  }
  TEST_CASE("what the part read may not change in between, even where its value does not show it") {
    CHECK(is_refused_after_a_change());
  }
  TEST_CASE("nested, and two of them in a row") {
    const Part inner = [](const Variable& h) { return exp(sin(h)); };
    const Part outer = [inner](const Variable& h) { return square(checkpoint(inner, h)); };
    const Variable a = leaf_of({5}, 1086), b(a.value(), true);
    sum(square(square(inner(inner(a))))).backward();
    sum(square(checkpoint(outer, checkpoint(inner, b)))).backward();
    CHECK(lab::difference(a.grad(), b.grad(), 0) == "");
    CHECK(bit_equal(a.grad(), b.grad()));
  }
}
