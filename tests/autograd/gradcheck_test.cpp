// The gradient check itself, and every differentiable op under it.
#include "autograd/gradcheck.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "autograd/ops.h"
#include "tensor/ops.h"
#include "tests/op_cases.h"

using namespace vitrail;

namespace {

Variable random_leaf(const Shape& shape, uint64_t seed) {
  return Variable(rand_normal(shape, 0, 1, Rng(seed), Dtype::f64), true);
}

using Rule = std::function<Tensor(const Tensor& dy, const Tensor& y)>;

// Softmax over the last axis with a backward rule of the caller's.
GradcheckResult check_softmax_rule(const Rule& rule) {
  const auto fn = [rule](const std::vector<Variable>& in) {
    const Tensor y = softmax(in[0].value());
    return record("softmax", y, {in[0]}, [rule, y](const Tensor& dy, Grads& d) { d[0] = rule(dy, y); });
  };
  return gradcheck(fn, {random_leaf({3, 5}, 4)});
}

Tensor weighted_sum(const Tensor& dy, const Tensor& y) { return sum(dy * y, {-1}, true); }

}  // namespace

// Of large inputs 200 elements are enough here; `vitrail opcheck` looks at up to 4096.
TEST_CASE("every differentiable op passes the gradient check on all its samples") {
  for (const testing::OpCase& op : testing::op_cases()) {
    for (const testing::OpSample& sample : op.samples) {
      CAPTURE(op.name);
      CAPTURE(sample.label);
      GradcheckResult result;
      CHECK_NOTHROW(result = gradcheck(sample.fn, sample.inputs, {.max_elements = 200}));
      CHECK_MESSAGE(result.ok, result.message);
    }
  }
}

TEST_CASE("every op has one row with at least six samples of different labels") {
  std::set<std::string> names;
  for (const testing::OpCase& op : testing::op_cases()) {
    CAPTURE(op.name);
    CHECK(names.insert(op.name).second);
    std::set<std::string> labels;
    for (const testing::OpSample& sample : op.samples) CHECK_MESSAGE(labels.insert(sample.label).second, sample.label);
    CHECK(labels.size() >= 6);
  }
  CHECK(names.size() > 90);
}

TEST_CASE("the gradient check accepts the right rule for softmax") {
  const GradcheckResult result =
      check_softmax_rule([](const Tensor& g, const Tensor& y) { return y * (g - weighted_sum(g, y)); });
  CHECK(result.ok);
  CHECK(result.max_ratio <= 1);
  CHECK(result.message.empty());
}

// With a cotangent of ones the first four would pass.
TEST_CASE("the gradient check catches seven wrong rules for softmax") {
  const std::vector<std::pair<const char*, Rule>> wrong{
      {"zero", [](const Tensor& g, const Tensor&) { return zeros_like(g); }},
      {"g - S", [](const Tensor& g, const Tensor& y) { return g - weighted_sum(g, y); }},
      {"y (g - mean g)", [](const Tensor& g, const Tensor& y) { return y * (g - mean(g, {-1}, true)); }},
      {"y^2 (g - S)", [](const Tensor& g, const Tensor& y) { return y * y * (g - weighted_sum(g, y)); }},
      {"y (g + S)", [](const Tensor& g, const Tensor& y) { return y * (g + weighted_sum(g, y)); }},
      {"y g S", [](const Tensor& g, const Tensor& y) { return y * g * weighted_sum(g, y); }},
      {"y (1 - y) g", [](const Tensor& g, const Tensor& y) { return y * (1 - y) * g; }},
  };
  for (const auto& variant : wrong) {
    CAPTURE(variant.first);
    CHECK_FALSE(check_softmax_rule(variant.second).ok);
  }
}

TEST_CASE("a failed gradient check names input, element and both values") {
  const auto fn = [](const std::vector<Variable>& in) {
    return record("half_wrong", in[0].value() * in[1].value(), {in[0], in[1]},
                  [a = in[0].value(), b = in[1].value()](const Tensor& dy, Grads& d) { d[0] = dy * b, d[1] = dy * b; });
  };
  const GradcheckResult result = gradcheck(fn, {random_leaf({2, 2}, 1), random_leaf({2, 2}, 2)});
  CHECK_FALSE(result.ok);
  CHECK(result.max_ratio > 1);
  CHECK(result.message.find("input 1 of shape [2, 2], element 0: backward gives") != std::string::npos);
  CHECK(result.message.find("central difference") != std::string::npos);
}

TEST_CASE("the gradient check sees that the graph was cut") {
  CHECK_FALSE(gradcheck([](const std::vector<Variable>& in) { return exp(in[0].detach()); }, {random_leaf({3}, 1)}).ok);
}

TEST_CASE("a gradient that is no number does not pass the gradient check") {
  const auto fn = [](const std::vector<Variable>& in) {
    return record("nan", in[0].value(), {in[0]}, [](const Tensor& dy, Grads& d) { d[0] = dy * NAN; });
  };
  CHECK_FALSE(gradcheck(fn, {random_leaf({3}, 1)}).ok);
}

TEST_CASE("the gradient check finds a function that misreads strides") {
  // Reads the memory in storage order, whatever the strides: its value, not its rule, is wrong for a transposed input.
  const auto fn = [](const std::vector<Variable>& in) {
    const Tensor& x = in[0].value();
    const Tensor flat(x.storage(), x.shape(), contiguous_strides(x.shape()), x.offset(), x.dtype());
    return record("misread", flat * flat, {in[0]}, [y = x](const Tensor& dy, Grads& d) { d[0] = dy * y * 2; });
  };
  const Tensor x = rand_normal({3, 4}, 0, 1, Rng(3), Dtype::f64);
  CHECK(gradcheck(fn, {Variable(x, true)}).ok);
  CHECK_FALSE(gradcheck(fn, {Variable(transpose(x), true)}).ok);
}

TEST_CASE("the gradient check moves a variable that is passed twice as one") {
  const auto fn = [](const std::vector<Variable>& in) { return in[0] * in[1] + in[0]; };
  const Variable x = random_leaf({4}, 1);
  CHECK(gradcheck(fn, {x, x}).ok);
}

TEST_CASE("the gradient check leaves its inputs as they were") {
  const Variable x = random_leaf({3, 3}, 1);
  const Tensor before = clone(x.value());
  gradcheck([](const std::vector<Variable>& in) { return sin(in[0]); }, {x});
  CHECK(bit_equal(before, x.value()));
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("large inputs are sampled by seed") {
  int calls = 0;
  const auto fn = [&calls](const std::vector<Variable>& in) { return ++calls, square(in[0]); };
  CHECK(gradcheck(fn, {random_leaf({1000}, 1)}, {.max_elements = 10}).ok);
  CHECK(calls == 1 + 2 * 10);
}

TEST_CASE("the gradient check refuses f32 and inputs that need no gradient") {
  const auto fn = [](const std::vector<Variable>& in) { return exp(in[0]); };
  CHECK_THROWS_WITH_AS(gradcheck(fn, {Variable(ones({2}), true)}), doctest::Contains("must be f64: one is f32"), Error);
  CHECK_THROWS_WITH_AS(gradcheck(fn, {Variable(ones({2}, Dtype::f64))}), doctest::Contains("no input requires a gradient"),
                       Error);
}
