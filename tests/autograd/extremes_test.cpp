// Every rule of every op in f32 against the same op in f64, at arguments where a rule computed from rounded results fails:
// large, tiny, equal, saturated; and at special values, infinity and NaN among them.
//
// Both start from the same f32 numbers. Of ops that work element by element each gradient must agree to 2e-5 of itself. Where
// terms are added up, the error is relative to the largest gradient of the tensor.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/op_cases.h"

using namespace vitrail;

namespace {

using testing::OpSample;
constexpr double kInf = std::numeric_limits<double>::infinity(), kNaN = std::numeric_limits<double>::quiet_NaN();

const std::set<std::string> kElementwise{
    "add",        "sub",     "mul",    "div",      "pow",  "maximum",    "minimum",         "where",  "rsub",           "rdiv",
    "neg",        "abs",     "square", "sqrt",     "rsqrt", "reciprocal", "exp",             "log",    "sin",            "cos",
    "tanh",       "erf",     "clamp",  "relu",     "elu",  "leaky_relu", "sigmoid",         "softplus", "silu",         "gelu",
    "mse_loss",   "l1_loss", "kl_div", "prod",     "sum",  "mean",       "smooth_l1_loss",  "bce_with_logits", "logsumexp"};

struct Outcome {
  Tensor value;
  std::vector<Tensor> gradients;
};

// The op on copies of `values` in one dtype; an input that needs no gradient in the sample needs none here.
Outcome run(const OpSample& sample, const std::vector<Tensor>& values, Dtype dtype) {
  std::vector<Variable> inputs;
  for (size_t i = 0; i < values.size(); ++i) {
    const Variable& like = sample.inputs[i];
    size_t twin = i;
    for (size_t j = 0; j < i; ++j) {
      if (like.defined() && sample.inputs[j].meta() == like.meta()) twin = j;
    }
    if (twin != i) {
      inputs.push_back(inputs[twin]);
    } else if (!like.defined()) {
      inputs.emplace_back();
    } else {
      inputs.emplace_back(clone(is_float(values[i].dtype()) ? to(values[i], dtype) : values[i]), like.requires_grad());
    }
  }
  const Variable y = sample.fn(inputs);
  if (y.requires_grad()) y.backward(to(to(rand_normal(y.shape(), 0, 1, Rng(5)), Dtype::f32), dtype));
  Outcome outcome{to(y.value(), Dtype::f64), {}};
  for (const Variable& x : inputs) {
    const bool has = x.defined() && x.requires_grad() && x.grad().defined();
    outcome.gradients.push_back(has ? to(x.grad(), Dtype::f64) : Tensor());
  }
  return outcome;
}

bool all_finite(const Tensor& x) { return x.numel() == 0 || min(to(isfinite(x), Dtype::f64)).item() == 1; }

// The first element that differs by more than the tolerance, or "".
std::string difference(const Tensor& found, const Tensor& wanted, bool by_element, double floor = 0) {
  constexpr double kTolerance = 2e-5, kSmallest = 1e-37, kLargest = 3.3e38;
  const std::vector<double> f = to_vector<double>(found), w = to_vector<double>(wanted);
  double largest = floor;
  for (const double v : w) largest = std::max(largest, std::isfinite(v) ? std::abs(v) : 0);
  for (size_t i = 0; i < w.size(); ++i) {
    if (std::isnan(f[i]) && std::isnan(w[i])) continue;
    if (std::abs(w[i]) > kLargest && std::isinf(f[i]) && std::signbit(f[i]) == std::signbit(w[i])) continue;
    const double allowed = kTolerance * (by_element ? std::abs(w[i]) : largest) + kSmallest;
    if (std::abs(f[i] - w[i]) <= allowed) continue;
    return cat("element ", i, ": f32 gives ", f[i], ", f64 ", w[i]);
  }
  return {};
}

// How a sample's own values become an argument that is hard for the rule.
struct Change {
  std::string name;
  std::function<Tensor(const Tensor&)> change;
};
const std::vector<Change> kChanges{
    {"as they are", [](const Tensor& x) { return x; }},
    {"large", [](const Tensor& x) { return x * 1e7; }},
    {"tiny", [](const Tensor& x) { return x * 1e-12; }},
    {"very tiny", [](const Tensor& x) { return x * 1e-25; }},
    {"saturated", [](const Tensor& x) { return x * 12; }},
    {"equal", [](const Tensor& x) { return x.numel() == 0 ? x : full(x.shape(), max(x).item(), x.dtype()); }},
    {"equal and large", [](const Tensor& x) { return x.numel() == 0 ? x : full(x.shape(), 1e7 * max(x).item(), x.dtype()); }},
};

}  // namespace

TEST_CASE("gradients in f32 agree with f64 at large, tiny, equal and saturated arguments") {
  // In these, terms of the size of dy cancel: the error is relative to the largest gradient of all inputs and to 1. Other
  // scales change the condition of the norms itself, for any rule; of attention they are the saturated scores.
  const std::set<std::string> cancelling{"attention", "qkv_attention", "layer_norm", "rms_norm", "group_norm", "batch_norm"};
  int compared = 0;
  std::set<std::string> done;
  for (const auto& op : testing::op_cases()) {
    for (const OpSample& sample : op.samples) {
      for (const Change& change : kChanges) {
        const bool cancels = cancelling.count(op.name) > 0;
        const bool attends = op.name == "attention" || op.name == "qkv_attention";
        const bool bounded = change.name == "tiny" || change.name == "very tiny" || change.name == "saturated" || change.name == "equal";
        if (cancels && change.name != "as they are" && !(attends && bounded)) continue;
        if (op.name == "clamp" && sample.label == "outside") continue;  // scaled values meet its bounds, where the slope jumps
        std::vector<Tensor> values;
        for (const Variable& x : sample.inputs)
          values.push_back(x.defined() ? to(to(change.change(x.value()), Dtype::f32), Dtype::f64) : Tensor());
        Outcome single, wide;
        try {
          wide = run(sample, values, Dtype::f64);
          single = run(sample, values, Dtype::f32);
        } catch (const Error&) {
          continue;  // a constant of the sample is f64, or the changed target is out of range
        }
        if (!all_finite(single.value) || !all_finite(wide.value)) continue;  // the value itself is out of range
        double floor = cancels ? 1 : 0;
        if (sample.label == "width 1") floor = 1000;  // a difference that is 0 but for rounding, times rstd = 1 / sqrt(eps)
        for (const Tensor& g : wide.gradients) {
          if (cancels && g.defined() && g.numel() > 0) floor = std::max(floor, max(abs(g)).item());
        }
        for (size_t i = 0; i < wide.gradients.size(); ++i) {
          if (!wide.gradients[i].defined() || !all_finite(wide.gradients[i])) continue;
          const std::string found = difference(single.gradients[i], wide.gradients[i], kElementwise.count(op.name) > 0, floor);
          INFO(op.name << ", " << sample.label << ", " << change.name << ", gradient of input " << i);
          CHECK(found == "");
          ++compared;
          done.insert(op.name);
        }
      }
    }
  }
  CHECK(compared > 2000);
  for (const auto& op : testing::op_cases()) {
    INFO(op.name);
    CHECK((done.count(op.name) == 1 || op.name == "to"));
  }
}

namespace {

// 32 values at which functions change their form in f32.
const std::vector<double> kSpecial{0.0,   -0.0,  1,     -1,    0.5,   -0.5,   2,     -3,    8,     -8,  15,
                                   -15,   20,    -20,   45,    -45,   88.5,   -88.5, 104,   -104,  1e7, -1e7,
                                   1e-10, -1e-10, 1e-30, 1e-38, 1.5e-44, 1e30, 3e38, -3e38, kInf,  -kInf};

}  // namespace

TEST_CASE("functions of one number: value and gradient at 32 special values and NaN, f32 as f64") {
  const std::set<std::string> binary{"add", "sub", "mul", "div", "pow", "maximum", "minimum", "where"};
  for (const auto& op : testing::op_cases()) {
    const OpSample& sample = op.samples[0];
    if (kElementwise.count(op.name) == 0 || binary.count(op.name) || sample.inputs.size() != 1) continue;
    if (op.name == "sum" || op.name == "mean" || op.name == "prod" || op.name == "logsumexp") continue;
    for (double v : kSpecial) {
      const auto at = static_cast<double>(static_cast<float>(v));
      const std::vector<Tensor> values{full({2}, at, Dtype::f64)};
      const Outcome single = run(sample, values, Dtype::f32), wide = run(sample, values, Dtype::f64);
      INFO(op.name << " at " << at);
      CHECK(difference(single.value, wide.value, true) == "");
      // Where f32 has rounded the value to infinity or 0 the rule may follow it (exp: y' = y).
      const bool in_range = std::isinf(single.value.at({0})) == std::isinf(wide.value.at({0}));
      if (in_range) CHECK(difference(single.gradients[0], wide.gradients[0], true) == "");
    }
    const Outcome nan = run(sample, {full({2}, kNaN, Dtype::f64)}, Dtype::f32);
    INFO(op.name << " at NaN");
    const bool linear = op.name == "neg" || op.name == "rsub";
    CHECK(std::isnan(nan.value.at({0})));
    CHECK((linear || std::isnan(nan.gradients[0].at({0})) || nan.gradients[0].at({0}) != 0));
  }
}

TEST_CASE("functions of two numbers: value and gradient at all pairs of special values, f32 as f64") {
  for (const auto& op : testing::op_cases()) {
    if (op.name != "mul" && op.name != "div" && op.name != "pow" && op.name != "maximum" && op.name != "minimum" &&
        op.name != "bce_with_logits" && op.name != "kl_div" && op.name != "smooth_l1_loss")
      continue;
    const OpSample& sample = op.samples[0];
    std::vector<double> left, right;
    for (const double a : kSpecial) {
      for (const double b : kSpecial) left.push_back(a), right.push_back(b);
    }
    const Shape shape{static_cast<int64_t>(left.size()), 1};
    const std::vector<Tensor> values{to(to(from_vector(left, shape), Dtype::f32), Dtype::f64),
                                     to(to(from_vector(right, shape), Dtype::f32), Dtype::f64)};
    OpSample free = sample;
    for (Variable& x : free.inputs) x = Variable(x.value(), true);
    const Outcome single = run(free, values, Dtype::f32), wide = run(free, values, Dtype::f64);
    INFO(op.name);
    for (size_t i = 0; i < 2; ++i) {
      const std::vector<double> s = to_vector<double>(single.gradients[i]), w = to_vector<double>(wide.gradients[i]);
      for (size_t k = 0; k < left.size(); ++k) {
        INFO("at " << left[k] << ", " << right[k] << ", gradient of input " << i << ": f32 " << s[k] << ", f64 " << w[k]);
        CHECK(difference(from_vector(std::vector<double>{s[k]}, {1}), from_vector(std::vector<double>{w[k]}, {1}), true) == "");
      }
    }
  }
}

// ---- the rules that the headers state, number by number ----

namespace {

Variable leaf(const std::vector<double>& values, Dtype dtype = Dtype::f32) {
  return Variable(to(from_vector(values, Shape{static_cast<int64_t>(values.size())}), dtype), true);
}

std::vector<double> gradient(const std::function<Variable(const Variable&)>& fn, const std::vector<double>& at) {
  const Variable x = leaf(at);
  const Variable y = fn(x);
  y.backward(ones(y.shape()));
  return to_vector<double>(x.grad());
}

void check_gradient(const std::function<Variable(const Variable&)>& fn, const std::vector<double>& at,
                    const std::vector<double>& wanted) {
  const std::vector<double> found = gradient(fn, at);
  for (size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    CAPTURE(at[i]);
    if (std::isnan(wanted[i])) {
      CHECK(std::isnan(found[i]));
    } else if (std::isinf(wanted[i])) {
      CHECK(found[i] == wanted[i]);
    } else {
      CHECK(std::abs(found[i] - wanted[i]) <= 2e-6 * std::abs(wanted[i]));
    }
  }
}

}  // namespace

TEST_CASE("gradients are computed from the arguments, not from results that were rounded") {
  check_gradient([](const Variable& x) { return sigmoid(x); }, {15, -15, 40}, {3.0590213e-7, 3.0590213e-7, 4.2483543e-18});
  check_gradient([](const Variable& x) { return tanh(x); }, {8, -8, 20}, {4.5014084e-7, 4.5014084e-7, 1.6993417e-17});
  check_gradient([](const Variable& x) { return logsumexp(x); }, {1e7, 1e7}, {0.5, 0.5});
  check_gradient([](const Variable& x) { return prod(x); }, {1e-25, 1e-25}, {1e-25, 1e-25});
  check_gradient([](const Variable& x) { return prod(x); }, {1e30, 1e30, 1e-30}, {1, 1, kInf});
  check_gradient([](const Variable& x) { return rsqrt(x) * 1e-10; }, {1e-26}, {-5e28});
  check_gradient([](const Variable& x) { return reciprocal(x) * 1e-10; }, {1e-22}, {-1e34});
  check_gradient([](const Variable& x) { return var(x, {}, false, 0); }, {16777214, 16777215, 16777216}, {-2.0 / 3, 0, 2.0 / 3});
  check_gradient([](const Variable& x) { return bce_with_logits(x, ones({1})); }, {20}, {-2.0611537e-9});
  check_gradient([](const Variable& x) { return bce_with_logits(x, zeros({1})); }, {-20}, {2.0611537e-9});
  check_gradient([](const Variable& x) { return smooth_l1_loss(x, zeros({1})); }, {1e-9}, {1e-9});
  check_gradient([](const Variable& x) { return slice(softmax(x), 0, 0, 1); }, {20, 0}, {2.0611537e-9, -2.0611537e-9});
  check_gradient([](const Variable& x) { return slice(log_softmax(x), 0, 0, 1); }, {20, 0}, {2.0611537e-9, -2.0611537e-9});
  check_gradient([](const Variable& x) { return cross_entropy(unsqueeze(x, 0), zeros({1}, Dtype::i64)); }, {20, 0},
                 {-2.0611537e-9, 2.0611537e-9});
}

TEST_CASE("a NaN never gets a gradient of 0: piecewise linear functions pass dy on, as in y") {
  check_gradient([](const Variable& x) { return relu(x); }, {kNaN, -1, 0, 1, kInf, -kInf}, {1, 0, 0, 1, 1, 0});
  check_gradient([](const Variable& x) { return clamp(x, -1, 1); }, {kNaN, -2, -1, 0, 1, 2, kInf}, {1, 0, 1, 1, 1, 0, 0});
  check_gradient([](const Variable& x) { return abs(x); }, {kNaN, -1, 0, kInf, -kInf}, {kNaN, -1, 0, 1, -1});
  check_gradient([](const Variable& x) { return leaky_relu(x, 0.25); }, {kNaN, -1, 0, kInf}, {0.25, 0.25, 0.25, 1});
  check_gradient([](const Variable& x) { return elu(x); }, {kNaN, -kInf, 0, kInf}, {kNaN, 0, 1, 1});
  check_gradient([](const Variable& x) { return max(x); }, {1, kNaN, 3, kNaN}, {0, 0.5, 0, 0.5});
  check_gradient([](const Variable& x) { return min(x); }, {1, kNaN, 3, 1}, {0, 1, 0, 0});
  check_gradient([](const Variable& x) { return max(x); }, {kInf, 1, kInf}, {0.5, 0, 0.5});
  const Variable other = leaf({1, kNaN, kNaN, 2, 1});
  check_gradient([&](const Variable& x) { return maximum(x, other); }, {kNaN, 1, kNaN, 3, 1}, {1, 1, 1, 1, 0.5});
  check_gradient([&](const Variable& x) { return minimum(x, other); }, {kNaN, 1, kNaN, 3, 1}, {1, 1, 1, 0, 0.5});
}

TEST_CASE("gradients at infinity are the limits") {
  check_gradient([](const Variable& x) { return silu(x); }, {kInf, -kInf, kNaN}, {1, 0, kNaN});
  check_gradient([](const Variable& x) { return gelu(x); }, {kInf, -kInf, kNaN}, {1, 0, kNaN});
  check_gradient([](const Variable& x) { return gelu(x, Gelu::kTanh); }, {kInf, -kInf, kNaN}, {1, 0, kNaN});
  check_gradient([](const Variable& x) { return gelu(x, Gelu::kQuick); }, {kInf, -kInf, kNaN}, {1, 0, kNaN});
  check_gradient([](const Variable& x) { return sigmoid(x); }, {kInf, -kInf, kNaN}, {0, 0, kNaN});
  check_gradient([](const Variable& x) { return tanh(x); }, {kInf, -kInf, kNaN}, {0, 0, kNaN});
  check_gradient([](const Variable& x) { return softplus(x); }, {kInf, -kInf, kNaN}, {1, 0, kNaN});
  check_gradient([](const Variable& x) { return rsqrt(x); }, {kInf, 0}, {0, -kInf});
  check_gradient([](const Variable& x) { return logsumexp(x); }, {kInf, 1}, {1, 0});
  check_gradient([](const Variable& x) { return logsumexp(x); }, {kInf, 1, kInf, -kInf}, {0.5, 0, 0.5, 0});
  check_gradient([](const Variable& x) { return logsumexp(x); }, {-kInf, -kInf}, {0, 0});
  check_gradient([](const Variable& x) { return logsumexp(x); }, {kNaN, 1}, {kNaN, kNaN});
  const Variable t(from_vector(std::vector<float>{1, 0, 0, 1, 0.5F}, {5}));
  const std::vector<double> logits{kInf, -kInf, kInf, -kInf, kInf};
  check_gradient([&](const Variable& x) { return bce_with_logits(x, t, Reduction::kNone); }, logits, {0, 0, 1, -1, 0.5});
  const Tensor loss = bce_with_logits(leaf(logits), t, Reduction::kNone).value();
  CHECK(to_vector<double>(loss) == std::vector<double>{0, 0, kInf, kInf, kInf});
  const Variable p(from_vector(std::vector<float>{0, 1, 0}, {3}), true), log_q = leaf({-kInf, 0, kNaN});
  const Variable divergence = kl_div(log_q, p, Reduction::kNone);
  divergence.backward(ones({3}));
  CHECK(divergence.value().at({0}) == 0);
  CHECK(divergence.value().at({1}) == 0);
  CHECK(std::isnan(divergence.value().at({2})));
  CHECK(to_vector<double>(log_q.grad()) == std::vector<double>{0, -1, 0});
  CHECK(to_vector<double>(p.grad()) == std::vector<double>{0, 1, 0});
}
