// Gradient checks of the ops that read or add elements by index. Repeated indices matter most: their gradients add up.
#include "autograd/ops/shape.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

OpFunction select_at(int axis, const Tensor& index) {
  return unary([=](const Variable& x) { return index_select(x, axis, index); });
}

OpFunction gather_at(int axis, const Tensor& index) {
  return unary([=](const Variable& x) { return gather(x, axis, index); });
}

OpFunction scatter_at(int axis, const Tensor& index) {
  return binary([=](const Variable& x, const Variable& src) { return scatter_add(x, axis, index, src); });
}

OpFunction look_up(const Tensor& index) {
  return unary([=](const Variable& weight) { return embedding(weight, index); });
}

}  // namespace

std::vector<OpCase> index_cases() {
  return {
      {"index_select",
       {{"rows, repeated", {leaf({3, 4}, 1)}, select_at(0, random_index({5}, 3, 1))},
        {"columns", {leaf({3, 4}, 2)}, select_at(1, random_index({5}, 4, 2))},
        {"index of rank 2", {leaf({3, 4}, 3)}, select_at(0, random_index({2, 3}, 3, 3))},
        {"transposed", {transposed_leaf({3, 4}, 4)}, select_at(-1, random_index({6}, 4, 4))},
        {"no index", {leaf({3, 4}, 5)}, select_at(0, random_index({0}, 3, 5))},
        {"size 1", {leaf({1, 2}, 6)}, select_at(0, random_index({4}, 1, 6))}}},
      {"gather",
       {{"columns, repeated", {leaf({3, 4}, 1)}, gather_at(1, random_index({3, 6}, 4, 1))},
        {"rows", {leaf({3, 4}, 2)}, gather_at(0, random_index({5, 4}, 3, 2))},
        {"smaller index", {leaf({3, 4}, 3)}, gather_at(1, random_index({2, 3}, 4, 3))},
        {"transposed", {transposed_leaf({3, 4}, 4)}, gather_at(1, random_index({3, 4}, 4, 4))},
        {"rank 3", {leaf({2, 3, 2}, 5)}, gather_at(1, random_index({2, 4, 2}, 3, 5))},
        {"size 0", {leaf({3, 4}, 6)}, gather_at(1, random_index({3, 0}, 4, 6))}}},
      {"scatter_add",
       {{"columns, repeated", {leaf({3, 4}, 1), leaf({3, 6}, 11)}, scatter_at(1, random_index({3, 6}, 4, 1))},
        {"rows", {leaf({3, 4}, 2), leaf({5, 4}, 12)}, scatter_at(0, random_index({5, 4}, 3, 2))},
        {"smaller index", {leaf({3, 4}, 3), leaf({2, 3}, 13)}, scatter_at(1, random_index({2, 3}, 4, 3))},
        {"transposed", {transposed_leaf({3, 4}, 4), transposed_leaf({3, 4}, 14)}, scatter_at(1, random_index({3, 4}, 4, 4))},
        {"rank 1", {leaf({4}, 5), leaf({7}, 15)}, scatter_at(0, random_index({7}, 4, 5))},
        {"size 0", {leaf({3, 4}, 6), leaf({3, 0}, 16)}, scatter_at(1, random_index({3, 0}, 4, 6))}}},
      {"embedding",
       {{"repeated", {leaf({3, 4}, 1)}, look_up(random_index({5}, 3, 1))},
        {"index of rank 2", {leaf({3, 4}, 2)}, look_up(random_index({2, 3}, 3, 2))},
        {"one row", {leaf({1, 4}, 3)}, look_up(random_index({3}, 1, 3))},
        {"transposed", {transposed_leaf({3, 4}, 4)}, look_up(random_index({4}, 3, 4))},
        {"no index", {leaf({3, 4}, 5)}, look_up(random_index({0}, 3, 5))},
        {"width 1", {leaf({4, 1}, 6)}, look_up(random_index({6}, 4, 6))}}},
  };
}

}  // namespace vitrail::testing
