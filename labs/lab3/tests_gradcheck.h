// Suite 3.7: the gradient checker is graded by rules, right ones that it must accept and wrong ones that it must reject.
// Included by tests.cpp.
#pragma once

namespace {

struct Rule {
  const char* name;
  std::vector<Tensor> inputs;
  std::function<Tensor(const std::vector<Tensor>& x)> value;
  // The gradients of the inputs, from dy, the inputs and the value; an undefined one counts as 0.
  std::function<std::vector<Tensor>(const Tensor& dy, const std::vector<Tensor>& x, const Tensor& y)> gradients;
};

Function recorded(const Rule& rule) {
  return [rule](const std::vector<Variable>& in) {
    std::vector<Tensor> x;
    for (const Variable& v : in) x.push_back(v.value());
    const Tensor y = rule.value(x);
    return record("rule", y, in, [rule, x, y](const Tensor& dy, Grads& d) {
      const std::vector<Tensor> given = rule.gradients(dy, x, y);
      for (int i = 0; i < d.size(); ++i) d[i] = given[static_cast<size_t>(i)];
    });
  };
}

GradcheckResult verdict(const Rule& rule, const GradcheckOptions& options = {}) {
  std::vector<Variable> leaves;
  for (const Tensor& x : rule.inputs) leaves.emplace_back(x, true);
  return gradcheck(recorded(rule), leaves, options);
}

using In = const std::vector<Tensor>&;
using T = const Tensor&;

Tensor row_sum(T x) { return sum(x, {-1}, true); }
Tensor one_more(T x, const std::vector<int64_t>& at, double by) {  // x with one element changed
  Tensor y = clone(x);
  Tensor place = y;
  for (const int64_t i : at) place = select(place, 0, i);
  fill_(place, y.at(at) + by);
  return y;
}
Tensor softmax_of(In x) { return softmax(x[0]); }
Tensor product_of(In x) { return mul(x[0], x[1]); }

std::vector<Rule> right_rules() {
  const Tensor a = lab::random({3, 5}, 300), b = lab::random({3, 5}, 301), m = lab::random({4, 3}, 302);
  return {
      {"product",
       {a, b},
       product_of,
       [](T g, In x, T) {
         return std::vector{mul(g, x[1]), mul(g, x[0])};
       }},
      {"softmax", {a}, softmax_of, [](T g, In, T y) { return std::vector{mul(y, sub(g, row_sum(mul(g, y))))}; }},
      {"matrix product",
       {m, a},
       [](In x) { return matmul(x[0], x[1]); },
       [](T g, In x, T) {
         return std::vector{matmul(g, transpose(x[1])), matmul(transpose(x[0]), g)};
       }},
      {"exp", {a}, [](In x) { return exp(x[0]); }, [](T g, In, T y) { return std::vector{mul(g, y)}; }},
      {"sum of rows",
       {a},
       [](In x) { return sum(x[0], {1}); },
       [](T g, In x, T) { return std::vector{expand(unsqueeze(g, 1), x[0].shape())}; }},
      {"transposed", {a}, [](In x) { return transpose(x[0]); }, [](T g, In, T) { return std::vector{transpose(g)}; }},
      {"relu off its kink",
       {vec({-3, -1, 2, 4})},
       [](In x) { return relu(x[0]); },
       [](T g, In x, T) { return std::vector{mul(g, to(greater(x[0], scalar(0, Dtype::f64)), Dtype::f64))}; }},
      {"a constant but for rounding",
       {a},
       [](In x) { return sum(softmax(x[0]), {1}); },
       [](T, In x, T) { return std::vector{zeros_like(x[0])}; }},
      {"a constant, gradient left undefined",
       {a},
       [](In x) { return ones_like(x[0]); },
       [](T, In, T) { return std::vector<Tensor>(1); }},
      {"large gradients",
       {a},
       [](In x) { return mul(square(x[0]), 1e5); },
       [](T g, In x, T) { return std::vector{mul(mul(g, x[0]), 2e5)}; }},
      {"large inputs",
       {mul(add(a, 20), 1e7)},
       [](In x) { return mul(x[0], 4); },  // exact, so that only the step rounds
       [](T g, In, T) { return std::vector{mul(g, 4)}; }},
      {"strongly bent",
       {a},
       [](In x) { return sin(mul(x[0], 500)); },
       [](T g, In x, T) { return std::vector{mul(mul(g, cos(mul(x[0], 500))), 500)}; }},
  };
}

// Wrong rules of softmax: those above the line pass where the cotangent is all ones.
std::vector<Rule> wrong_softmaxes() {
  const std::vector<Tensor> a{lab::random({3, 5}, 310)};
  return {
      {"softmax: zero", a, softmax_of, [](T g, In, T) { return std::vector{zeros_like(g)}; }},
      {"softmax: g - S", a, softmax_of, [](T g, In, T y) { return std::vector{sub(g, row_sum(mul(g, y)))}; }},
      {"softmax: y (g - mean g)", a, softmax_of, [](T g, In, T y) { return std::vector{mul(y, sub(g, mean(g, {-1}, true)))}; }},
      {"softmax: y^2 (g - S)", a, softmax_of,
       [](T g, In, T y) { return std::vector{mul(square(y), sub(g, row_sum(mul(g, y))))}; }},
      // ----
      {"softmax: y (g + S)", a, softmax_of, [](T g, In, T y) { return std::vector{mul(y, add(g, row_sum(mul(g, y))))}; }},
      {"softmax: y g", a, softmax_of, [](T g, In, T y) { return std::vector{mul(y, g)}; }},
      {"softmax: the diagonal of its Jacobian", a, softmax_of,
       [](T g, In, T y) { return std::vector{mul(mul(g, y), rsub(1, y))}; }},
  };
}

std::vector<Rule> wrong_rules() {
  const Tensor a = lab::random({3, 5}, 320), b = lab::random({3, 5}, 321), s = lab::random({4, 4}, 322);
  const auto square_of = [](In x) { return square(x[0]); };
  std::vector<Rule> wrong = wrong_softmaxes();
  const std::vector<Rule> more{
      {"product: exchanged",
       {a, b},
       product_of,
       [](T g, In x, T) {
         return std::vector{mul(g, x[0]), mul(g, x[1])};
       }},
      {"product: the second input's",
       {a, b},
       product_of,
       [](T g, In x, T) {
         return std::vector{mul(g, x[1]), mul(g, x[1])};
       }},
      {"product: the last element of 15",
       {a, b},
       product_of,
       [](T g, In x, T) {
         return std::vector{one_more(mul(g, x[1]), {2, 4}, 0.01), mul(g, x[0])};
       }},
      {"square: half", {a}, square_of, [](T g, In x, T) { return std::vector{mul(g, x[0])}; }},
      {"square: minus", {a}, square_of, [](T g, In x, T) { return std::vector{mul(mul(g, x[0]), -2)}; }},
      {"square: one per cent too much", {a}, square_of, [](T g, In x, T) { return std::vector{mul(mul(g, x[0]), 2.02)}; }},
      {"square: dy forgotten", {a}, square_of, [](T, In x, T) { return std::vector{mul(x[0], 2)}; }},
      {"square: NaN",
       {a},
       square_of,
       [](T g, In x, T) {
         return std::vector{one_more(mul(mul(g, x[0]), 2), {1, 1}, kNan)};
       }},
      {"square: infinite",
       {a},
       square_of,
       [](T g, In x, T) {
         return std::vector{one_more(mul(mul(g, x[0]), 2), {0, 3}, INFINITY)};
       }},
      {"transposed: not turned back", {s}, [](In x) { return transpose(x[0]); }, [](T g, In, T) { return std::vector{g}; }},
      {"small numbers: twice too much",
       {a},
       [](In x) { return mul(x[0], 1e-3); },
       [](T g, In, T) { return std::vector{mul(g, 2e-3)}; }},
      {"matrix product: not transposed",
       {s, s},
       [](In x) { return matmul(x[0], x[1]); },
       [](T g, In x, T) {
         return std::vector{matmul(g, x[1]), matmul(x[0], g)};
       }},
      {"mean: sum's gradient",
       {a},
       [](In x) { return mean(x[0], {1}); },
       [](T g, In x, T) { return std::vector{expand(unsqueeze(g, 1), x[0].shape())}; }},
  };
  wrong.insert(wrong.end(), more.begin(), more.end());
  return wrong;
}

// The names of the rules that are judged otherwise than `ok`.
std::string misjudged(const std::vector<Rule>& rules, bool ok) {
  std::string names;
  for (const Rule& rule : rules) {
    if (verdict(rule).ok != ok) names += (names.empty() ? "" : "; ") + std::string(rule.name);
  }
  return names;
}

Rule square_rule(const Tensor& x, double factor) {
  return {"square",
          {x},
          [](In in) { return square(in[0]); },
          [factor](T g, In in, T) { return std::vector{mul(mul(g, in[0]), factor)}; }};
}

}  // namespace

namespace {

// f(x) = x with a gradient of 1.8, where half of the numeric derivative is allowed: 0.8 / 0.5.
GradcheckResult half_allowed() {
  const Rule rule{"1.8", {vec({1, 2})}, [](In x) { return mul(x[0], 1); }, [](T g, In, T) { return std::vector{mul(g, 1.8)}; }};
  return verdict(rule, {.atol = 0, .rtol = 0.5});
}

}  // namespace

LAB_PROBE("3.7") { return cat(half_allowed().ok, number_of(half_allowed().max_ratio)); }
LAB_PROBE("3.7") { return misjudged(right_rules(), true); }
LAB_PROBE("3.7") { return misjudged(wrong_rules(), false); }
LAB_PROBE("3.7") {  // x^2 + x y with both gradients too large by their own factors
  const Rule rule{"two", {vec({1, 2}), vec({3, 5})}, product_of, [](T g, In x, T) {
                    return std::vector{mul(one_more(mul(g, 0), {1}, 2), x[1]), mul(one_more(mul(g, 0), {0}, 3), x[0])};
                  }};
  const GradcheckResult r = verdict(rule);
  return cat(r.ok, number_of(r.max_error), r.message.substr(0, r.message.find(':')));
}
LAB_PROBE("3.7") {
  const Variable x = leaf({1, 2, 3});
  const GradcheckResult r = gradcheck([](const std::vector<Variable>& in) { return Variable(exp(in[0].value())); }, {x});
  return cat(r.ok, number_of(r.max_error));
}
LAB_PROBE("3.7") {
  int calls = 0;
  const Function fn = recorded(square_rule(vec({1, 2, 3, 4}), 2));
  const bool ok =
      gradcheck([&](const std::vector<Variable>& in) { return ++calls, fn(in); }, {leaf({1, 2, 3, 4})}, {.max_elements = 3}).ok;
  return cat(ok, " ", calls);
}
LAB_PROBE("3.7") {  // how many elements are moved, over all calls
  const Tensor a = vec({0.1, 0.7, 1.3, 2.9, 0.3, 5.1});
  int64_t moved = 0;
  const Function fn = recorded(square_rule(a, 2));
  const GradcheckResult r = gradcheck(
      [&](const std::vector<Variable>& in) {
        for (int64_t i = 0; i < 6; ++i) moved += in[0].value().at({i}) != a.at({i});
        return fn(in);
      },
      {Variable(a, true)});
  return cat(r.ok, " ", moved);
}
LAB_PROBE("3.7") {  // does a coarse step show a one-sided difference?
  const GradcheckResult r = verdict(square_rule(vec({1, 2, 3}), 2), {.eps = 0.5});
  return number_of(std::round(r.max_error * 1e6));
}

TEST_SUITE("3.7") {
  TEST_CASE("twelve right rules are accepted") {
    for (const Rule& rule : right_rules()) {
      const std::string rule_name = rule.name;
      CAPTURE(rule_name);
      const GradcheckResult r = verdict(rule);
      CHECK(r.message == "");
      CHECK(r.ok);
      CHECK(r.max_ratio <= 1);
    }
  }
  TEST_CASE("twenty wrong rules are rejected") {
    for (const Rule& rule : wrong_rules()) {
      const std::string rule_name = rule.name;
      CAPTURE(rule_name);
      const GradcheckResult r = verdict(rule);
      CHECK_FALSE(r.ok);
      CHECK(r.max_ratio > 1);
    }
  }
  TEST_CASE("the first failure is named, with input and element") {
    const Tensor a = lab::random({2, 3}, 330), b = lab::random({2, 3}, 331);
    const Rule rule{"late", {a, b}, product_of, [](T g, In x, T) {
                      return std::vector{mul(g, x[1]), one_more(one_more(mul(g, x[0]), {1, 1}, 1), {1, 2}, 1)};
                    }};
    const GradcheckResult r = verdict(rule);
    CHECK_FALSE(r.ok);
    CHECK(r.message.substr(0, 34) == "input 1 of shape [2, 3], element 4");
    CHECK(r.max_error == doctest::Approx(1).epsilon(1e-6));
  }
  TEST_CASE("the tolerance is a share of the numeric derivative") {
    const GradcheckResult r = half_allowed();
    CHECK_FALSE(r.ok);
    CHECK(r.max_ratio == doctest::Approx(1.6).epsilon(1e-6));
  }
  TEST_CASE("a function that cuts the graph fails, it does not throw") {
    const GradcheckResult r =
        gradcheck([](const std::vector<Variable>& in) { return Variable(exp(in[0].value())); }, {leaf({1, 2})});
    CHECK_FALSE(r.ok);
  }
  TEST_CASE("inputs are left as they were, to the bit, and one that needs no gradient is not checked") {
    const Tensor a = lab::random({3, 4}, 340), b = lab::random({3, 4}, 341);
    const Tensor before = clone(a);
    const Variable x(a, true), c(b, false);
    const Function fn = [](const std::vector<Variable>& in) {
      return record("half", mul(in[0].value(), in[1].value()), in,
                    [y = in[1].value()](const Tensor& dy, Grads& d) { d[0] = mul(dy, y); });
    };
    CHECK(gradcheck(fn, {x, c}).ok);
    CHECK(bit_equal(a, before));
    CHECK_FALSE(x.grad().defined());
  }
  TEST_CASE("each element that moves is put back before the next one moves") {
    const Tensor a = lab::random({6}, 350);
    int moved_at_most = 0;
    const Function fn = recorded(square_rule(a, 2));
    const Function watching = [&](const std::vector<Variable>& in) {
      int moved = 0;
      for (int64_t i = 0; i < 6; ++i) moved += in[0].value().at({i}) != a.at({i});
      moved_at_most = std::max(moved_at_most, moved);
      return fn(in);
    };
    CHECK(gradcheck(watching, {Variable(a, true)}).ok);
    CHECK(moved_at_most == 1);
  }
  TEST_CASE("max_elements says how many elements of an input are looked at") {
    const Tensor a = lab::random({50}, 360);
    int calls = 0;
    const Function fn = recorded(square_rule(a, 2));
    CHECK(gradcheck([&](const std::vector<Variable>& in) { return ++calls, fn(in); }, {Variable(a, true)}, {.max_elements = 7})
              .ok);
    CHECK(calls == 1 + 2 * 7);
  }
  TEST_CASE("a central difference is exact for a parabola, however wide the step") {
    const GradcheckResult r = verdict(square_rule(lab::random({5}, 370), 2), {.eps = 0.25});
    CHECK(r.ok);
    CHECK(r.max_error < 1e-12);
  }
}
