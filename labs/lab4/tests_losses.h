// Suites 4.3 and 4.4: softmax, GELU, cross-entropy. Included by tests.cpp.
#pragma once

// ---- 4.3 ----

namespace {

using ToTensor = void (*)(const Tensor& x, Tensor y);
using Backward = void (*)(const Tensor& dy, const Tensor& y, Tensor dx);

Tensor made(ToTensor fn, const Tensor& x) {
  const Tensor y = fresh(x.shape(), x.dtype());
  fn(x, y);
  return y;
}

Tensor made_back(Backward fn, const Tensor& dy, const Tensor& y) {
  const Tensor dx = fresh(y.shape(), y.dtype());
  fn(dy, y, dx);
  return dx;
}

Tensor rows(const Values& values, int64_t n) { return reshape(vec(values), {static_cast<int64_t>(values.size()) / n, n}); }

double gelu_slope(double x, Gelu kind) {
  const double eps = 1e-6;
  return (reference::gelu(x + eps, kind) - reference::gelu(x - eps, kind)) / (2 * eps);
}

}  // namespace

LAB_PROBE("4.3") { return lab::digits(made(reference::softmax, rows({0, 1, 2, 5, 5, 7}, 3)), 4); }
LAB_PROBE("4.3") { return lab::digits(made(reference::softmax, rows({1e4, 1e4, -1e4, -1e4}, 2)), 4); }
LAB_PROBE("4.3") { return lab::digits(made(reference::softmax, rows({-kInf, 0, -kInf, -kInf}, 2)), 4); }
LAB_PROBE("4.3") {
  return lab::digits(made_back(reference::softmax_backward, rows({10, 20, 40}, 3), rows({0.2, 0.3, 0.5}, 3)), 4);
}
LAB_PROBE("4.3") { return lab::digits(made(reference::log_softmax, rows({0, 1, 2, 5, 5, 7}, 3)), 4); }
LAB_PROBE("4.3") { return lab::digits(made(reference::log_softmax, rows({0, -1000, 1e4, 1e4}, 2)), 4); }
LAB_PROBE("4.3") { return lab::digits(made(reference::log_softmax, rows({-kInf, -kInf, 0, -kInf}, 2)), 4); }
LAB_PROBE("4.3") {
  return lab::digits(made_back(reference::log_softmax_backward, rows({10, 20, 40}, 3), log(rows({0.2, 0.3, 0.5}, 3))), 4);
}
LAB_PROBE("4.3") {
  const Tensor wide = made(reference::log_softmax, to(rows({-3e38, 3e38}, 2), Dtype::f32));
  return cat(std::isfinite(wide.at({0, 0})));
}
LAB_PROBE("4.3") {
  Values all;
  for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
    for (const double x : {-9.0, -1.0, 0.5, 2.0, -kInf}) all.push_back(reference::gelu(x, kind));
  }
  return lab::digits(all, 5);
}
LAB_PROBE("4.3") {
  Values all;
  for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
    for (const double x : {-1.0, 0.5, 2.0, kInf}) all.push_back(reference::gelu_derivative(x, kind));
  }
  return lab::digits(all, 5);
}

TEST_SUITE("4.3") {
  TEST_CASE("softmax by hand: weights 1, 2 and 5 of 8") {
    const Tensor y = made(reference::softmax, rows({0, std::log(2), std::log(5)}, 3));
    CHECK(lab::difference(y, rows({0.125, 0.25, 0.625}, 3), 1e-12) == "");
    CHECK(lab::difference(made(reference::log_softmax, rows({0, std::log(2), std::log(5)}, 3)),
                          log(rows({0.125, 0.25, 0.625}, 3)), 1e-12) == "");
  }
  TEST_CASE("each row sums to one, is positive, and keeps its order; a number added to a row changes nothing") {
    const Tensor x = lab::random({5, 7}, 30, 0, 3), y = made(reference::softmax, x), shift = lab::random({5, 1}, 31, 0, 50);
    CHECK(lab::difference(sum(y, {1}), ones({5}, Dtype::f64), 1e-12) == "");
    CHECK(lab::difference(made(reference::softmax, add(x, shift)), y, 1e-10) == "");
    CHECK(lab::difference(made(reference::log_softmax, x), log(y), 1e-10) == "");
    CHECK(bit_equal(argmax(y, 1), argmax(x, 1)));
    CHECK(min(y).item() > 0);
  }
  TEST_CASE("numbers of ten thousand overflow nothing") {
    const Tensor x = rows({1e4, 1e4, -1e4, -1e4, 1e4, -1e4, 0, -1000}, 2);
    CHECK(lab::difference(made(reference::softmax, x), rows({0.5, 0.5, 0.5, 0.5, 1, 0, 1, 0}, 2), 1e-12) == "");
    const double half = -std::log(2);
    CHECK(lab::difference(made(reference::log_softmax, x), rows({half, half, half, half, 0, -2e4, 0, -1000}, 2), 1e-12) == "");
  }
  TEST_CASE("-inf has no share; a row of -inf has no shares at all") {
    const Tensor x = rows({-kInf, 3, -kInf, -kInf}, 2);
    CHECK(lab::difference(made(reference::softmax, x), rows({0, 1, 0, 0}, 2), 0) == "");
    CHECK(lab::difference(made(reference::log_softmax, x), rows({-kInf, 0, -kInf, -kInf}, 2), 0) == "");
    const Tensor wide = to(rows({-3e38, 3e38}, 2), Dtype::f32);
    CHECK(std::isfinite(made(reference::log_softmax, wide).at({0, 0})));
  }
  TEST_CASE("both gradients agree with central differences for a random dy") {
    const Tensor x = lab::random({3, 5}, 32), dy = lab::random({3, 5}, 33);
    for (const bool logarithm : {false, true}) {
      const ToTensor fn = logarithm ? reference::log_softmax : reference::softmax;
      const Backward back = logarithm ? reference::log_softmax_backward : reference::softmax_backward;
      const Tensor numeric = slope_of([&](const Tensor& at) { return inner(made(fn, at), dy); }, x);
      const std::string name = logarithm ? "gradient of log softmax" : "gradient of softmax";
      CHECK(of(name, lab::difference(made_back(back, dy, made(fn, x)), numeric, 1e-7)) == "");
    }
  }
  TEST_CASE("GELU is x Phi(x), with all digits on the left, too") {
    CHECK(reference::gelu(0, Gelu::kExact) == 0);
    CHECK(reference::gelu(1, Gelu::kExact) == doctest::Approx(0.8413447460685429).epsilon(1e-13));
    CHECK(reference::gelu(-1, Gelu::kExact) == doctest::Approx(-0.15865525393145705).epsilon(1e-13));
    CHECK(reference::gelu(-10, Gelu::kExact) == doctest::Approx(-7.61985302416053e-23).epsilon(1e-9).scale(0));
    CHECK(reference::gelu(-kInf, Gelu::kExact) == 0);
    CHECK(reference::gelu(kInf, Gelu::kExact) == kInf);
    CHECK(reference::gelu(1, Gelu::kTanh) == doctest::Approx(0.8411919906082768).epsilon(1e-13));
    CHECK(reference::gelu(1, Gelu::kQuick) == doctest::Approx(1 / (1 + std::exp(-1.702))).epsilon(1e-13));
  }
  TEST_CASE("gelu(x) - gelu(-x) = x, and the slopes agree with central differences") {
    lab::Dice dice(34);
    double asymmetry = 0;
    std::string wrong_slope;
    for (int round = 0; round < 50; ++round) {
      const double x = dice.uniform(-4, 4);
      for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
        asymmetry = std::max(asymmetry, std::abs(reference::gelu(x, kind) - reference::gelu(-x, kind) - x));
        const double given = reference::gelu_derivative(x, kind), wanted = gelu_slope(x, kind);
        if (std::abs(given - wanted) < 1e-8 || !wrong_slope.empty()) continue;
        const char* name = kind == Gelu::kExact ? "kExact" : kind == Gelu::kTanh ? "kTanh" : "kQuick";
        wrong_slope = cat("gelu_derivative(", x, ", ", name, ") is ", given, ", it should be ", wanted);
      }
    }
    CHECK(asymmetry < 1e-12);
    CHECK(wrong_slope == "");
    CHECK(reference::gelu_derivative(kInf, Gelu::kExact) == 1);
    CHECK(reference::gelu_derivative(-kInf, Gelu::kExact) == 0);
  }
}

// ---- 4.4 ----

namespace {

Tensor indices(const std::vector<int64_t>& values) { return from_vector(values, Shape{static_cast<int64_t>(values.size())}); }

ClassLossInput input(const Tensor& x, const Tensor& target, double smoothing = 0, const Tensor& weights = {},
                     bool logarithms = false) {
  return {x, target, weights, smoothing, -100, logarithms};
}

Tensor losses_of(const ClassLossInput& in, Tensor* sums = nullptr) {
  const Tensor losses = fresh({in.x.size(0)}), log_sums = fresh({in.x.size(0), 2});
  reference::class_loss(in, losses, log_sums);
  if (sums) *sums = log_sums;
  return losses;
}

Tensor gradient_of(const ClassLossInput& in, const Tensor& scales) {
  const Tensor dx = fresh(in.x.shape());
  reference::class_loss_backward(in, scales, dx);
  return dx;
}

std::string loss_text(const ClassLossInput& in) {
  return lab::digits(losses_of(in), 5) + lab::digits(gradient_of(in, add(zeros({in.x.size(0)}, Dtype::f64), 10)), 5);
}

// "" if the gradient agrees with central differences of sum_r scale_r loss_r.
std::string wrong_gradient(const ClassLossInput& in, uint64_t stream) {
  const Tensor scales = lab::random({in.x.size(0)}, stream);
  const Tensor numeric = slope_of(
      [&](const Tensor& at) {
        ClassLossInput moved = in;
        moved.x = at;
        return inner(losses_of(moved), scales);
      },
      in.x);
  return lab::difference(gradient_of(in, scales), numeric, 1e-7);
}

const Values kThree{0, std::log(2), std::log(5), 1, 3, 2};  // two rows of three logits

}  // namespace

LAB_PROBE("4.4") { return loss_text(input(rows(kThree, 3), indices({2, 0}))); }
LAB_PROBE("4.4") { return loss_text(input(rows(kThree, 3), indices({2, 0}), 0.3)); }
LAB_PROBE("4.4") { return loss_text(input(rows(kThree, 3), indices({2, 0}), 0.3, vec({1, 2, 4}))); }
LAB_PROBE("4.4") { return loss_text(input(rows(kThree, 3), indices({2, -100}), 0.3)); }
LAB_PROBE("4.4") { return loss_text(input(rows(kThree, 3), rows({0.25, 0.5, 0.25, 0, 0.1, 0.5}, 3))); }
LAB_PROBE("4.4") { return loss_text(input(log(rows({0.125, 0.25, 0.625}, 3)), indices({1}), 0, {}, true)); }
LAB_PROBE("4.4") { return loss_text(input(rows({1e4, -1e4, 1e4, 1e16, 1e16, 0}, 3), indices({1, 0}))); }
LAB_PROBE("4.4") { return lab::digits(losses_of(input(rows({0, -kInf, 0}, 3), indices({0}))), 4); }
LAB_PROBE("4.4") {
  Tensor sums;
  losses_of(input(rows(kThree, 3), indices({2, 0})), &sums);
  return lab::digits(sums, 4);
}

namespace {

Tensor sums_at_infinity() {  // of a row with +inf, and of a row of -inf
  Tensor sums;
  losses_of(input(rows({kInf, 0, -kInf, -kInf}, 2), indices({1, 0})), &sums);
  return sums;
}

}  // namespace

LAB_PROBE("4.4") {
  const Tensor sums = sums_at_infinity();
  return cat(sums.at({0, 0}) == 0, sums.at({0, 1}) == kInf, sums.at({1, 0}) == 0, sums.at({1, 1}) == -kInf);
}
LAB_PROBE("4.4") { return loss_text(input(rows(kThree, 3), rows({0.25, 0.5, 0.25, 0, 0.1, 0.9}, 3), 0.3)); }

TEST_SUITE("4.4") {
  TEST_CASE("by hand: shares 1, 2 and 5 of 8 cost log 8, log 4 and log 1.6") {
    const Tensor x = rows({0, std::log(2), std::log(5), 0, std::log(2), std::log(5), 0, std::log(2), std::log(5)}, 3);
    CHECK(lab::difference(losses_of(input(x, indices({0, 1, 2}))), log(vec({8, 4, 1.6})), 1e-12) == "");
    CHECK(lab::difference(gradient_of(input(x, indices({0, 1, 2})), ones({3}, Dtype::f64)),
                          sub(expand(vec({0.125, 0.25, 0.625}), {3, 3}), eye(3, Dtype::f64)), 1e-12) == "");
  }
  TEST_CASE("the two sums are kept apart: the largest, and the logarithm of the rest") {
    Tensor sums;
    losses_of(input(rows({1e16, 1e16, 3, 5}, 2), indices({0, 1})), &sums);
    CHECK(lab::difference(sums, rows({1e16, std::log(2), 5, std::log1p(std::exp(-2))}, 2), 1e-12) == "");
    CHECK(lab::difference(losses_of(input(rows({1e16, 1e16}, 2), indices({0}))), log(vec({2})), 1e-12) == "");
  }
  TEST_CASE("an infinite largest counts as 0, so that no sum is NaN") {
    CHECK(lab::difference(sums_at_infinity(), rows({0, kInf, 0, -kInf}, 2), 0) == "");
  }
  TEST_CASE("smoothing gives every class its share of the mass, the target's own class, too") {
    const Tensor x = lab::random({4, 5}, 40), log_p = log(softmax(x)), target = indices({3, 0, 4, 1});
    for (const double s : {0.1, 1.0}) {
      CAPTURE(s);
      const Tensor t = add(mul(losses_of(input(x, target)), 1 - s), mul(neg(mean(log_p, {1})), s));
      CHECK(lab::difference(losses_of(input(x, target, s)), t, 1e-12) == "");
    }
  }
  TEST_CASE("a soft target costs the mean over its classes; an index is a soft target with one 1") {
    const Tensor x = lab::random({3, 4}, 41), t = softmax(lab::random({3, 4}, 42)), log_p = log(softmax(x));
    CHECK(lab::difference(losses_of(input(x, t)), neg(sum(mul(t, log_p), {1})), 1e-12) == "");
    const Tensor hot = rows({0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1}, 4);
    CHECK(lab::difference(losses_of(input(x, hot, 0.2)), losses_of(input(x, indices({2, 0, 3}), 0.2)), 1e-12) == "");
  }
  TEST_CASE("a class's weight multiplies its mass") {
    const Tensor x = lab::random({3, 4}, 43), w = vec({1, 2, 0.5, 3}), log_p = log(softmax(x));
    const Tensor t = add(mul(rows({0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1}, 4), 0.8), 0.05);
    CHECK(lab::difference(losses_of(input(x, indices({2, 0, 3}), 0.2, w)), neg(sum(mul(mul(t, w), log_p), {1})), 1e-12) == "");
  }
  TEST_CASE("the gradient agrees with central differences in all these cases") {
    const Tensor x = lab::random({4, 5}, 44), target = indices({3, 0, 4, 1}), w = vec({1, 2, 0.5, 3, 0.1});
    const Tensor soft = softmax(lab::random({4, 5}, 45));
    CHECK(wrong_gradient(input(x, target), 46) == "");
    CHECK(wrong_gradient(input(x, target, 0.3), 47) == "");
    CHECK(wrong_gradient(input(x, target, 0.3, w), 48) == "");
    CHECK(wrong_gradient(input(x, soft, 0.1, w), 49) == "");
    CHECK(wrong_gradient(input(log(softmax(x)), target, 0.1, w, true), 50) == "");
  }
  TEST_CASE("the gradient of a row sums to zero; an ignored row costs nothing and gets none") {
    const Tensor x = lab::random({3, 6}, 51), target = indices({5, -100, 0});
    const Tensor dx = gradient_of(input(x, target, 0.1), vec({1, 2, 3}));
    CHECK(lab::difference(sum(dx, {1}), zeros({3}, Dtype::f64), 1e-12) == "");
    CHECK(lab::difference(select(dx, 0, 1), zeros({6}, Dtype::f64), 0) == "");
    CHECK(losses_of(input(x, target, 0.1)).at({1}) == 0);
    CHECK(losses_of(input(x, target, 0.1)).at({0}) > 0);
  }
  TEST_CASE("extremes: logits of ten thousand, and a class at -inf that nobody asks for") {
    CHECK(lab::difference(losses_of(input(rows({1e4, -1e4, -1e4, 1e4}, 2), indices({1, 1}))), vec({2e4, 0}), 1e-12) == "");
    CHECK(lab::difference(losses_of(input(rows({0, -kInf, 0}, 3), indices({0}))), log(vec({2})), 1e-12) == "");
    CHECK(lab::difference(gradient_of(input(rows({1e4, -1e4, 1e4 + 1, 1e4}, 2), indices({1, 1})), vec({1, 2})),
                          rows({1, -1, 2 / (1 + std::exp(-1.0)), -2 / (1 + std::exp(-1.0))}, 2), 1e-12) == "");
    CHECK(lab::difference(gradient_of(input(rows({0, -kInf, 0}, 3), indices({0})), vec({1})), rows({-0.5, 0, 0.5}, 3), 1e-12) ==
          "");
  }
}
