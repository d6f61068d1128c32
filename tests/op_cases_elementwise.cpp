// Gradient checks of the elementwise ops: each over seven layouts of its input.
#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

using Maker = std::function<Variable(const Shape&, uint64_t)>;

// One function of one input: contiguous, transposed, every second element, scalar, size 1, size 0, expanded.
OpCase one(const std::string& name, const OpFunction& fn, const Maker& make = leaf) {
  const auto view = [](const Tensor& x) { return Variable(x, true); };
  return {name,
          {{"contiguous", {make({3, 4}, 1)}, fn},
           {"transposed", {view(transpose(make({4, 3}, 2).value()))}, fn},
           {"strided", {view(slice(make({3, 8}, 3).value(), 1, 0, 8, 2))}, fn},
           {"scalar", {make({}, 4)}, fn},
           {"size 1", {make({1, 3, 1}, 5)}, fn},
           {"size 0", {make({2, 0, 3}, 6)}, fn},
           {"expanded", {view(expand(make({3, 1}, 7).value(), {3, 4}))}, fn}}};
}

Maker within(double low, double high) {
  return [=](const Shape& shape, uint64_t seed) { return uniform_leaf(shape, seed, low, high); };
}

// One function of two inputs: equal shapes, a row, both broadcast, a scalar, transposed, size 0, the same variable twice,
// one of them constant. With `left` and `right` as the domains.
OpCase two(const std::string& name, const OpFunction& fn, const Maker& left = leaf, const Maker& right = leaf) {
  const OpFunction twice = [fn](const std::vector<Variable>& in) { return fn({in[0], in[0]}); };
  OpCase result{name,
                {{"equal shapes", {left({3, 4}, 1), right({3, 4}, 2)}, fn},
                 {"row", {left({2, 3, 4}, 3), right({4}, 4)}, fn},
                 {"both broadcast", {left({3, 1}, 5), right({1, 4}, 6)}, fn},
                 {"scalar", {left({}, 7), right({2, 3}, 8)}, fn},
                 {"transposed", {Variable(transpose(left({4, 3}, 9).value()), true), right({3, 4}, 10)}, fn},
                 {"size 0", {left({0, 4}, 11), right({4}, 12)}, fn},
                 {"constant left", {constant(left({3, 4}, 13)), right({3, 4}, 14)}, fn},
                 {"constant right", {left({3, 4}, 15), constant(right({3, 4}, 16))}, fn}}};
  result.samples.push_back({"twice", {uniform_leaf({3, 4}, 17, 0.5, 2)}, twice});
  return result;
}

OpSample with_number(const std::string& label, const OpFunction& fn, const Maker& make = leaf) {
  return {label, {make({2, 3}, 21)}, fn};
}

std::vector<OpCase> two_operands() {
  const Maker positive = within(0.5, 2);
  // The values of the two operands are never close, so that no central difference steps over the kink.
  const Maker even = [](const Shape& shape, uint64_t seed) {
    return Variable(mul(round(mul(leaf(shape, seed).value(), 5)), 0.2), true);
  };
  const Maker odd = [even](const Shape& shape, uint64_t seed) { return Variable(add(even(shape, seed).value(), 0.1), true); };
  std::vector<OpCase> cases{
      two("add", binary([](const Variable& a, const Variable& b) { return add(a, b); })),
      two("sub", binary([](const Variable& a, const Variable& b) { return sub(a, b); })),
      two("mul", binary([](const Variable& a, const Variable& b) { return mul(a, b); })),
      two("div", binary([](const Variable& a, const Variable& b) { return div(a, b); }), leaf, leaf_off_zero),
      two("pow", binary([](const Variable& a, const Variable& b) { return pow(a, b); }), positive, leaf),
      two("maximum", binary([](const Variable& a, const Variable& b) { return maximum(a, b); }), even, odd),
      two("minimum", binary([](const Variable& a, const Variable& b) { return minimum(a, b); }), even, odd),
      two("where", binary([](const Variable& a, const Variable& b) {
            return where(random_mask(broadcast_shapes(a.shape(), b.shape(), "where"), 3), a, b);
          })),
  };
  // Equal operands of maximum and minimum are covered by two(), which passes one variable twice: half the gradient for each
  // adds up to one, the derivative of the identity.
  cases[7].samples.push_back({"condition broadcast",
                              {leaf({3, 4}, 18), leaf({3, 1}, 19)},
                              binary([](const Variable& a, const Variable& b) { return where(random_mask({4}, 3), a, b); })});
  cases[7].samples.push_back(
      {"condition larger", {leaf({4}, 18), leaf({}, 19)}, binary([](const Variable& a, const Variable& b) {
         return where(random_mask({3, 4}, 3), a, b);
       })});
  cases[0].samples.push_back(with_number("number", unary([](const Variable& x) { return add(x, 2.5); })));
  cases[1].samples.push_back(with_number("number", unary([](const Variable& x) { return sub(x, 2.5); })));
  cases[2].samples.push_back(with_number("number", unary([](const Variable& x) { return mul(x, 2.5); })));
  cases[3].samples.push_back(with_number("number", unary([](const Variable& x) { return div(x, 2.5); })));
  cases[4].samples.push_back(with_number("cube", unary([](const Variable& x) { return pow(x, 3.0); })));
  const Variable zero(zeros({2, 3}, Dtype::f64), true), exponent(full({2, 3}, 2, Dtype::f64), true);
  cases[4].samples.push_back({"0 to the power of 2", {zero, exponent}, cases[4].samples[0].fn});
  cases[4].samples.push_back({"0 to a number", {zero}, unary([](const Variable& x) { return pow(x, 2.0) + pow(x, 0.0); })});
  cases[4].samples.push_back(with_number("root", unary([](const Variable& x) { return pow(x, 0.5); }), positive));
  return cases;
}

std::vector<OpCase> one_operand() {
  const Maker positive = within(0.3, 3);
  return {
      one("rsub", unary([](const Variable& x) { return rsub(1.5, x); })),
      one("rdiv", unary([](const Variable& x) { return rdiv(1.5, x); }), leaf_off_zero),
      one("neg", unary([](const Variable& x) { return neg(x); })),
      one("abs", unary([](const Variable& x) { return abs(x); }), leaf_off_zero),
      one("square", unary([](const Variable& x) { return square(x); })),
      one("exp", unary([](const Variable& x) { return exp(x); })),
      one("log", unary([](const Variable& x) { return log(x); }), positive),
      one("sqrt", unary([](const Variable& x) { return sqrt(x); }), positive),
      one("rsqrt", unary([](const Variable& x) { return rsqrt(x); }), positive),
      one("reciprocal", unary([](const Variable& x) { return reciprocal(x); }), leaf_off_zero),
      one("sin", unary([](const Variable& x) { return sin(x); })),
      one("cos", unary([](const Variable& x) { return cos(x); })),
      one("tanh", unary([](const Variable& x) { return tanh(x); })),
      one("erf", unary([](const Variable& x) { return erf(x); })),
      one("sigmoid", unary([](const Variable& x) { return sigmoid(x); })),
      one("softplus", unary([](const Variable& x) { return softplus(x); })),
      one("relu", unary([](const Variable& x) { return relu(x); }), leaf_off_zero),
      one("leaky_relu", unary([](const Variable& x) { return leaky_relu(x, 0.1); }), leaf_off_zero),
      one("elu", unary([](const Variable& x) { return elu(x, 1.3); }), leaf_off_zero),
      one("silu", unary([](const Variable& x) { return silu(x); })),
      one("clamp", unary([](const Variable& x) { return clamp(x, -0.11, 0.72); }), within(-0.1, 0.7)),
  };
}

OpCase gelu_case() {
  OpCase result = one("gelu", unary([](const Variable& x) { return gelu(x); }));
  result.samples.push_back({"tanh form", {leaf({4, 5}, 31)}, unary([](const Variable& x) { return gelu(x, Gelu::kTanh); })});
  result.samples.push_back({"quick form", {leaf({4, 5}, 32)}, unary([](const Variable& x) { return gelu(x, Gelu::kQuick); })});
  return result;
}

// f32 is too coarse for a central difference, except next to 0: so the inputs are on a grid, and the converted value is the
// distance to the grid: 0, or one step of the difference.
OpCase to_case() {
  const auto to_grid = [](const Tensor& x) { return round(x * 64) * (1.0 / 64); };
  const Maker on_grid = [to_grid](const Shape& shape, uint64_t seed) {
    return Variable(to_grid(leaf(shape, seed).value()), true);
  };
  return one("to", unary([to_grid](const Variable& x) { return to(to(x - to_grid(x.value()), Dtype::f32), Dtype::f64); }),
             on_grid);
}

}  // namespace

std::vector<OpCase> elementwise_cases() {
  std::vector<OpCase> cases = two_operands();
  for (OpCase& more : one_operand()) cases.push_back(std::move(more));
  cases.push_back(gelu_case());
  cases.push_back(to_case());
  // Outside the bounds the gradient is 0.
  for (OpCase& c : cases) {
    if (c.name == "clamp")
      c.samples.push_back(
          {"outside", {distinct_leaf({4, 4}, 33)}, unary([](const Variable& x) { return clamp(x, -0.31, 0.36); })});
  }
  return cases;
}

}  // namespace vitrail::testing
