// Gradient checks of the reductions.
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/view.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

using Reduce = Variable (*)(const Variable&, const Axes&, bool);
using Maker = std::function<Variable(const Shape&, uint64_t)>;

OpFunction over(Reduce reduce, const Axes& axes, bool keepdim = false) {
  return [=](const std::vector<Variable>& in) { return reduce(in[0], axes, keepdim); };
}

OpCase reduction(const std::string& name, Reduce reduce, bool defined_on_nothing, const Maker& make = leaf) {
  OpCase result{name,
                {{"all", {make({3, 4}, 1)}, over(reduce, {})},
                 {"rows", {make({3, 4}, 2)}, over(reduce, {-1})},
                 {"columns", {make({3, 4}, 3)}, over(reduce, {0})},
                 {"outer axes kept", {make({2, 3, 4}, 4)}, over(reduce, {0, 2}, true)},
                 {"middle axis", {make({2, 3, 4}, 5)}, over(reduce, {1})},
                 {"size 1", {make({1, 3}, 6)}, over(reduce, {0}, true)},
                 {"scalar", {make({}, 7)}, over(reduce, {})},
                 {"size 0 kept", {make({0, 3}, 8)}, over(reduce, {1})}}};
  const Variable x = make({4, 3}, 9);
  result.samples.push_back({"transposed", {Variable(transpose(x.value()), true)}, over(reduce, {0})});
  if (defined_on_nothing) result.samples.push_back({"of nothing", {make({2, 0}, 10)}, over(reduce, {1})});
  return result;
}

// A zero among the factors: the gradient is the product of the others.
OpCase prod_case() {
  OpCase result = reduction("prod", prod, true);
  for (int64_t zeros_at : {1, 2}) {
    Variable x = leaf({2, 3}, 20);
    Tensor value = clone(x.value());
    for (int64_t i = 0; i < zeros_at; ++i) value.mutable_data<double>()[i] = 0;
    result.samples.push_back({"zeros: " + std::to_string(zeros_at), {Variable(value, true)}, over(prod, {-1})});
  }
  return result;
}

OpCase chosen(const std::string& name, const std::function<TopkResult(const Variable&, int)>& choose) {
  const auto at = [choose](int axis) { return unary([=](const Variable& x) { return choose(x, axis).values; }); };
  const auto view = [](const Tensor& x) { return Variable(x, true); };
  return {name,
          {{"last axis", {distinct_leaf({3, 4}, 1)}, at(-1)},
           {"first axis", {distinct_leaf({4, 3}, 2)}, at(0)},
           {"middle axis", {distinct_leaf({2, 3, 2}, 3)}, at(1)},
           {"transposed", {view(transpose(distinct_leaf({4, 3}, 4).value()))}, at(-1)},
           {"size 2", {distinct_leaf({2}, 5)}, at(0)},
           {"size 0", {distinct_leaf({0, 3}, 6)}, at(-1)}}};
}

OpCase cumsum_case() {
  const auto at = [](int axis) { return unary([axis](const Variable& x) { return cumsum(x, axis); }); };
  return {"cumsum",
          {{"last axis", {leaf({3, 4}, 1)}, at(-1)},
           {"first axis", {leaf({3, 4}, 2)}, at(0)},
           {"middle axis", {leaf({2, 3, 2}, 3)}, at(1)},
           {"transposed", {transposed_leaf({3, 4}, 4)}, at(-1)},
           {"size 1", {leaf({1}, 5)}, at(0)},
           {"size 0", {leaf({2, 0}, 6)}, at(-1)}}};
}

}  // namespace

std::vector<OpCase> reduce_cases() {
  const Reduce variance = [](const Variable& x, const Axes& axes, bool keepdim) { return var(x, axes, keepdim, 0); };
  std::vector<OpCase> cases{reduction("sum", sum, true),
                            reduction("mean", mean, false),
                            reduction("max", max, false, distinct_leaf),
                            reduction("min", min, false, distinct_leaf),
                            reduction("var", variance, false),
                            reduction("logsumexp", logsumexp, false),
                            prod_case(),
                            chosen("topk", [](const Variable& x, int axis) { return topk(x, 2, axis); }),
                            chosen("sort", [](const Variable& x, int axis) { return sort(x, axis, true); }),
                            cumsum_case()};
  // Each of two equal extrema gets half the gradient, which also is the result of the central difference.
  const Variable pair(from_vector(std::vector<double>{2, 2, 1, -3, 0, -3}, {2, 3}), true);
  cases[2].samples.push_back({"two equal maxima", {pair}, over(max, {})});
  cases[3].samples.push_back({"two equal minima", {pair}, over(min, {})});
  cases[4].samples.push_back({"unbiased", {leaf({3, 5}, 11)}, unary([](const Variable& x) { return var(x, {1}); })});
  return cases;
}

}  // namespace vitrail::testing
