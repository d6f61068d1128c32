// LAMB and LARS against their equations, and what their norms depend on.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/view.h"
#include "tests/support/scratch_folder.h"
#include "train/optim/lamb.h"
#include "train/optim/lars.h"

using namespace vitrail;

namespace {

using Numbers = std::vector<double>;
using Make = std::function<std::unique_ptr<Optimizer>(std::vector<ParamGroup>)>;

std::unique_ptr<Optimizer> make_lamb(std::vector<ParamGroup> groups) { return std::make_unique<Lamb>(std::move(groups)); }
std::unique_ptr<Optimizer> make_lars(std::vector<ParamGroup> groups) { return std::make_unique<Lars>(std::move(groups)); }
const std::map<std::string, Make> kBoth{{"lamb", make_lamb}, {"lars", make_lars}};

double norm(const Numbers& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

// One parameter with its state, as the papers write its update.
struct Reference {
  Numbers p, m, v;
  double decay;
  bool trust_ratio;
  int t = 0;

  void lamb(const Numbers& g, double lr) {
    const double b1 = 0.9, b2 = 0.999, eps = 1e-6;
    Numbers r(p.size());
    ++t;
    for (size_t i = 0; i < p.size(); ++i) {
      m[i] = b1 * m[i] + (1 - b1) * g[i];
      v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
      const double mean = m[i] / (1 - std::pow(b1, t)), square = v[i] / (1 - std::pow(b2, t));
      r[i] = mean / (std::sqrt(square) + eps) + decay * p[i];
    }
    const bool scaled = trust_ratio && norm(p) > 0 && norm(r) > 0;
    const double ratio = scaled ? norm(p) / norm(r) : 1;
    for (size_t i = 0; i < p.size(); ++i) p[i] -= lr * ratio * r[i];
  }
  void lars(const Numbers& g, double lr, double momentum) {
    const bool scaled = trust_ratio && norm(p) > 0 && norm(g) > 0;
    const double ratio = scaled ? 0.001 * norm(p) / (norm(g) + decay * norm(p)) : 1;
    for (size_t i = 0; i < p.size(); ++i) m[i] = momentum * m[i] + ratio * (g[i] + decay * p[i]);
    for (size_t i = 0; i < p.size(); ++i) p[i] -= lr * m[i];
  }
};

// A matrix, one that starts at zero, and a bias, in two groups, in f64.
struct Net {
  Net() {
    add("matrix", {1, -2, 3, 0.5, 0.25, -1}, {2, 3});
    add("zero", {0, 0, 0, 0}, {2, 2});
    add("bias", {0.1, -0.3}, {2});
    groups = {ParamGroup{"decay", {{"matrix", *weights[0]}, {"zero", *weights[1]}}, 1, 0.1},
              ParamGroup{"no decay", {{"bias", *weights[2]}}, 1, 0}};
    groups[1].trust_ratio = false;
  }
  void add(const std::string& name, const Numbers& values, const Shape& shape) {
    weights.push_back(std::make_unique<Variable>(from_vector(values, shape), true));
    const bool matrix = name != "bias";
    references.push_back({values, Numbers(values.size(), 0), Numbers(values.size(), 0), matrix ? 0.1 : 0, matrix});
  }

  std::vector<std::unique_ptr<Variable>> weights;
  std::vector<Reference> references;
  std::vector<ParamGroup> groups;
};

// Three steps at three rates, gradients doubled as they are read; in the second one the matrix has a gradient of zero.
void check_three_steps(const Make& make, const std::function<void(Reference&, const Numbers&, double)>& rule) {
  Net net;
  const auto optimizer = make(net.groups);
  for (int step = 0; step < 3; ++step) {
    const double lr = 0.1 * (step + 1);
    for (size_t k = 0; k < net.weights.size(); ++k) {
      Numbers g(net.references[k].p.size(), 0);
      for (size_t i = 0; i < g.size(); ++i)
        if (step != 1 || k != 0) g[i] = 0.3 * static_cast<double>(i) - 0.7 + 0.2 * step;
      net.weights[k]->set_grad(from_vector(g, net.weights[k]->shape()));
      for (double& v : g) v *= 2;
      rule(net.references[k], g, lr);
    }
    optimizer->step(lr, 2);
    for (size_t k = 0; k < net.weights.size(); ++k) {
      CAPTURE(step);
      CAPTURE(k);
      const Numbers got = to_vector<double>(net.weights[k]->value());
      for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(net.references[k].p[i]).epsilon(1e-12));
    }
  }
}

// Parameters of more than one stretch, of one to the element, and of a few elements.
struct Large {
  explicit Large(Dtype dtype, std::vector<int64_t> sizes = {100001, 3, 16384, 16385, 50}) {
    for (const int64_t n : sizes) {
      const Rng rng = Rng(5).at(static_cast<uint64_t>(n));
      weights.push_back(std::make_unique<Variable>(to(rand_normal({n}, 0, 0.1, rng, Dtype::f64), dtype), true));
    }
    ParamGroup group{"all", {}, 1, 0.05};
    for (const auto& w : weights) group.parameters.emplace_back(cat("w", w->numel()), *w);
    groups = {group};
  }
  void set_grads(uint64_t step) {
    for (const auto& w : weights) {
      const Rng rng = Rng(6).at(step).at(static_cast<uint64_t>(w->numel()));
      w->set_grad(to(rand_normal(w->shape(), 0, 1, rng, Dtype::f64), w->dtype()));
    }
  }
  void train(Optimizer& optimizer, uint64_t from, uint64_t end, double lr = 0.01) {
    for (uint64_t step = from; step < end; ++step) {
      set_grads(step);
      optimizer.step(lr, 0.5);
    }
  }

  std::vector<std::unique_ptr<Variable>> weights;
  std::vector<ParamGroup> groups;
};

}  // namespace

TEST_CASE("lamb is algorithm 2 of its paper: a matrix, one that starts at zero, a bias") {
  check_three_steps(make_lamb, [](Reference& r, const Numbers& g, double lr) { r.lamb(g, lr); });
}

TEST_CASE("lars, with and without momentum, is its definition") {
  for (const double momentum : {0.9, 0.0}) {
    const Make make = [&](std::vector<ParamGroup> groups) {
      return std::make_unique<Lars>(std::move(groups), LarsOptions{.momentum = momentum});
    };
    check_three_steps(make, [&](Reference& r, const Numbers& g, double lr) { r.lars(g, lr, momentum); });
  }
}

TEST_CASE("one step of lamb is lr of the matrix's own size, of lars lr eta of it, whatever the gradient's size") {
  for (const double size : {1e-4, 1.0, 1e4}) {
    for (const auto& [make, part] : {std::pair<Make, double>{make_lamb, 0.01}, {make_lars, 0.01 * 0.001}}) {
      Variable w(from_vector(Numbers{3, 0, -4, 0}, {2, 2}), true);
      const auto optimizer = make({ParamGroup{"all", {{"w", w}}}});  // without decay: the ratio stays
      const Tensor before = clone(w.value());
      w.set_grad(mul(from_vector(Numbers{1, 2, 3, -4}, {2, 2}), size));
      optimizer->step(0.01);
      const double moved = std::sqrt(sum(square(sub(w.value(), before))).item());
      CHECK(moved == doctest::Approx(part * 5).epsilon(1e-9));
    }
  }
}

TEST_CASE("groups without a trust ratio are updated by adamw's rule and by sgd's") {
  for (const double decay : {0.0, 0.1}) {
    Variable a(from_vector(Numbers{1, -2, 3}, {3}), true), b(clone(a.value()), true);
    Variable c(clone(a.value()), true), d(clone(a.value()), true);
    ParamGroup plain{"plain", {{"w", a}}, 1, decay};
    plain.trust_ratio = false;
    Lamb lamb({plain}, {.eps = 1e-8});
    AdamW adamw({ParamGroup{"w", {{"w", b}}, 1, decay}});
    plain.parameters = {{"w", c}};
    Lars lars({plain});
    Sgd sgd({ParamGroup{"w", {{"w", d}}, 1, decay}}, {.momentum = 0.9});
    for (int t = 1; t <= 5; ++t) {
      for (Variable* w : {&a, &b, &c, &d}) w->set_grad(from_vector(Numbers{0.5 * t, -1, 0.1}, {3}));
      for (Optimizer* optimizer : std::initializer_list<Optimizer*>{&lamb, &adamw, &lars, &sgd}) optimizer->step(0.01);
    }
    CHECK(max(abs(sub(a.value(), b.value()))).item() < 1e-12);
    CHECK(max(abs(sub(c.value(), d.value()))).item() < 1e-12);
  }
}

TEST_CASE("lamb and lars in f32 stay near f64") {
  for (const auto& [name, make] : kBoth) {
    CAPTURE(name);
    Large single(Dtype::f32), twice(Dtype::f64);
    const double lr = name == "lars" ? 5 : 0.01;
    single.train(*make(single.groups), 0, 10, lr);
    twice.train(*make(twice.groups), 0, 10, lr);
    for (size_t i = 0; i < single.weights.size(); ++i) {
      const Tensor difference = abs(sub(to(single.weights[i]->value(), Dtype::f64), twice.weights[i]->value()));
      CHECK(max(difference).item() < 1e-5);
    }
  }
}

TEST_CASE("lamb and lars give the same bits for any number of threads, and for a parameter whatever stands beside it") {
  const int before = num_threads();
  for (const auto& [name, make] : kBoth) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      CAPTURE(name);
      CAPTURE(name_of(dtype));
      set_num_threads(1);
      Large first(dtype);
      first.train(*make(first.groups), 0, 3);
      for (const int threads : {2, 4}) {
        set_num_threads(threads);
        Large other(dtype);
        other.train(*make(other.groups), 0, 3);
        for (size_t i = 0; i < first.weights.size(); ++i)
          CHECK(bit_equal(first.weights[i]->value(), other.weights[i]->value()));
      }
      for (const auto& w : first.weights) {
        Large alone(dtype, {w->numel()});
        alone.train(*make(alone.groups), 0, 3);
        CHECK(bit_equal(alone.weights[0]->value(), w->value()));
      }
    }
  }
  set_num_threads(before);
}

TEST_CASE("lamb and lars give the same bits wherever in memory a parameter begins") {
  for (const auto& [name, make] : kBoth) {
    for (const int64_t offset : {1, 3, 8}) {
      CAPTURE(name);
      CAPTURE(offset);
      Large whole(Dtype::f32, {20011}), part(Dtype::f32, {20011});
      Tensor storage = zeros({20011 + offset});
      Tensor view = slice(storage, 0, offset, 20011 + offset);
      copy_(view, part.weights[0]->value());
      part.weights[0]->set_value(view);
      REQUIRE(part.weights[0]->value().data<float>() == storage.data<float>() + offset);
      whole.train(*make(whole.groups), 0, 3);
      part.train(*make(part.groups), 0, 3);
      CHECK(bit_equal(whole.weights[0]->value(), part.weights[0]->value()));
    }
  }
}

// What a rank does that owns a part of a parameter, in a rule without norms.
TEST_CASE("lamb and lars update a part of a parameter, from any element on, to the bits that it has in the whole") {
  for (const auto& [name, make] : kBoth) {
    CAPTURE(name);
    Large whole(Dtype::f32, {20011}), part(Dtype::f32, {20011});
    for (Large* one : {&whole, &part}) one->groups[0].trust_ratio = false;
    Variable piece(clone(slice(part.weights[0]->value(), 0, 777, 17000)), true);
    part.groups[0].parameters = {{"piece", piece}};
    const auto one = make(whole.groups), two = make(part.groups);
    for (uint64_t step = 0; step < 3; ++step) {
      whole.set_grads(step);
      piece.set_grad(clone(slice(whole.weights[0]->grad(), 0, 777, 17000)));
      one->step(0.01);
      two->step(0.01);
    }
    CHECK(bit_equal(clone(slice(whole.weights[0]->value(), 0, 777, 17000)), piece.value()));
  }
}

TEST_CASE("lamb and lars with restored state go on to the same bits") {
  for (const auto& [name, make] : kBoth) {
    CAPTURE(name);
    Large undisturbed(Dtype::f32), stopped(Dtype::f32);
    undisturbed.train(*make(undisturbed.groups), 0, 6);
    const auto one = make(stopped.groups);
    stopped.train(*one, 0, 2);
    nn::StateDict state;
    for (const auto& [key, tensor] : one->state()) state.emplace_back(key, clone(tensor));
    CHECK(state.size() == 1 + stopped.weights.size() * (name == "lamb" ? 3 : 2));
    const auto two = make(stopped.groups);
    two->load_state(state);
    CHECK(two->num_steps() == 2);
    stopped.train(*two, 2, 6);
    for (size_t i = 0; i < stopped.weights.size(); ++i)
      CHECK(bit_equal(stopped.weights[i]->value(), undisturbed.weights[i]->value()));
  }
}

TEST_CASE("make_param_groups keeps the ratio of what decays, and of nothing else") {
  struct Layer : nn::Module {
    Layer() : weight(ones({3, 2}), true), bias(ones({3}), true) {
      register_parameter("weight", weight);
      register_parameter("bias", bias);
    }
    Variable weight, bias;
  } layer;
  for (const double decay : {0.0, 0.1})
    for (const ParamGroup& group : make_param_groups(layer, decay)) CHECK(group.trust_ratio == (group.label == "decay"));
}

TEST_CASE("lamb and lars refuse wrong options, and find an update that is not a number") {
  Variable w(ones({2, 2}), true);
  const std::vector<ParamGroup> groups{{"all", {{"w", w}}}};
  CHECK_THROWS_WITH_AS(Lamb(groups, {.beta1 = 1}), doctest::Contains("[lamb] beta1 must be in [0, 1): it is 1"), Error);
  CHECK_THROWS_WITH_AS(Lamb(groups, {.beta2 = -1}), doctest::Contains("beta2 must be in [0, 1): it is -1"), Error);
  CHECK_THROWS_WITH_AS(Lamb(groups, {.eps = 0}), doctest::Contains("eps must be above 0: it is 0"), Error);
  CHECK_THROWS_WITH_AS(Lars(groups, {.momentum = 1}), doctest::Contains("[lars] momentum must be in [0, 1): it is 1"), Error);
  CHECK_THROWS_WITH_AS(Lars(groups, {.trust_coefficient = 0}), doctest::Contains("trust_coefficient must be above 0: it is 0"),
                       Error);
  for (const auto& [name, make] : kBoth) {
    CAPTURE(name);
    w.set_value(ones({2, 2}));
    const auto optimizer = make(groups);
    w.set_grad(full({2, 2}, INFINITY));
    CHECK(testing::refuses([&] { optimizer->step(0.1); }, ErrorKind::kNumeric, "the update of w gave NaN or infinity"));
  }
}
