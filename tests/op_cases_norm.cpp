// Gradient checks of softmax and the normalisation layers.
#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "tensor/ops.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

// softmax or log_softmax along each kind of axis.
template <class Fn>
OpCase along_axis(const char* name, Fn fn) {
  const auto at = [fn](int axis) { return unary([=](const Variable& x) { return fn(x, axis); }); };
  return {name,
          {{"last axis", {leaf({3, 5}, 1)}, at(-1)},
           {"first axis", {leaf({3, 5}, 2)}, at(0)},
           {"middle axis", {leaf({2, 5, 3}, 3)}, at(1)},
           {"transposed", {transposed_leaf({3, 5}, 4)}, at(-1)},
           {"strided", {strided_leaf({2, 3, 5}, 5)}, at(-1)},
           {"expanded", {expanded_leaf({1, 5}, {3, 5}, 6)}, at(-1)},
           {"one class", {leaf({3, 1}, 7)}, at(-1)},
           {"scalar", {leaf({}, 8)}, at(-1)},
           {"no rows", {leaf({0, 5}, 9)}, at(-1)},
           {"no classes", {leaf({3, 0}, 10)}, at(-1)},
           {"wide row", {leaf({2, 67}, 11)}, at(-1)}}};
}

OpCase layer_norm_case() {
  const OpFunction fn = [](const std::vector<Variable>& in) { return layer_norm(in[0], in[1], in[2]); };
  const OpFunction plain = unary([](const Variable& x) { return layer_norm(x, {}, {}); });
  const OpFunction no_bias = binary([](const Variable& x, const Variable& w) { return layer_norm(x, w, {}); });
  const OpFunction large_eps = [](const std::vector<Variable>& in) { return layer_norm(in[0], in[1], in[2], 0.5); };
  const OpFunction twice = [](const std::vector<Variable>& in) { return layer_norm(in[0], in[0], in[0]); };
  return {"layer_norm",
          {{"rows", {leaf({4, 6}, 1), leaf({6}, 2), leaf({6}, 3)}, fn},
           {"tokens", {leaf({2, 3, 7}, 4), leaf({7}, 5), leaf({7}, 6)}, fn},
           {"without weight", {leaf({3, 5}, 7)}, plain},
           {"without bias", {leaf({3, 5}, 8), leaf({5}, 9)}, no_bias},
           {"eps 0.5", {leaf({3, 5}, 10), leaf({5}, 11), leaf({5}, 12)}, large_eps},
           {"transposed", {transposed_leaf({3, 5}, 13), leaf({5}, 14), leaf({5}, 15)}, fn},
           {"strided", {strided_leaf({3, 5}, 16), strided_leaf({5}, 17), strided_leaf({5}, 18)}, fn},
           {"expanded", {expanded_leaf({1, 5}, {3, 5}, 19), expanded_leaf({1}, {5}, 20), leaf({5}, 21)}, fn},
           {"width 1", {leaf({3, 1}, 22), leaf({1}, 23), leaf({1}, 24)}, fn},
           {"no rows", {leaf({0, 5}, 25), leaf({5}, 26), leaf({5}, 27)}, fn},
           {"width 0", {leaf({3, 0}, 28), leaf({0}, 29), leaf({0}, 30)}, fn},
           {"twice", {leaf({6}, 31)}, twice},
           {"frozen weight", {leaf({3, 5}, 32), constant(leaf({5}, 33)), constant(leaf({5}, 34))}, fn}}};
}

OpCase rms_norm_case() {
  const OpFunction fn = binary([](const Variable& x, const Variable& w) { return rms_norm(x, w); });
  const OpFunction plain = unary([](const Variable& x) { return rms_norm(x, {}); });
  const OpFunction large_eps = binary([](const Variable& x, const Variable& w) { return rms_norm(x, w, 0.5); });
  const OpFunction twice = [](const std::vector<Variable>& in) { return rms_norm(in[0], in[0]); };
  return {"rms_norm",
          {{"rows", {leaf({4, 6}, 1), leaf({6}, 2)}, fn},
           {"tokens", {leaf({2, 3, 7}, 3), leaf({7}, 4)}, fn},
           {"without weight", {leaf({3, 5}, 5)}, plain},
           {"eps 0.5", {leaf({3, 5}, 6), leaf({5}, 7)}, large_eps},
           {"transposed", {transposed_leaf({3, 5}, 8), leaf({5}, 9)}, fn},
           {"strided", {strided_leaf({3, 5}, 10), strided_leaf({5}, 11)}, fn},
           {"expanded", {expanded_leaf({1, 5}, {3, 5}, 12), expanded_leaf({1}, {5}, 13)}, fn},
           {"width 1", {leaf_off_zero({3, 1}, 14), leaf({1}, 15)}, large_eps},
           {"no rows", {leaf({0, 5}, 16), leaf({5}, 17)}, fn},
           {"twice", {leaf({6}, 18)}, twice}}};
}

OpCase group_norm_case() {
  const auto fn = [](int64_t groups, double eps = 1e-5) {
    return [=](const std::vector<Variable>& in) { return group_norm(in[0], groups, in[1], in[2], eps); };
  };
  const OpFunction plain = unary([](const Variable& x) { return group_norm(x, 2, {}, {}); });
  return {"group_norm",
          {{"two groups", {leaf({2, 4, 3, 2}, 1), leaf({4}, 2), leaf({4}, 3)}, fn(2)},
           {"one group", {leaf({2, 4, 3}, 4), leaf({4}, 5), leaf({4}, 6)}, fn(1)},
           {"a group per channel", {leaf({2, 3, 4}, 7), leaf({3}, 8), leaf({3}, 9)}, fn(3)},
           {"without weight", {leaf({2, 4, 3}, 10)}, plain},
           {"no space axes", {leaf({3, 6}, 11), leaf({6}, 12), leaf({6}, 13)}, fn(2)},
           {"eps 0.5", {leaf({2, 4, 3}, 14), leaf({4}, 15), leaf({4}, 16)}, fn(2, 0.5)},
           {"transposed", {transposed_leaf({2, 4, 3, 2}, 17), leaf({4}, 18), leaf({4}, 19)}, fn(2)},
           {"strided", {strided_leaf({2, 4, 3}, 20), strided_leaf({4}, 21), strided_leaf({4}, 22)}, fn(2)},
           {"expanded", {expanded_leaf({1, 4, 3}, {2, 4, 3}, 23), leaf({4}, 24), leaf({4}, 25)}, fn(2)},
           {"size 1", {leaf({1, 1, 1}, 26), leaf({1}, 27), leaf({1}, 28)}, fn(1)},
           {"no samples", {leaf({0, 4, 3}, 29), leaf({4}, 30), leaf({4}, 31)}, fn(2)}}};
}

// In training, running statistics are updated but never read, so every evaluation computes the same function.
OpFunction batch_norm_fn(bool training, int64_t channels, double eps = 1e-5) {
  const Tensor mean = rand_normal({channels}, 0, 1, Rng(7), Dtype::f64);
  const Tensor var = rand_uniform({channels}, 0.5, 2, Rng(8), Dtype::f64);
  return [=](const std::vector<Variable>& in) {
    const Variable weight = in.size() > 1 ? in[1] : Variable(), bias = in.size() > 2 ? in[2] : Variable();
    return batch_norm(in[0], weight, bias, mean, var, training, 0.1, eps);
  };
}

OpCase batch_norm_case() {
  const OpFunction stateless = [](const std::vector<Variable>& in) {
    return batch_norm(in[0], in[1], in[2], {}, {}, /*training=*/true);
  };
  return {
      "batch_norm",
      {{"training", {leaf({3, 2, 2, 3}, 1), leaf({2}, 2), leaf({2}, 3)}, batch_norm_fn(true, 2)},
       {"evaluation", {leaf({3, 2, 2, 3}, 4), leaf({2}, 5), leaf({2}, 6)}, batch_norm_fn(false, 2)},
       {"training without running statistics", {leaf({3, 2, 4}, 7), leaf({2}, 8), leaf({2}, 9)}, stateless},
       {"training without weight", {leaf({4, 3}, 10)}, batch_norm_fn(true, 3)},
       {"evaluation without weight", {leaf({4, 3}, 11)}, batch_norm_fn(false, 3)},
       {"training, rank 2, eps 0.5", {leaf({4, 3}, 12), leaf({3}, 13), leaf({3}, 14)}, batch_norm_fn(true, 3, 0.5)},
       {"evaluation, rank 2, eps 0.5", {leaf({4, 3}, 15), leaf({3}, 16), leaf({3}, 17)}, batch_norm_fn(false, 3, 0.5)},
       {"training, transposed", {transposed_leaf({3, 2, 2, 3}, 18), leaf({2}, 19), leaf({2}, 20)}, batch_norm_fn(true, 2)},
       {"evaluation, strided", {strided_leaf({3, 2, 4}, 21), strided_leaf({2}, 22), leaf({2}, 23)}, batch_norm_fn(false, 2)},
       {"training, expanded", {expanded_leaf({1, 2, 4}, {3, 2, 4}, 24), leaf({2}, 25), leaf({2}, 26)}, batch_norm_fn(true, 2)},
       {"training, two values per channel", {leaf({2, 3, 1}, 27), leaf({3}, 28), leaf({3}, 29)}, batch_norm_fn(true, 3, 0.5)},
       {"evaluation, one value per channel", {leaf({1, 3, 1}, 27), leaf({3}, 28), leaf({3}, 29)}, batch_norm_fn(false, 3)},
       {"training, no samples", {leaf({0, 3, 2}, 30), leaf({3}, 31), leaf({3}, 32)}, batch_norm_fn(true, 3)},
       {"evaluation, no samples", {leaf({0, 3, 2}, 33), leaf({3}, 34), leaf({3}, 35)}, batch_norm_fn(false, 3)}}};
}

}  // namespace

std::vector<OpCase> norm_cases() {
  return {along_axis("softmax", [](const Variable& x, int axis) { return softmax(x, axis); }),
          along_axis("log_softmax", [](const Variable& x, int axis) { return log_softmax(x, axis); }),
          layer_norm_case(),
          rms_norm_case(),
          group_norm_case(),
          batch_norm_case()};
}

}  // namespace vitrail::testing
