// Gradient checks of dropout and drop_path: a fixed generator makes them ordinary functions.
#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

template <class Fn>
OpCase dropping(const char* name, Fn fn) {
  const auto with = [fn](double p, bool training, uint64_t seed) {
    return unary([=](const Variable& x) { return fn(x, p, training, Rng(seed)); });
  };
  const OpFunction twice = [fn](const std::vector<Variable>& in) {
    return fn(in[0], 0.5, true, Rng(1)) * fn(in[0], 0.5, true, Rng(2));
  };
  return {name,
          {{"a third", {leaf({7, 5}, 1)}, with(1.0 / 3, true, 3)},
           {"nine tenths", {leaf({16, 3}, 2)}, with(0.9, true, 4)},
           {"transposed", {transposed_leaf({6, 5}, 3)}, with(0.5, true, 5)},
           {"strided", {strided_leaf({6, 2, 3}, 4)}, with(0.5, true, 6)},
           {"expanded", {expanded_leaf({1, 4}, {6, 4}, 5)}, with(0.5, true, 7)},
           {"one element", {leaf({1}, 6)}, with(0.5, true, 8)},
           {"no samples", {leaf({0, 4}, 7)}, with(0.5, true, 9)},
           {"no elements in a sample", {leaf({3, 0}, 8)}, with(0.5, true, 10)},
           {"p = 0", {leaf({3, 4}, 9)}, with(0, true, 11)},
           {"evaluation", {leaf({3, 4}, 10)}, with(0.5, false, 12)},
           {"twice", {leaf({8, 3}, 11)}, twice}}};
}

}  // namespace

std::vector<OpCase> regularisation_cases() {
  const auto drop = [](const Variable& x, double p, bool training, const Rng& rng) { return dropout(x, p, training, rng); };
  const auto path = [](const Variable& x, double p, bool training, const Rng& rng) { return drop_path(x, p, training, rng); };
  return {dropping("dropout", drop), dropping("drop_path", path)};
}

}  // namespace vitrail::testing
