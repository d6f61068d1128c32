// Lab 4: a tree of parameters, and the layers in plain loops. The loops are called directly, so that each exercise stands
// alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "labs/common/lab.h"
#include "nn/init.h"
#include "nn/module.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/dropout.h"
#include "tensor/reference/gelu.h"
#include "tensor/reference/linear.h"
#include "tensor/reference/loss.h"
#include "tensor/reference/norm.h"
#include "tensor/reference/softmax.h"
#include "tensor/view.h"

using namespace vitrail;
using Values = std::vector<double>;
using Names = std::vector<std::string>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(), kNan = std::numeric_limits<double>::quiet_NaN();

Tensor vec(const Values& values) { return from_vector(values, Shape{static_cast<int64_t>(values.size())}); }
Tensor counting(const Shape& shape) {
  return reshape(arange(1, static_cast<double>(checked_numel(shape)) + 1, 1, Dtype::f64), shape);
}
double inner(const Tensor& a, const Tensor& b) { return sum(mul(a, b)).item(); }
// Memory that shows what was not written to.
Tensor fresh(const Shape& shape, Dtype dtype = Dtype::f64) { return full(shape, -77, dtype); }

// d f(x) / dx by central differences, element by element.
Tensor slope_of(const std::function<double(const Tensor&)>& f, const Tensor& x) {
  const double eps = 1e-6;
  Tensor point = clone(x), slope = empty_like(point);
  for (int64_t i = 0; i < point.numel(); ++i) {
    const double before = point.data<double>()[i];
    point.mutable_data<double>()[i] = before + eps;
    const double high = f(point);
    point.mutable_data<double>()[i] = before - eps;
    const double low = f(point);
    point.mutable_data<double>()[i] = before;
    slope.mutable_data<double>()[i] = (high - low) / (2 * eps);
  }
  return slope;
}

}  // namespace

// ---- 4.1 ----

namespace {

struct Leaf : nn::Module {
  explicit Leaf(double first) : a(vec({first, first + 1}), true), b(vec({first + 2}), true), running(vec({first + 3})) {
    register_parameter("a", a);
    register_parameter("b", b);
    register_buffer("running", running);
  }
  Variable a, b;
  Tensor running;
};

struct Branch : nn::Module {
  explicit Branch(double first) : inner(first), v(vec({first + 5, first + 6, first + 7}), true) {
    register_module("inner", inner);
    register_parameter("v", v);
  }
  Leaf inner;
  Variable v;
};

struct Tree : nn::Module {
  Tree() : w(vec({1}), true), left(10), right(20), deep(30) {
    register_module("left", left);
    register_module("right", right);
    register_parameter("w", w);
    register_module("deep", deep);
  }
  Variable w;
  Leaf left, right;
  Branch deep;
};

struct Shared : nn::Module {  // one module under two names, and two parameters that are left out
  Shared() : leaf(40) {
    register_module("first", leaf);
    register_module("second", leaf);
    register_parameter("none", none);
    register_parameter("neither", neither);
  }
  Leaf leaf;
  Variable none, neither;
};

Names names_of(nn::Module& module) {
  Names names;
  for (const nn::NamedParameter& p : module.named_parameters()) names.push_back(p.name);
  return names;
}

nn::StateDict copied(nn::Module& module) {
  nn::StateDict state;
  for (const auto& [name, value] : module.state_dict()) state.emplace_back(name, clone(value));
  return state;
}

Names keys_of(const nn::StateDict& state) {
  Names keys;
  for (const auto& entry : state) keys.push_back(entry.first);
  return keys;
}

Tensor* find(nn::StateDict& state, const std::string& key) {
  for (auto& [name, value] : state) {
    if (name == key) return &value;
  }
  return nullptr;
}

void remove(nn::StateDict& state, const std::string& key) {
  std::erase_if(state, [&](const auto& entry) { return entry.first == key; });
}

Names sorted(Names names) {
  std::sort(names.begin(), names.end());
  return names;
}

Names mismatching(const nn::LoadReport& report) {
  Names keys;
  for (const auto& m : report.mismatching) keys.push_back(m.key);
  return sorted(keys);
}

// The report of a load that must be refused.
nn::LoadReport refused(nn::Module& module, const nn::StateDict& state, const nn::LoadOptions& options = {}) {
  try {
    module.load_state_dict(state, options);
  } catch (const nn::LoadError& e) {
    return e.report;
  }
  throw std::runtime_error("the state was accepted, although it does not fit");
}

// A state of a Tree with nine faults of three kinds: 2 missing, 3 unexpected, 4 of another shape or kind of number.
nn::StateDict faulty() {
  Tree source;
  nn::StateDict state = copied(source);
  for (auto& entry : state) entry.second = mul(entry.second, 100);
  remove(state, "left.b");
  remove(state, "deep.inner.running");
  for (const char* key : {"left.c", "head.weight", "deep.v.extra"}) state.emplace_back(key, vec({5}));
  *find(state, "w") = vec({1, 2});
  *find(state, "right.a") = reshape(*find(state, "right.a"), {2, 1});
  *find(state, "deep.v") = vec({1, 2});
  *find(state, "deep.inner.a") = from_vector(std::vector<int64_t>{1, 2}, {2});
  return state;
}

std::string text_of(const nn::LoadReport& r) {
  return cat("missing ", sorted(r.missing).size(), " unexpected ", r.unexpected.size(), " mismatching ", r.mismatching.size(),
             " loaded ", r.loaded.size());
}

std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

std::string values_of(nn::Module& module) {
  std::string text;
  for (const auto& entry : module.state_dict()) text += lab::digits(entry.second, 4) + " ";
  return text;
}

}  // namespace

LAB_PROBE("4.1") {
  Tree tree;
  return joined(names_of(tree));
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  return joined(names_of(tree)) + joined(keys_of(tree.state_dict()));
}
LAB_PROBE("4.1") {
  Shared shared;
  return joined(names_of(shared)) + cat(shared.named_modules().size());
}
LAB_PROBE("4.1") {
  Tree tree;
  try {
    return "accepted " + text_of(tree.load_state_dict(faulty()));
  } catch (const nn::LoadError& e) {
    return "refused " + text_of(e.report) + " " + values_of(tree);
  }
}
LAB_PROBE("4.1") {
  Tree tree;
  std::string text;
  for (const nn::LoadOptions& options :
       {nn::LoadOptions{.allow_missing = true, .allow_unexpected = true, .allow_mismatching = true},
        nn::LoadOptions{.allow_missing = true, .allow_unexpected = true}}) {
    try {
      text += text_of(tree.load_state_dict(faulty(), options)) + values_of(tree);
    } catch (const nn::LoadError&) {
      text += "refused ";
    }
  }
  return text;
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  nn::StateDict state = copied(tree);
  remove(state, "right.a");
  return text_of(tree.load_state_dict(state));
}
LAB_PROBE("4.1") {
  Tree tree;
  tree.right.a = tree.left.a;
  nn::StateDict state = copied(tree);
  *find(state, "right.a") = vec({7, 8});
  try {
    return text_of(tree.load_state_dict(state)) + values_of(tree);
  } catch (const nn::LoadError& e) {
    return "refused " + text_of(e.report);
  }
}

TEST_SUITE("4.1") {
  TEST_CASE("paths and order: a module's own parameters, then its modules, as they were registered") {
    Tree tree;
    CHECK(names_of(tree) == Names{"w", "left.a", "left.b", "right.a", "right.b", "deep.v", "deep.inner.a", "deep.inner.b"});
    CHECK(tree.named_parameters()[1].parameter == &tree.left.a);
    CHECK(tree.num_parameters() == 13);
  }
  TEST_CASE("the state lists parameters, then buffers, by the same paths") {
    Tree tree;
    CHECK(keys_of(tree.state_dict()) == Names{"w", "left.a", "left.b", "right.a", "right.b", "deep.v", "deep.inner.a",
                                              "deep.inner.b", "left.running", "right.running", "deep.inner.running"});
  }
  TEST_CASE("tied weights are one parameter with two keys") {
    Tree tree;
    tree.right.a = tree.left.a;
    CHECK(names_of(tree) == Names{"w", "left.a", "left.b", "right.b", "deep.v", "deep.inner.a", "deep.inner.b"});
    CHECK(tree.num_parameters() == 11);
    CHECK(tree.state_dict().size() == 11);
  }
  TEST_CASE("a module under two names is one module, and parameters that are left out are not tied to each other") {
    Shared shared;
    CHECK(names_of(shared) == Names{"none", "neither", "first.a", "first.b"});
    CHECK(shared.named_modules().size() == 2);
  }
  TEST_CASE("what was taken from one tree goes into another, into the memory that it has") {
    Tree source, target;
    for (const auto& entry : source.state_dict()) mul_(entry.second, -3);
    const Tensor memory = target.deep.inner.a.value();
    const nn::LoadReport report = target.load_state_dict(copied(source));
    CHECK(report.complete());
    CHECK(report.loaded.size() == 11);
    CHECK(values_of(target) == values_of(source));
    CHECK(target.deep.inner.a.value().storage() == memory.storage());
  }
  TEST_CASE("all faults are listed at once") {
    Tree tree;
    const nn::LoadReport report = refused(tree, faulty());
    CHECK(sorted(report.missing) == Names{"deep.inner.running", "left.b"});
    CHECK(sorted(report.unexpected) == Names{"deep.v.extra", "head.weight", "left.c"});
    CHECK(mismatching(report) == Names{"deep.inner.a", "deep.v", "right.a", "w"});
    CHECK(sorted(report.loaded) == Names{"deep.inner.b", "left.a", "left.running", "right.b", "right.running"});
  }
  TEST_CASE("a state that is refused changes nothing") {
    Tree tree;
    const std::string before = values_of(tree);
    refused(tree, faulty());
    CHECK(values_of(tree) == before);
  }
  TEST_CASE("each kind of fault can be allowed, and allows no other") {
    for (int allowed = 0; allowed < 8; ++allowed) {
      CAPTURE(allowed);
      Tree tree;
      const nn::LoadOptions options{
          .allow_missing = (allowed & 1) != 0, .allow_unexpected = (allowed & 2) != 0, .allow_mismatching = (allowed & 4) != 0};
      bool accepted = true;
      try {
        tree.load_state_dict(faulty(), options);
      } catch (const nn::LoadError&) {
        accepted = false;
      }
      CHECK(accepted == (allowed == 7));
      CHECK(tree.right.b.value().item() == (accepted ? 2200 : 22));
      CHECK(tree.left.b.value().item() == 12);
    }
    Tree tree;
    nn::StateDict state = copied(tree);
    remove(state, "w");
    CHECK(tree.load_state_dict(state, {.allow_missing = true}).missing == Names{"w"});
  }
  TEST_CASE("of a tied parameter one name is enough; two values for it are a fault") {
    Tree tree;
    tree.right.a = tree.left.a;
    nn::StateDict state = copied(tree);
    remove(state, "left.a");
    *find(state, "right.a") = vec({7, 8});
    CHECK(tree.load_state_dict(state).complete());
    CHECK(lab::difference(tree.left.a.value(), vec({7, 8}), 0) == "");
    nn::StateDict both = copied(tree);
    *find(both, "right.a") = vec({7, 9});
    CHECK(mismatching(refused(tree, both)) == Names{"right.a"});
  }
}

// ---- 4.2 ----

namespace {

Tensor forward_of(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Shape shape = x.shape();
  shape[shape.size() - 1] = weight.size(0);
  const Tensor y = fresh(shape, x.dtype());
  reference::linear(x, weight, bias, y, false);
  return y;
}

Tensor input_gradient(const Tensor& dy, const Tensor& weight) {
  Shape shape = dy.shape();
  shape[shape.size() - 1] = weight.size(1);
  const Tensor dx = fresh(shape);
  reference::linear_backward_input(dy, weight, dx, false);
  return dx;
}

Tensor weight_gradient(const Tensor& dy, const Tensor& x) {
  const Tensor dw = fresh({dy.size(-1), x.size(-1)});
  reference::linear_backward_weight(dy, x, dw, false, false);
  return dw;
}

Tensor bias_gradient(const Tensor& dy) {
  const Tensor db = fresh({dy.size(-1)});
  reference::linear_backward_bias(dy, db);
  return db;
}

}  // namespace

LAB_PROBE("4.2") { return lab::digits(forward_of(counting({1, 2, 3}), counting({2, 3}), vec({100, 1000})), 4); }
LAB_PROBE("4.2") { return lab::digits(forward_of(reshape(vec({1e8, 1, -1e8}), {1, 3}), ones({1, 3}, Dtype::f64), {}), 4); }
LAB_PROBE("4.2") { return lab::digits(forward_of(counting({2, 2}), mul(counting({2, 2}), 3), {}), 4); }
LAB_PROBE("4.2") { return lab::digits(input_gradient(counting({2, 1, 2}), counting({2, 3})), 4); }
LAB_PROBE("4.2") { return lab::digits(weight_gradient(counting({3, 1, 2}), counting({3, 1, 3})), 4); }
LAB_PROBE("4.2") {
  const Tensor dw = full({2, 3}, 1000, Dtype::f64);
  reference::linear_backward_weight(counting({3, 2}), counting({3, 3}), dw, true, false);
  return lab::digits(dw, 4);
}
LAB_PROBE("4.2") { return lab::digits(bias_gradient(counting({2, 2, 3})), 4); }

TEST_SUITE("4.2") {
  TEST_CASE("one row by hand: x = (1, 2, 3), W has the rows (1, 0, 2) and (0, 1, 0)") {
    const Tensor x = reshape(vec({1, 2, 3}), {1, 3}), w = reshape(vec({1, 0, 2, 0, 1, 0}), {2, 3});
    CHECK(lab::difference(forward_of(x, w, vec({10, 20})), reshape(vec({17, 22}), {1, 2}), 0) == "");
    CHECK(lab::difference(forward_of(x, w, {}), reshape(vec({7, 2}), {1, 2}), 0) == "");
    const Tensor dy = reshape(vec({5, 7}), {1, 2});
    CHECK(lab::difference(input_gradient(dy, w), reshape(vec({5, 7, 10}), {1, 3}), 0) == "");
    CHECK(lab::difference(weight_gradient(dy, x), reshape(vec({5, 10, 15, 7, 14, 21}), {2, 3}), 0) == "");
  }
  TEST_CASE("any number of axes in front, any strides, against a product of matrices") {
    for (const Shape& lead : std::vector<Shape>{{4}, {2, 3}, {2, 1, 3}, {1}}) {
      CAPTURE(lead);
      Shape of_x = lead;
      of_x.push_back(5);
      const Tensor x = lab::random(of_x, 10), w = lab::random({3, 5}, 11), b = lab::random({3}, 12);
      CHECK(lab::difference(forward_of(x, w, b), add(matmul(x, transpose(w)), b), 1e-12) == "");
      CHECK(lab::difference(forward_of(x, w, {}), matmul(x, transpose(w)), 1e-12) == "");
    }
  }
  TEST_CASE("a square weight is not its own transpose") {
    const Tensor x = lab::random({4, 4}, 13), w = lab::random({4, 4}, 14), dy = lab::random({4, 4}, 15);
    CHECK(lab::difference(forward_of(x, w, {}), matmul(x, transpose(w)), 1e-12) == "");
    CHECK(lab::difference(input_gradient(dy, w), matmul(dy, w), 1e-12) == "");
    CHECK(lab::difference(weight_gradient(dy, x), matmul(transpose(dy), x), 1e-12) == "");
  }
  TEST_CASE("<x V^T, dy> = <x, dx> and so on: each gradient is the adjoint of its input's way") {
    const Tensor x = lab::random({2, 3, 5}, 16), w = lab::random({4, 5}, 17), dy = lab::random({2, 3, 4}, 18);
    const Tensor u = lab::random({2, 3, 5}, 19), v = lab::random({4, 5}, 20), c = lab::random({4}, 21);
    CHECK(inner(u, input_gradient(dy, w)) == doctest::Approx(inner(forward_of(u, w, {}), dy)).epsilon(1e-9));
    CHECK(inner(v, weight_gradient(dy, x)) == doctest::Approx(inner(forward_of(x, v, {}), dy)).epsilon(1e-9));
    CHECK(inner(c, bias_gradient(dy)) == doctest::Approx(inner(forward_of(zeros_like(x), w, c), dy)).epsilon(1e-9));
  }
  TEST_CASE("the weight's gradient can be added to what is there") {
    const Tensor x = lab::random({6, 5}, 22), dy = lab::random({6, 4}, 23), before = lab::random({4, 5}, 24),
                 dw = clone(before);
    reference::linear_backward_weight(dy, x, dw, true, false);
    CHECK(lab::difference(dw, add(before, weight_gradient(dy, x)), 1e-12) == "");
  }
  TEST_CASE("in f32 the sums are taken in double") {
    const Tensor x = to(vec({1e8, 1, -1e8}), Dtype::f32), ones_row = ones({1, 3});
    CHECK(forward_of(reshape(x, {1, 3}), ones_row, {}).item() == 1);
  }
}

#include "labs/lab4/tests_losses.h"
#include "labs/lab4/tests_norms.h"
