// Lab 5, exercises 5.6 and 5.7: what a run can be taken up again from.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "data/sampling.h"
#include "labs/common/lab.h"
#include "tensor/ops.h"
#include "tensor/rng.h"
#include "train/optim/ema.h"
#include "train/optim/optim.h"

namespace {

using namespace vitrail;

std::vector<int64_t> permutation_of(int64_t n, uint64_t key) {
  return to_vector<int64_t>(rand_permutation(n, Rng(lab::seed(), 77).at(key)));
}

bool is_permutation_of(std::vector<int64_t> x, int64_t n) {
  std::sort(x.begin(), x.end());
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    if (x[static_cast<size_t>(i)] != i) return false;
  }
  return static_cast<int64_t>(x.size()) == n;
}

class Weights : public nn::Module {
 public:
  explicit Weights(const Tensor& value) : weight(clone(contiguous(value)), true), mean(full({2}, 1, Dtype::f64)) {
    register_parameter("weight", weight);
    register_buffer("mean", mean);
  }
  Variable weight;
  Tensor mean;
};

std::string text_of(const std::vector<int64_t>& values) {
  std::string text;
  for (const int64_t v : values) text += cat(v, " ");
  return text;
}

}  // namespace

// How often each order of three comes, roughly; which numbers a permutation moves.
LAB_PROBE("5.6") {
  std::map<std::vector<int64_t>, int> count;
  for (uint64_t key = 0; key < 600; ++key) ++count[to_vector<int64_t>(rand_permutation(3, Rng(1).at(key)))];
  std::string text;
  for (const auto& [order, times] : count) text += text_of(order) + cat(times / 60, " ");
  return text;
}
LAB_PROBE("5.6") { return text_of(to_vector<int64_t>(rand_permutation(12, Rng(3)))); }
LAB_PROBE("5.6") {
  const auto a = epoch_order(20, 1, 2), b = epoch_order(20, 2, 1), c = epoch_order(20, 1, 2), d = epoch_order(20, 1, 3);
  const bool stream_of_its_own = a != to_vector<int64_t>(rand_permutation(20, Rng(1).at(2)));
  return cat(a == b, a == c, a == d, is_permutation_of(a, 20), stream_of_its_own);
}
LAB_PROBE("5.6") {
  Weights module(from_vector(std::vector<double>{1, 2}, {2}));
  Ema ema(module, 0.75);
  std::string text = lab::digits(std::vector<double>{ema.decay_at(0), ema.decay_at(1), ema.decay_at(5), ema.decay_at(1000)}, 4);
  for (int i = 0; i < 3; ++i) {
    module.weight.set_value(from_vector(std::vector<double>{4.0 * i, -1.0 * i}, {2}));
    ema.update();
    text += lab::digits(ema.state().front().second, 4);
  }
  return text;
}
LAB_PROBE("5.6") {
  Weights module(from_vector(std::vector<float>{0.1f, 0.7f, 1e-3f, 3.3333f}, {4}));
  Ema ema(module, 0.999);
  for (int i = 0; i < 300; ++i) ema.update();
  return cat(bit_equal(ema.state().front().second, module.weight.value()));
}

TEST_SUITE("5.6") {
  TEST_CASE("a permutation: each number once") {
    lab::Dice dice(51);
    for (int round = 0; round < 20; ++round) {
      const int64_t n = round < 3 ? round : dice.roll(3, 300);
      CAPTURE(n);
      CHECK(is_permutation_of(permutation_of(n, static_cast<uint64_t>(round)), n));
    }
  }
  TEST_CASE("all six orders of three are equally likely") {
    std::map<std::vector<int64_t>, int> count;
    for (uint64_t key = 0; key < 6000; ++key) ++count[permutation_of(3, key)];
    REQUIRE(count.size() == 6);
    double chi2 = 0;  // 5 degrees of freedom: above 40 once in five million runs
    for (const auto& [order, times] : count) chi2 += (times - 1000.0) * (times - 1000.0) / 1000;
    CHECK(chi2 < 40);
  }
  TEST_CASE("each number may stay where it is: one of n does, on average") {
    int64_t stay = 0, first = 0;
    for (uint64_t key = 0; key < 4000; ++key) {
      const std::vector<int64_t> p = permutation_of(8, 10000 + key);
      for (int64_t i = 0; i < 8; ++i) stay += p[static_cast<size_t>(i)] == i;
      first += p[0] == 0;
    }
    CHECK(std::abs(stay - 4000) < 450);  // deviation 63
    CHECK(std::abs(first - 500) < 150);  // deviation 21
  }
  TEST_CASE("epoch and seed each change the order, and are not the same thing") {
    const std::vector<int64_t> a = epoch_order(50, lab::seed(), 2);
    CHECK(is_permutation_of(a, 50));
    CHECK(a != epoch_order(50, lab::seed(), 3));
    CHECK(a != epoch_order(50, lab::seed() + 1, 2));
    CHECK(epoch_order(50, lab::seed() + 1, 2) != epoch_order(50, lab::seed() + 2, 1));
    CHECK(epoch_order(50, lab::seed() + 2, 1) != epoch_order(50, lab::seed() + 3, 0));
  }
  TEST_CASE("the order has a stream of its own: other random numbers of the same seed are not in step with it") {
    CHECK(epoch_order(50, lab::seed(), 2) != to_vector<int64_t>(rand_permutation(50, Rng(lab::seed()).at(2))));
  }
  TEST_CASE("an epoch's order is the same whatever was asked before: nothing to save for a resumed run") {
    const std::vector<int64_t> third = epoch_order(40, 9, 3);
    for (int64_t epoch = 0; epoch < 3; ++epoch) epoch_order(40, 9, epoch);
    CHECK(third == epoch_order(40, 9, 3));
    std::set<std::vector<int64_t>> orders;
    for (int64_t epoch = 0; epoch < 30; ++epoch) orders.insert(epoch_order(40, 9, epoch));
    CHECK(orders.size() == 30);
  }
  TEST_CASE("the average's decay begins at 1/10 and grows up to its limit") {
    Weights module(zeros({2}, Dtype::f64));
    const Ema ema(module, 0.99);
    CHECK(ema.decay_at(0) == doctest::Approx(0.1));
    CHECK(ema.decay_at(1) == doctest::Approx(2.0 / 11));
    CHECK(ema.decay_at(90) == doctest::Approx(0.91));
    CHECK(ema.decay_at(100000) == doctest::Approx(0.99));
  }
  TEST_CASE("the average keeps its share of itself, and takes the rest of the weight") {
    Weights module(lab::random({3, 4}, 52));
    Ema ema(module, 0.8);
    std::vector<double> average = to_vector<double>(module.weight.value());
    double mean = 1;
    for (int t = 0; t < 40; ++t) {
      module.weight.set_value(contiguous(lab::random({3, 4}, 60 + static_cast<uint64_t>(t))));
      module.mean = full({2}, t, Dtype::f64);
      ema.update();
      const std::vector<double> w = to_vector<double>(module.weight.value());
      const double d = std::min(0.8, (1.0 + t) / (10.0 + t));
      for (size_t i = 0; i < w.size(); ++i) average[i] = d * average[i] + (1 - d) * w[i];
      mean = d * mean + (1 - d) * t;
    }
    CHECK(lab::difference(ema.state().at(0).second, from_vector(average, {3, 4}), 1e-12) == "");
    CHECK(ema.state().at(1).second.at({1}) == doctest::Approx(mean));
  }
  TEST_CASE("a weight that does not move keeps its bits in the average") {
    Weights module(lab::random({40, 5}, 53, 0, 1, Dtype::f32));
    Ema ema(module, 0.999);
    for (int t = 0; t < 200; ++t) ema.update();
    CHECK(bit_equal(ema.state().front().second, module.weight.value()));
  }
}

namespace {

// Two states of which each step depends on, and the parameter's own count of updates: nothing of other exercises.
class Recorder final : public Optimizer {
 public:
  explicit Recorder(std::vector<ParamGroup> groups) : Optimizer(std::move(groups), {"pull", "drift"}) {}
  const char* name() const override { return "recorder"; }

 private:
  template <class T>
  void move(const Chunk<T>& c) const {
    for (int64_t i = 0; i < c.n; ++i) {
      c.s[0][i] = T(0.5) * c.s[0][i] + c.g[i];
      c.s[1][i] += c.s[0][i] * c.s[0][i];
      c.p[i] -= static_cast<T>(c.lr) * (c.s[0][i] + T(0.1) * c.s[1][i]) / static_cast<T>(c.step);
    }
  }
  void update(const Chunk<float>& c) const override { move(c); }
  void update(const Chunk<double>& c) const override { move(c); }
};

// Two parameters, the second of which is frozen in the first steps.
struct Run {
  Variable a, b;
  Recorder optimizer;
  static std::vector<ParamGroup> groups(const Variable& a, const Variable& b) {
    ParamGroup one{"one", {{"deep.a", a}}, 1, 0}, two{"two", {{"deep.b", b}}, 0.5, 0};
    return {one, two};
  }
  Run(const Tensor& va, const Tensor& vb)
      : a(clone(contiguous(va)), true), b(clone(contiguous(vb)), true), optimizer(groups(a, b)) {}
  static Tensor gradient(const Shape& shape, int64_t t, uint64_t stream) {
    return contiguous(lab::random(shape, stream + static_cast<uint64_t>(t)));
  }
  void steps(int64_t from, int64_t to) {
    for (int64_t t = from; t < to; ++t) {
      b.set_requires_grad(t >= 2);
      a.set_grad(gradient(a.shape(), t, 700));
      b.set_grad(t >= 2 ? gradient(b.shape(), t, 800) : Tensor());
      optimizer.step(0.05);
    }
  }
};

Run new_run() { return Run(lab::random({3, 2}, 71), lab::random({4}, 72)); }

nn::StateDict copied(const nn::StateDict& state) {
  nn::StateDict result = state;
  for (auto& [name, tensor] : result) tensor = clone(tensor);
  return result;
}

const Tensor* find_in(const nn::StateDict& state, const std::string& name) {
  for (const auto& [key, tensor] : state) {
    if (key == name) return &tensor;
  }
  return nullptr;
}

// The names of a state, in the order of the alphabet.
std::string in_order(const nn::StateDict& state) {
  std::multiset<std::string> names;
  for (const auto& [key, tensor] : state) names.insert(key);
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

std::string names_of(const nn::StateDict& state) {
  std::string text;
  for (const auto& [key, tensor] : state) text += key + (tensor.defined() ? cat(tensor.shape()) : "?") + " ";
  return text;
}

// Three steps with fixed numbers, for probes.
void fixed_steps(Run& run) {
  for (int t = 0; t < 3; ++t) {
    run.b.set_requires_grad(t >= 1);
    run.a.set_grad(full({2, 1}, 0.5 + t, Dtype::f64));
    run.b.set_grad(t >= 1 ? full({2}, 1.5 - t, Dtype::f64) : Tensor());
    run.optimizer.step(0.1);
  }
}
std::string fixed_step(Run& run) {
  run.a.set_grad(full({2, 1}, 0.25, Dtype::f64)), run.b.set_grad(full({2}, -0.5, Dtype::f64));
  run.b.set_requires_grad(true);
  run.optimizer.step(0.1);
  return lab::digits(run.a.value(), 5) + lab::digits(run.b.value(), 5) + cat(run.optimizer.num_steps());
}
std::string after_loading(const nn::StateDict& state, bool moved = false) {
  Run run(full({2, 1}, 1, Dtype::f64), full({2}, 2, Dtype::f64));
  if (moved) fixed_steps(run);
  try {
    run.optimizer.load_state(state);
  } catch (const Error&) {
    return "refused";  // the words are the student's
  }
  return fixed_step(run);
}

}  // namespace

LAB_PROBE("5.7") {
  Run run(full({2, 1}, 1, Dtype::f64), full({2}, 2, Dtype::f64));
  fixed_steps(run);
  std::string text = names_of(run.optimizer.state());
  for (const auto& [key, tensor] : run.optimizer.state()) text += lab::digits(tensor, 4);
  return text;
}
LAB_PROBE("5.7") { return names_of(Run(full({2, 1}, 1, Dtype::f64), full({2}, 2, Dtype::f64)).optimizer.state()); }
namespace {
nn::StateDict fixed_state() {
  const Tensor three = from_vector(std::vector<int64_t>{3}, {});
  return {{"step", from_vector(std::vector<int64_t>{7}, {})},
          {"step.deep.a", three},
          {"pull.deep.a", from_vector(std::vector<double>{0.5, 1}, {2, 1})},
          {"drift.deep.a", from_vector(std::vector<double>{2, -1}, {2, 1})}};
}
}  // namespace
LAB_PROBE("5.7") { return after_loading(fixed_state()); }
LAB_PROBE("5.7") { return after_loading({{"step", from_vector(std::vector<int64_t>{0}, {})}}, true); }
LAB_PROBE("5.7") {
  nn::StateDict odd = fixed_state();
  odd[2].second = zeros({1, 2}, Dtype::f64);
  nn::StateDict unknown = fixed_state();
  unknown.emplace_back("push.deep.a", zeros({2, 1}, Dtype::f64));
  return after_loading(odd) + "; " + after_loading(unknown);
}
LAB_PROBE("5.7") {
  nn::StateDict other = fixed_state();
  other[2].second = to(other[2].second, Dtype::f32);
  return after_loading(other);
}
LAB_PROBE("5.7") {
  nn::StateDict other = fixed_state();
  other[1].second = to(other[1].second, Dtype::f64);
  return after_loading(other);
}
LAB_PROBE("5.7") {
  const nn::StateDict state = fixed_state();
  after_loading(state);
  return lab::digits(state[2].second, 4);
}

TEST_SUITE("5.7") {
  TEST_CASE("the state names the steps, and for each parameter that has moved its steps and its two tensors") {
    Run run = new_run();
    run.steps(0, 1);  // only a
    CHECK(in_order(run.optimizer.state()) == "drift.deep.a pull.deep.a step step.deep.a ");
    run.steps(1, 5);
    CHECK(in_order(run.optimizer.state()) == "drift.deep.a drift.deep.b pull.deep.a pull.deep.b step step.deep.a step.deep.b ");
  }
  TEST_CASE("its numbers: all steps, those of each parameter, and the tensors themselves") {
    Run run = new_run();
    run.steps(0, 5);
    const nn::StateDict state = run.optimizer.state();
    const auto number = [&](const char* name) { return find_in(state, name) ? find_in(state, name)->item() : -1; };
    CHECK(number("step") == 5);
    CHECK(number("step.deep.a") == 5);
    CHECK(number("step.deep.b") == 3);
    Tensor pull = zeros({4}, Dtype::f64), drift = zeros({4}, Dtype::f64);
    for (int64_t t = 2; t < 5; ++t) {
      pull = pull * 0.5 + Run::gradient({4}, t, 800);
      drift = drift + pull * pull;
    }
    const Tensor *own_pull = find_in(state, "pull.deep.b"), *own_drift = find_in(state, "drift.deep.b");
    REQUIRE(own_pull != nullptr);
    REQUIRE(own_drift != nullptr);
    CHECK(lab::difference(*own_pull, pull, 1e-12) == "");
    CHECK(lab::difference(*own_drift, drift, 1e-12) == "");
  }
  TEST_CASE("a run that is taken up goes on with the bits of the run that was not interrupted") {
    for (const int64_t cut : {1, 3, 6}) {
      CAPTURE(cut);
      Run whole = new_run(), first = new_run();
      whole.steps(0, 9);
      first.steps(0, cut);
      const nn::StateDict saved = copied(first.optimizer.state());
      Run second(first.a.value(), first.b.value());
      second.optimizer.load_state(saved);
      CHECK(second.optimizer.num_steps() == cut);
      second.steps(cut, 9);
      CHECK(bit_equal(second.a.value(), whole.a.value()));
      CHECK(bit_equal(second.b.value(), whole.b.value()));
      CHECK(second.optimizer.num_steps() == 9);
    }
  }
  TEST_CASE("what was loaded is a copy: going on does not change the state that was given") {
    Run first = new_run();
    first.steps(0, 4);
    const nn::StateDict saved = copied(first.optimizer.state()), before = copied(saved);
    Run second(first.a.value(), first.b.value());
    second.optimizer.load_state(saved);
    second.steps(4, 6);
    std::string changed;
    for (size_t i = 0; i < saved.size(); ++i)
      if (changed.empty() && !bit_equal(saved[i].second, before[i].second))
        changed = saved[i].first + ": " + lab::difference(saved[i].second, before[i].second, 0);
    CHECK(changed == "");
  }
  TEST_CASE("loading replaces everything: what is not in the state begins anew") {
    Run used = new_run(), fresh = new_run();
    used.steps(0, 3);
    used.optimizer.load_state(fresh.optimizer.state());
    CHECK(used.optimizer.num_steps() == 0);
    CHECK(used.optimizer.state().size() == 1);
  }
  TEST_CASE("a name or a shape that does not fit is refused, and then nothing has changed") {
    Run run = new_run();
    run.steps(0, 3);
    const nn::StateDict good = copied(run.optimizer.state());
    const char* const what[] = {"another shape",
                                "another dtype",
                                "a parameter that is not there",
                                "a state that is not there",
                                "one state more than there is",
                                "steps of another dtype",
                                "two numbers of steps"};
    for (const int wrong : {0, 1, 2, 3, 4, 5, 6}) {
      const std::string state_has = what[wrong];
      CAPTURE(state_has);
      nn::StateDict bad = copied(good);
      for (auto& [name, tensor] : bad) {
        if (wrong == 0 && name == "pull.deep.a") tensor = zeros({2, 3}, Dtype::f64);
        if (wrong == 1 && name == "pull.deep.a") tensor = zeros({3, 2}, Dtype::f32);
        if (wrong == 2 && name == "pull.deep.a") name = "pull.deep.c";
        if (wrong == 3 && name == "pull.deep.a") name = "push.deep.a";
        if (wrong == 5 && name == "step.deep.a") tensor = to(tensor, Dtype::f64);
        if (wrong == 6 && name == "step.deep.a") tensor = from_vector(std::vector<int64_t>{3, 3}, {2});
      }
      if (wrong == 4) bad.emplace_back("pull.deep.c", zeros({2}, Dtype::f64));
      CHECK_THROWS_WITH_AS(run.optimizer.load_state(bad), doctest::Contains("does not fit this recorder"), Error);
      const nn::StateDict now = run.optimizer.state();
      int64_t changed = now.size() != good.size();
      for (size_t i = 0; i < std::min(now.size(), good.size()); ++i) changed += !bit_equal(now[i].second, good[i].second);
      CHECK(changed == 0);
    }
  }
}
