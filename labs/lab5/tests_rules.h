// Lab 5, exercises 5.1 and 5.2: update rules against trajectories that are computed here, element by element, in double.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "labs/common/lab.h"
#include "tensor/ops.h"
#include "train/optim/optim.h"

namespace {

using namespace vitrail;

Variable leaf(const Tensor& value) { return Variable(clone(contiguous(value)), true); }

ParamGroup group_of(const std::vector<Variable>& parameters, double weight_decay) {
  ParamGroup group{"all", {}, 1, weight_decay};
  for (const Variable& p : parameters) group.parameters.emplace_back("p" + std::to_string(group.parameters.size()), p);
  return group;
}

// One parameter whose gradients, rates and scales are given step by step, beside an update rule in plain numbers.
struct Trajectory {
  int steps = 8;
  double weight_decay = 0;
  Shape shape{3, 5};
  Dtype dtype = Dtype::f64;
  uint64_t stream = 1;
  double tolerance = 1e-11;

  double rate(int step) const { return 0.1 / (1 + step % 3); }   // it changes
  double scale(int step) const { return step % 2 ? 1.0 : 0.4; }  // as a clipped gradient has it
  Tensor gradient(int step) const { return lab::random(shape, stream * 100 + static_cast<uint64_t>(step), 0.3, 1, dtype); }

  // step(p, g, lr, scale, t) changes one weight; `make` makes the optimiser. "" if both end alike.
  template <class Make, class Rule>
  std::string difference(Make make, Rule rule) const {
    const Variable p = leaf(lab::random(shape, stream * 100 + 99, 1, 0.5, dtype));
    const int64_t n = p.numel();
    std::vector<double> expected = to_vector<double>(to(p.value(), Dtype::f64));
    std::vector<std::array<double, 2>> states(static_cast<size_t>(n), {0, 0});
    auto optimizer = make(std::vector<ParamGroup>{group_of({p}, weight_decay)});
    for (int t = 0; t < steps; ++t) {
      Variable handle = p;
      handle.set_grad(gradient(t));
      const std::vector<double> g = to_vector<double>(to(contiguous(p.grad()), Dtype::f64));
      optimizer.step(rate(t), scale(t));
      for (size_t i = 0; i < expected.size(); ++i) rule(expected[i], g[i] * scale(t), rate(t), t + 1, states[i]);
      if (lab::difference(p.grad(), gradient(t), 0) != "") return "the gradient was changed";
    }
    return lab::difference(to(p.value(), Dtype::f64), from_vector(expected, shape), tolerance);
  }
};

// The value of two weights after three steps of fixed gradients, rates and scales: for probes.
template <class Make>
std::string fixed_steps(double weight_decay, Make make) {
  Variable p(from_vector(std::vector<double>{1, -2}, {2}), true);
  auto optimizer = make(std::vector<ParamGroup>{group_of({p}, weight_decay)});
  std::string text;
  for (int t = 0; t < 3; ++t) {
    p.set_grad(from_vector(std::vector<double>{0.5 + t, 1.0 - 0.75 * t}, {2}));
    optimizer.step(t == 1 ? 0.05 : 0.2, t == 2 ? 0.5 : 1);
    text += lab::digits(p.value(), 4) + " ";
  }
  return text;
}

auto sgd(double momentum, double dampening, bool nesterov) {
  return [=](std::vector<ParamGroup> groups) {
    return Sgd(std::move(groups), {.momentum = momentum, .dampening = dampening, .nesterov = nesterov});
  };
}

}  // namespace

LAB_PROBE("5.1") { return fixed_steps(0, sgd(0.5, 0, false)); }
LAB_PROBE("5.1") { return fixed_steps(0.1, sgd(0.5, 0.25, false)); }
LAB_PROBE("5.1") { return fixed_steps(0.1, sgd(0.5, 0, true)); }

TEST_SUITE("5.1") {
  TEST_CASE("momentum: a path of eight steps, with changing rates and clipped gradients") {
    const Trajectory run{.stream = 1};
    CHECK(run.difference(sgd(0.9, 0, false), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      s[0] = t == 1 ? g : 0.9 * s[0] + g;
      p -= lr * s[0];
    }) == "");
  }
  TEST_CASE("dampening: the first buffer is the gradient itself") {
    const Trajectory run{.stream = 2};
    CHECK(run.difference(sgd(0.8, 0.3, false), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      s[0] = t == 1 ? g : 0.8 * s[0] + 0.7 * g;
      p -= lr * s[0];
    }) == "");
  }
  TEST_CASE("weight decay is part of the gradient, and of the buffer") {
    const Trajectory run{.weight_decay = 0.2, .stream = 3};
    CHECK(run.difference(sgd(0.9, 0, false), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      const double grad = g + 0.2 * p;
      s[0] = t == 1 ? grad : 0.9 * s[0] + grad;
      p -= lr * s[0];
    }) == "");
  }
  TEST_CASE("Nesterov looks ahead: along g + momentum b, with the new b") {
    const Trajectory run{.weight_decay = 0.05, .stream = 4};
    CHECK(run.difference(sgd(0.7, 0, true), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      const double grad = g + 0.05 * p;
      s[0] = t == 1 ? grad : 0.7 * s[0] + grad;
      p -= lr * (grad + 0.7 * s[0]);
    }) == "");
  }
  TEST_CASE("every element of a large f32 parameter moves") {
    const Trajectory run{.steps = 2, .shape = {210, 101}, .dtype = Dtype::f32, .stream = 5, .tolerance = 1e-5};
    CHECK(run.difference(sgd(0.9, 0, false), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      s[0] = t == 1 ? g : 0.9 * s[0] + g;
      p -= lr * s[0];
    }) == "");
  }
  TEST_CASE("under a constant gradient the steps grow to 1 / (1 - momentum) times the gradient") {
    Variable p(from_vector(std::vector<double>{0, 0}, {2}), true);
    Sgd optimizer({group_of({p}, 0)}, {.momentum = 0.75});
    double before = 0;
    for (int t = 0; t < 120; ++t) {
      before = p.value().at({1});
      p.set_grad(from_vector(std::vector<double>{1, -2}, {2}));
      optimizer.step(0.01);
    }
    CHECK(p.value().at({1}) - before == doctest::Approx(0.01 * 2 / 0.25));
  }
}

namespace {

auto adamw(double beta1 = 0.9, double beta2 = 0.99, double eps = 1e-3) {
  return [=](std::vector<ParamGroup> groups) { return AdamW(std::move(groups), {beta1, beta2, eps}); };
}
auto adam(double beta1 = 0.9, double beta2 = 0.99, double eps = 1e-3) {
  return [=](std::vector<ParamGroup> groups) { return Adam(std::move(groups), {beta1, beta2, eps}); };
}

// Kingma and Ba, algorithm 1, line by line.
void adam_rule(double& p, double g, double lr, int t, std::array<double, 2>& s) {
  s[0] = 0.9 * s[0] + 0.1 * g;
  s[1] = 0.99 * s[1] + 0.01 * g * g;
  const double mean = s[0] / (1 - std::pow(0.9, t)), square = s[1] / (1 - std::pow(0.99, t));
  p -= lr * mean / (std::sqrt(square) + 1e-3);
}

// A module with one parameter of each kind.
class Kinds : public nn::Module {
 public:
  Kinds() {
    const auto add = [this](const char* name, Variable& variable, const Shape& shape) {
      variable = Variable(zeros(shape), true);
      register_parameter(name, variable);
    };
    add("weight", weight_, {4, 3});
    add("bias", bias_, {4});
    add("scale", scale_, {});
    add("cls_token", cls_, {1, 1, 3});
    add("pos_embed", pos_, {1, 5, 3});
    add("kernel", kernel_, {2, 3, 2, 2});
    add("table", table_, {7, 3});
    add("token_bias_table", other_, {2, 2});
  }
  std::vector<std::string> no_weight_decay() const override { return {"table"}; }

 private:
  Variable weight_, bias_, scale_, cls_, pos_, kernel_, table_, other_;
};

std::string groups_text(const std::vector<ParamGroup>& groups) {
  std::string text;
  for (const ParamGroup& group : groups) {
    text += group.label + "(" + cat(group.weight_decay) + "):";
    for (const auto& [path, parameter] : group.parameters) text += " " + path;
    text += "; ";
  }
  return text;
}

}  // namespace

LAB_PROBE("5.2") { return fixed_steps(0, adamw()); }
LAB_PROBE("5.2") { return fixed_steps(0.5, adamw()); }
LAB_PROBE("5.2") { return fixed_steps(0.5, adam()); }
LAB_PROBE("5.2") { return fixed_steps(0, adamw(0.5, 0.9, 1)); }
LAB_PROBE("5.2") {
  Kinds module;
  return groups_text(make_param_groups(module, 0.25));
}

TEST_SUITE("5.2") {
  TEST_CASE("Adam: fifty steps of algorithm 1") {
    const Trajectory run{.steps = 50, .stream = 11};
    CHECK(run.difference(adam(), adam_rule) == "");
    CHECK(run.difference(adamw(), adam_rule) == "");  // without decay they are the same
  }
  TEST_CASE("AdamW: the decay acts on the weight, not on the gradient") {
    const Trajectory run{.steps = 50, .weight_decay = 0.3, .stream = 12};
    CHECK(run.difference(adamw(), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      p *= 1 - lr * 0.3;
      adam_rule(p, g, lr, t, s);
    }) == "");
  }
  TEST_CASE("Adam: the decay is part of the gradient") {
    const Trajectory run{.steps = 50, .weight_decay = 0.3, .stream = 13};
    CHECK(run.difference(adam(), [](double& p, double g, double lr, int t, std::array<double, 2>& s) {
      adam_rule(p, g + 0.3 * p, lr, t, s);
    }) == "");
  }
  TEST_CASE("the first step is as long as the rate, however large or small the gradient") {
    for (const double size : {1e-3, 1.0, 1e4}) {
      CAPTURE(size);
      Variable p(from_vector(std::vector<double>{5, 5}, {2}), true);
      AdamW optimizer({group_of({p}, 0)}, {0.9, 0.999, 1e-12});
      p.set_grad(from_vector(std::vector<double>{size, -3 * size}, {2}));
      optimizer.step(0.01);
      CHECK(p.value().at({0}) == doctest::Approx(4.99).epsilon(1e-6));
      CHECK(p.value().at({1}) == doctest::Approx(5.01).epsilon(1e-6));
    }
  }
  TEST_CASE("a weight without gradient shrinks by the factor 1 - lr wd in each step, and only by it") {
    Variable p(from_vector(std::vector<double>{4, -8}, {2}), true);
    AdamW optimizer({group_of({p}, 0.5)});
    for (int t = 0; t < 3; ++t) {
      p.set_grad(zeros({2}, Dtype::f64));
      optimizer.step(0.1);
    }
    CHECK(p.value().at({0}) == doctest::Approx(4 * 0.95 * 0.95 * 0.95).epsilon(1e-12));
    CHECK(p.value().at({1}) == doctest::Approx(-8 * 0.95 * 0.95 * 0.95).epsilon(1e-12));
  }
  TEST_CASE("every element of a large f32 parameter moves") {
    const Trajectory run{.steps = 2, .shape = {210, 101}, .dtype = Dtype::f32, .stream = 14, .tolerance = 1e-4};
    CHECK(run.difference(adamw(), adam_rule) == "");
  }
  TEST_CASE("matrices and kernels decay; biases, scales, tokens, positions and spared tables do not") {
    Kinds module;
    const std::vector<ParamGroup> groups = make_param_groups(module, 0.25);
    CHECK(groups_text(groups) ==
          "decay(0.25): weight kernel token_bias_table; no decay(0): bias scale cls_token pos_embed table; ");
  }
}
