// Gradient checks of the ops that only rearrange elements. So do their gradients: a random cotangent reveals every element in a
// wrong position.
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

// One function over six inputs of rank 3 and kin: every layout of [2, 3, 4], and sizes 1 and 0 of the same rank.
OpCase arranged(const std::string& name, const OpFunction& fn) {
  return {name,
          {{"contiguous", {leaf({2, 3, 4}, 1)}, fn},
           {"transposed", {transposed_leaf({2, 3, 4}, 2)}, fn},
           {"strided", {strided_leaf({2, 3, 4}, 3)}, fn},
           {"expanded", {expanded_leaf({2, 1, 4}, {2, 3, 4}, 4)}, fn},
           {"size 1", {leaf({1, 3, 4}, 5)}, fn},
           {"size 0", {leaf({0, 3, 4}, 6)}, fn}}};
}

std::vector<OpCase> views() {
  return {
      arranged("reshape", unary([](const Variable& x) {
                 return reshape(x, {x.size(0), 6, 2});
               })),
      arranged("flatten", unary([](const Variable& x) { return flatten(x, 1); })),
      arranged("transpose", unary([](const Variable& x) { return transpose(x, 0, 2); })),
      arranged("permute", unary([](const Variable& x) {
                 return permute(x, {2, 0, 1});
               })),
      arranged("slice", unary([](const Variable& x) { return slice(x, 2, 1, 4, 2); })),
      arranged("select", unary([](const Variable& x) { return select(x, 1, -1); })),
      arranged("expand", unary([](const Variable& x) {
                 return expand(unsqueeze(x, 0), {3, x.size(0), 3, 4});
               })),
      arranged("broadcast_to", unary([](const Variable& x) {
                 return broadcast_to(slice(x, 1, 0, 1), {2, x.size(0), 3, 4});
               })),
      arranged("unsqueeze", unary([](const Variable& x) { return unsqueeze(x, 1); })),
      arranged("squeeze", unary([](const Variable& x) { return squeeze(slice(x, 1, 1, 2), 1); })),
      arranged("contiguous", unary([](const Variable& x) { return contiguous(x); })),
      arranged("unfold", unary([](const Variable& x) { return unfold(x, 2, 3, 1); })),
  };
}

std::vector<OpCase> copies() {
  return {
      arranged("concat", unary([](const Variable& x) {
                 return concat({x, x * 2.0, slice(x, 1, 0, 1)}, 1);
               })),
      arranged("stack", unary([](const Variable& x) {
                 return stack({x, x * 2.0}, 1);
               })),
      arranged("split", unary([](const Variable& x) {
                 const auto parts = split(x, {1, 2}, 1);
                 return parts[0] * 3.0 + sum(parts[1], {1}, true);
               })),
      arranged("chunk", unary([](const Variable& x) {
                 const auto parts = chunk(x, 2, 2);
                 return parts[0] * parts[1];
               })),
      arranged("tile", unary([](const Variable& x) {
                 return tile(x, {2, 1, 3});
               })),
      arranged("flip", unary([](const Variable& x) {
                 return flip(x, {0, 2});
               })),
      arranged("roll", unary([](const Variable& x) { return roll(x, -2, 2); })),
      arranged("tril", unary([](const Variable& x) { return tril(x, 1); })),
      arranged("triu", unary([](const Variable& x) { return triu(x, -1); })),
  };
}

OpCase pad_case() {
  const auto by = [](PadMode mode) {
    return unary([mode](const Variable& x) { return pad(x, {0, 1, 2}, {0, 2, 1}, mode, 0.7); });
  };
  OpCase result = arranged("pad", by(PadMode::kConstant));
  result.samples.push_back({"edge", {leaf({2, 3, 4}, 11)}, by(PadMode::kEdge)});
  result.samples.push_back({"reflect", {leaf({2, 3, 4}, 12)}, by(PadMode::kReflect)});
  result.samples.push_back({"crop", {leaf({3, 4}, 13)}, unary([](const Variable& x) { return pad(x, {-1, 1}, {1, -2}); })});
  return result;
}

}  // namespace

std::vector<OpCase> shape_cases() {
  std::vector<OpCase> cases = views();
  for (OpCase& more : copies()) cases.push_back(std::move(more));
  cases.push_back(pad_case());
  return cases;
}

}  // namespace vitrail::testing
