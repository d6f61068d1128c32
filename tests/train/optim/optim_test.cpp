// Optimisers against their equations: first steps by hand, then a plain loop over many steps.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "tensor/machine/parallel.h"
#include "tensor/rng.h"
#include "tests/support/tiny_module.h"
#include "train/optim/optim.h"

using namespace vitrail;
using vitrail::testing::TinyModule;

namespace {

constexpr double kDecay = 0.1, kLr = 0.05;

// What an optimiser does to one number: (p, g, state, t) -> p, over any number of steps.
using Rule = std::function<double(double p, double g, std::array<double, 2>& s, int t)>;

// Compares 25 steps with random gradients, number by number, in f64.
void check_against(const std::function<std::unique_ptr<Optimizer>(nn::Module&)>& make, const Rule& rule) {
  TinyModule module(to_vector<double>(rand_normal({37}, 0, 1, Rng(1), Dtype::f64)));
  std::vector<double> expected = module.w();
  std::vector<std::array<double, 2>> state(expected.size(), {0, 0});
  const auto optimizer = make(module);
  for (int t = 1; t <= 25; ++t) {
    const std::vector<double> g = to_vector<double>(rand_normal({37}, 0, 1, Rng(2).at(t), Dtype::f64));
    module.set_grads(g, 0);
    optimizer->step(kLr);
    for (size_t i = 0; i < g.size(); ++i) expected[i] = rule(expected[i], g[i], state[i], t);
  }
  for (size_t i = 0; i < expected.size(); ++i) CHECK(module.w()[i] == doctest::Approx(expected[i]).epsilon(1e-12));
}

Rule sgd_rule(double momentum, bool nesterov) {
  return [=](double p, double g, std::array<double, 2>& s, int t) {
    g += kDecay * p;
    if (momentum == 0) return p - kLr * g;
    s[0] = t == 1 ? g : momentum * s[0] + g;
    return p - kLr * (nesterov ? g + momentum * s[0] : s[0]);
  };
}

Rule adam_rule(bool decoupled) {
  return [=](double p, double g, std::array<double, 2>& s, int t) {
    if (decoupled) p -= kLr * kDecay * p;
    if (!decoupled) g += kDecay * p;
    s[0] = 0.9 * s[0] + 0.1 * g;
    s[1] = 0.999 * s[1] + 0.001 * g * g;
    const double m = s[0] / (1 - std::pow(0.9, t)), v = s[1] / (1 - std::pow(0.999, t));
    return p - kLr * m / (std::sqrt(v) + 1e-8);
  };
}

}  // namespace

TEST_CASE("sgd, with momentum and with Nesterov, is its definition") {
  for (const auto& [momentum, nesterov] : {std::pair{0.0, false}, {0.9, false}, {0.9, true}}) {
    const SgdOptions options{momentum, 0, nesterov};
    check_against([&](nn::Module& m) { return std::make_unique<Sgd>(single_group(m, kDecay), options); },
                  sgd_rule(momentum, nesterov));
  }
}

TEST_CASE("adam puts the decay into the gradient, adamw takes it off the weights") {
  check_against([](nn::Module& m) { return std::make_unique<Adam>(single_group(m, kDecay)); }, adam_rule(false));
  check_against([](nn::Module& m) { return std::make_unique<AdamW>(single_group(m, kDecay)); }, adam_rule(true));
}

TEST_CASE("lion steps by the sign of a mixture and remembers with another") {
  check_against([](nn::Module& m) { return std::make_unique<Lion>(single_group(m, kDecay)); },
                [](double p, double g, std::array<double, 2>& s, int) {
                  const double c = 0.9 * s[0] + 0.1 * g;
                  s[0] = 0.99 * s[0] + 0.01 * g;
                  return p * (1 - kLr * kDecay) - kLr * (c > 0 ? 1 : c < 0 ? -1 : 0);
                });
}

TEST_CASE("rmsprop divides by the running size of the gradient") {
  const RmspropOptions options{0.99, 1e-8, 0.5};
  check_against([&](nn::Module& m) { return std::make_unique<Rmsprop>(single_group(m, kDecay), options); },
                [](double p, double g, std::array<double, 2>& s, int) {
                  g += kDecay * p;
                  s[0] = 0.99 * s[0] + 0.01 * g * g;
                  s[1] = 0.5 * s[1] + g / (std::sqrt(s[0]) + 1e-8);
                  return p - kLr * s[1];
                });
}

TEST_CASE("the first step of adamw is lr in the direction against the gradient, after the decay") {
  TinyModule module({1, -2, 3, 0.5});
  module.set_grads({4, -0.01, 1000, 2}, 0);
  AdamW optimizer(single_group(module, 0.5));
  optimizer.step(0.1);
  // 1 * 0.95 - 0.1,  -2 * 0.95 + 0.1, ...: whatever the size of the gradient.
  const double expected[] = {0.85, -1.8, 2.75, 0.375};
  for (int i = 0; i < 4; ++i) CHECK(module.w()[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

TEST_CASE("a scale of the gradient is the same as a scaled gradient") {
  TinyModule a, b;
  Sgd optimizer_a(single_group(a), {0.9}), optimizer_b(single_group(b), {0.9});
  a.set_grads({2, 4, 6, 8}, 1);
  b.set_grads({1, 2, 3, 4}, 0.5);
  optimizer_a.step(0.1, 0.5);
  optimizer_b.step(0.1);
  CHECK(bit_equal(a.weight.value(), b.weight.value()));
}

TEST_CASE("the learning rate of a group is scaled by lr_scale") {
  TinyModule module({1, 1, 1, 1});
  std::vector<ParamGroup> groups = single_group(module);
  groups[0].lr_scale = 0.25;
  Sgd optimizer(groups);
  module.set_grads({1, 1, 1, 1}, 0);
  optimizer.step(0.4);
  CHECK(module.w()[0] == doctest::Approx(0.9));
}

TEST_CASE("a frozen parameter and one without a gradient do not move, not even by decay") {
  for (const bool frozen : {true, false}) {
    TinyModule module;
    module.set_grads({1, 1, 1, 1}, 1);
    if (frozen)
      module.weight.set_requires_grad(false);
    else
      module.weight.zero_grad();
    const Tensor weight = clone(module.weight.value()), bias = clone(module.bias.value());
    AdamW optimizer(single_group(module, 0.5));
    for (int i = 0; i < 3; ++i) optimizer.step(0.1);
    CHECK(bit_equal(module.weight.value(), weight));
    CHECK(!bit_equal(module.bias.value(), bias));
    for (const auto& [name, tensor] : optimizer.state()) CHECK(name.find("weight") == std::string::npos);
  }
}

TEST_CASE("a parameter that is thawed late starts with the bias correction of a first step") {
  TinyModule module({1, 1, 1, 1});
  AdamW optimizer(single_group(module));
  module.weight.set_requires_grad(false);
  for (int i = 0; i < 50; ++i) {
    module.set_grads({3, 3, 3, 3}, 1);
    optimizer.step(0.01);
  }
  module.weight.set_requires_grad(true);
  module.set_grads({3, 3, 3, 3}, 1);
  optimizer.step(0.01);
  CHECK(module.w()[0] == doctest::Approx(0.99).epsilon(1e-6));
}

TEST_CASE("large parameters get the same bits for any number of threads") {
  const int before = num_threads();
  Tensor first;
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    TinyModule module(to_vector<double>(rand_normal({100001}, 0, 1, Rng(3), Dtype::f64)), Dtype::f32);
    AdamW optimizer(make_param_groups(module, 0.1));
    for (int t = 0; t < 3; ++t) {
      module.set_grads(to_vector<double>(rand_normal({100001}, 0, 1, Rng(4).at(t), Dtype::f64)), 1);
      optimizer.step(1e-3);
    }
    if (!first.defined()) first = module.weight.value();
    CHECK(bit_equal(first, module.weight.value()));
  }
  set_num_threads(before);
}

TEST_CASE("an optimiser with restored state goes on as if it had never stopped") {
  TinyModule a, b;
  AdamW one(single_group(a, 0.1)), two(single_group(b, 0.1));
  const auto train = [](TinyModule& m, Optimizer& optimizer, int from, int to_step) {
    for (int t = from; t < to_step; ++t) {
      m.set_grads({1.0 * t, -2, 0.5, t * t * 0.1}, 1);
      optimizer.step(0.01);
    }
  };
  train(a, one, 0, 10);
  train(b, two, 0, 4);
  AdamW three(single_group(b, 0.1));
  three.load_state(two.state());
  CHECK(three.num_steps() == 4);
  train(b, three, 4, 10);
  CHECK(bit_equal(a.weight.value(), b.weight.value()));
}

TEST_CASE("state of another model is refused with all differences, and nothing changes") {
  TinyModule module, other({1, 2, 3});
  AdamW source(single_group(other)), target(single_group(module));
  other.set_grads({1, 1, 1}, 1);
  source.step(0.1);
  nn::StateDict state = source.state();
  state.emplace_back("exp_avg.head.weight", zeros({2}));
  try {
    target.load_state(state);
    FAIL("accepted");
  } catch (const Error& e) {
    const std::string text = e.what();
    CHECK(text.find("unknown: exp_avg.head.weight") != std::string::npos);
    CHECK(text.find("differs: exp_avg.weight is f64 [3, 1]") != std::string::npos);
  }
  CHECK(target.num_steps() == 0);
}

TEST_CASE("wrong hyper-parameters are refused with their value") {
  TinyModule module;
  CHECK_THROWS_WITH_AS(Sgd(single_group(module), {0, 0, true}), doctest::Contains("nesterov needs momentum > 0"), Error);
  CHECK_THROWS_WITH_AS(AdamW(single_group(module), {1.0}), doctest::Contains("beta1 must be in [0, 1): it is 1"), Error);
  CHECK_THROWS_WITH_AS(Lion(single_group(module, -1)), doctest::Contains("weight_decay must be a finite number"), Error);
  Sgd sgd(single_group(module));
  CHECK_THROWS_WITH_AS(sgd.step(std::nan("")), doctest::Contains("lr must be a finite number"), Error);
  std::vector<ParamGroup> twice = single_group(module);
  twice.push_back(twice[0]);
  CHECK_THROWS_WITH_AS(Sgd{twice}, doctest::Contains("weight is listed twice"), Error);
}
