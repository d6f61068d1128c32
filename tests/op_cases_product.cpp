// Gradient checks of matmul, linear and attention: batches, views, cross attention, every kind of mask.
#include <limits>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

OpCase matmul_case() {
  const OpFunction fn = binary([](const Variable& a, const Variable& b) { return matmul(a, b); });
  const OpFunction self = [](const std::vector<Variable>& in) { return matmul(in[0], in[0]); };
  const OpFunction gram = [](const std::vector<Variable>& in) { return matmul(in[0], transpose(in[0])); };
  return {"matmul",
          {{"plain", {leaf({3, 4}, 1), leaf({4, 5}, 2)}, fn},
           {"batched", {leaf({2, 3, 4}, 3), leaf({2, 4, 5}, 4)}, fn},
           {"batch axes broadcast", {leaf({2, 1, 3, 4}, 5), leaf({3, 4, 2}, 6)}, fn},
           {"one matrix for all", {leaf({2, 3, 4}, 7), leaf({4, 5}, 8)}, fn},
           {"matrix before batch", {leaf({3, 4}, 9), leaf({2, 4, 5}, 10)}, fn},
           {"both transposed", {transposed_leaf({3, 4}, 11), transposed_leaf({4, 5}, 12)}, fn},
           {"strided", {strided_leaf({2, 3, 4}, 13), strided_leaf({4, 2}, 14)}, fn},
           {"expanded", {expanded_leaf({1, 4}, {3, 4}, 15), leaf({4, 2}, 16)}, fn},
           {"row times matrix", {leaf({4}, 17), leaf({4, 3}, 18)}, fn},
           {"batch times column", {leaf({2, 3, 4}, 19), leaf({4}, 20)}, fn},
           {"row times column", {leaf({4}, 21), leaf({4}, 22)}, fn},
           {"row times batch", {leaf({4}, 23), leaf({2, 4, 3}, 24)}, fn},
           {"size 1", {leaf({1, 1}, 25), leaf({1, 1}, 26)}, fn},
           {"no rows", {leaf({0, 4}, 27), leaf({4, 3}, 28)}, fn},
           {"inner size 0", {leaf({2, 0}, 29), leaf({0, 3}, 30)}, fn},
           {"twice", {leaf({3, 3}, 31)}, self},
           {"twice, once transposed", {leaf({2, 3, 4}, 32)}, gram},
           {"constant left", {constant(leaf({3, 4}, 33)), leaf({4, 2}, 34)}, fn},
           {"constant right", {leaf({3, 4}, 35), constant(leaf({4, 2}, 36))}, fn}}};
}

OpCase linear_case() {
  const OpFunction fn = [](const std::vector<Variable>& in) { return linear(in[0], in[1], in[2]); };
  const OpFunction no_bias = binary([](const Variable& x, const Variable& w) { return linear(x, w); });
  const OpFunction twice = [](const std::vector<Variable>& in) { return linear(in[0], in[0]); };
  return {"linear",
          {{"plain", {leaf({3, 4}, 1), leaf({5, 4}, 2), leaf({5}, 3)}, fn},
           {"tokens", {leaf({2, 3, 4}, 4), leaf({5, 4}, 5), leaf({5}, 6)}, fn},
           {"without bias", {leaf({2, 3, 4}, 7), leaf({5, 4}, 8)}, no_bias},
           {"rank 1", {leaf({4}, 9), leaf({5, 4}, 10), leaf({5}, 11)}, fn},
           {"transposed x", {transposed_leaf({2, 3, 4}, 12), leaf({5, 4}, 13), leaf({5}, 14)}, fn},
           {"strided x, transposed weight", {strided_leaf({3, 4}, 15), transposed_leaf({5, 4}, 16), strided_leaf({5}, 17)}, fn},
           {"expanded x", {expanded_leaf({1, 1, 4}, {2, 3, 4}, 18), leaf({2, 4}, 19), leaf({2}, 20)}, fn},
           {"size 1", {leaf({1, 1}, 21), leaf({1, 1}, 22), leaf({1}, 23)}, fn},
           {"no rows", {leaf({0, 4}, 24), leaf({5, 4}, 25), leaf({5}, 26)}, fn},
           {"no inputs", {leaf({2, 0}, 27), leaf({3, 0}, 28), leaf({3}, 29)}, fn},
           {"twice", {leaf({3, 4}, 30)}, twice},
           {"frozen weight", {leaf({3, 4}, 31), constant(leaf({5, 4}, 32)), leaf({5}, 33)}, fn},
           {"constant x", {constant(leaf({3, 4}, 34)), leaf({5, 4}, 35), leaf({5}, 36)}, fn}}};
}

OpCase linear_add_case() {
  const OpFunction fn = [](const std::vector<Variable>& in) { return linear_add(in[0], in[1], in[2], in[3]); };
  const OpFunction no_bias = [](const std::vector<Variable>& in) { return linear_add(in[0], in[1], {}, in[2]); };
  const OpFunction onto_itself = [](const std::vector<Variable>& in) { return linear_add(in[0], in[1], in[2], in[0]); };
  return {"linear_add",
          {{"plain", {leaf({3, 4}, 1), leaf({5, 4}, 2), leaf({5}, 3), leaf({3, 5}, 4)}, fn},
           {"tokens", {leaf({2, 3, 4}, 5), leaf({5, 4}, 6), leaf({5}, 7), leaf({2, 3, 5}, 8)}, fn},
           {"without bias", {leaf({2, 3, 4}, 9), leaf({5, 4}, 10), leaf({2, 3, 5}, 11)}, no_bias},
           {"views",
            {strided_leaf({3, 4}, 12), transposed_leaf({5, 4}, 13), strided_leaf({5}, 14), transposed_leaf({3, 5}, 15)},
            fn},
           {"expanded residual", {leaf({3, 4}, 16), leaf({5, 4}, 17), leaf({5}, 18), expanded_leaf({1, 5}, {3, 5}, 19)}, fn},
           {"x is the residual", {leaf({3, 4}, 20), leaf({4, 4}, 21), leaf({4}, 22)}, onto_itself},
           {"size 1", {leaf({1, 1}, 23), leaf({1, 1}, 24), leaf({1}, 25), leaf({1, 1}, 26)}, fn},
           {"no rows", {leaf({0, 4}, 27), leaf({5, 4}, 28), leaf({5}, 29), leaf({0, 5}, 30)}, fn},
           {"only the residual needs one",
            {constant(leaf({3, 4}, 31)), constant(leaf({5, 4}, 32)), constant(leaf({5}, 33)), leaf({3, 5}, 34)},
            fn}}};
}

OpCase linear_gelu_case() {
  const OpFunction fn = [](const std::vector<Variable>& in) { return linear_gelu(in[0], in[1], in[2]); };
  const OpFunction no_bias = binary([](const Variable& x, const Variable& w) { return linear_gelu(x, w, {}); });
  return {"linear_gelu",
          {{"plain", {leaf({3, 4}, 1), leaf({5, 4}, 2), leaf({5}, 3)}, fn},
           {"tokens", {leaf({2, 3, 4}, 4), leaf({5, 4}, 5), leaf({5}, 6)}, fn},
           {"without bias", {leaf({2, 3, 4}, 7), leaf({5, 4}, 8)}, no_bias},
           {"views", {transposed_leaf({2, 3, 4}, 9), transposed_leaf({5, 4}, 10), strided_leaf({5}, 11)}, fn},
           {"size 1", {leaf({1, 1}, 12), leaf({1, 1}, 13), leaf({1}, 14)}, fn},
           {"no rows", {leaf({0, 4}, 15), leaf({5, 4}, 16), leaf({5}, 17)}, fn},
           {"frozen weight", {leaf({3, 4}, 18), constant(leaf({5, 4}, 19)), leaf({5}, 20)}, fn},
           {"constant x", {constant(leaf({3, 4}, 21)), leaf({5, 4}, 22), leaf({5}, 23)}, fn}}};
}

OpCase mlp_case() {
  const OpFunction fn = [](const std::vector<Variable>& in) { return mlp(in[0], in[1], in[2], in[3], in[4], in[5]); };
  const OpFunction no_bias = [](const std::vector<Variable>& in) { return mlp(in[0], in[1], {}, in[2], {}, in[3]); };
  const OpFunction onto_itself = [](const std::vector<Variable>& in) { return mlp(in[0], in[1], in[2], in[3], in[4], in[0]); };
  const auto inputs = [](const Shape& x, int64_t hidden, int64_t out, uint64_t seed) {
    Shape y = x;
    y.back() = out;
    return std::vector<Variable>{leaf(x, seed),
                                 leaf({hidden, x.back()}, seed + 1),
                                 leaf({hidden}, seed + 2),
                                 leaf({out, hidden}, seed + 3),
                                 leaf({out}, seed + 4),
                                 leaf(y, seed + 5)};
  };
  const auto frozen = [&](std::initializer_list<size_t> which, uint64_t seed) {
    std::vector<Variable> in = inputs({3, 4}, 6, 5, seed);
    for (const size_t i : which) in[i] = constant(in[i]);
    return in;
  };
  return {
      "mlp",
      {{"plain", inputs({3, 4}, 6, 5, 1), fn},
       {"tokens", inputs({2, 3, 4}, 8, 4, 11), fn},
       {"without biases", {leaf({3, 4}, 21), leaf({6, 4}, 22), leaf({5, 6}, 23), leaf({3, 5}, 24)}, no_bias},
       {"views",
        {transposed_leaf({2, 3, 4}, 31), transposed_leaf({6, 4}, 32), strided_leaf({6}, 33), transposed_leaf({4, 6}, 34),
         strided_leaf({4}, 35), expanded_leaf({1, 1, 4}, {2, 3, 4}, 36)},
        fn},
       {"x is the residual", {leaf({3, 4}, 41), leaf({6, 4}, 42), leaf({6}, 43), leaf({4, 6}, 44), leaf({4}, 45)}, onto_itself},
       {"size 1", inputs({1, 1}, 1, 1, 51), fn},
       {"no rows", inputs({0, 4}, 6, 5, 61), fn},
       {"only the second weight", frozen({0, 1, 2, 4, 5}, 71), fn},
       {"only the first bias", frozen({0, 1, 3, 4, 5}, 81), fn},
       {"constant x", frozen({0}, 91), fn}}};
}

// q, k, v of the given sizes: [B, H, N, K], [B, H, M, K], [B, H, M, V].
std::vector<Variable> heads(int64_t n, int64_t m, int64_t k, int64_t v, uint64_t seed) {
  return {leaf({1, 2, n, k}, seed), leaf({1, 2, m, k}, seed + 1), leaf({1, 2, m, v}, seed + 2)};
}

std::vector<Variable> with(std::vector<Variable> inputs, const Variable& more) {
  inputs.push_back(more);
  return inputs;
}

OpFunction attend(const Tensor& mask = {}, double scale = 0) {
  return [mask, scale](const std::vector<Variable>& in) {
    return attention(in[0], in[1], in[2], mask.defined() ? Variable(mask) : Variable(), scale);
  };
}

// Causal, and row 0 of the first head forbids every key.
Tensor forbidding_mask(int64_t n) {
  const double forbidden = -std::numeric_limits<double>::infinity();
  const Tensor allowed = tril(ones({1, 2, n, n}, Dtype::f64));
  Tensor mask = where(greater(allowed, scalar(0, Dtype::f64)), zeros({1, 2, n, n}, Dtype::f64),
                      full({1, 2, n, n}, forbidden, Dtype::f64));
  fill_(select(select(mask, 1, 0), 1, 0), forbidden);
  return mask;
}

// One buffer [B, N, 3, H, K] seen as q, k and v, as a fused projection gives it.
Variable fused_attention(const Variable& qkv) {
  const Variable parts = permute(qkv, {2, 0, 3, 1, 4});
  return attention(select(parts, 0, 0), select(parts, 0, 1), select(parts, 0, 2));
}

OpCase attention_case() {
  const OpFunction learned = [](const std::vector<Variable>& in) { return attention(in[0], in[1], in[2], in[3]); };
  const OpFunction self = [](const std::vector<Variable>& in) { return attention(in[0], in[0], in[0]); };
  const OpFunction merged = [](const std::vector<Variable>& in) {
    return flatten(transpose(attention(in[0], in[1], in[2]), 1, 2), 2);
  };
  Tensor keys = ones({1, 1, 1, 5}, Dtype::u8);
  fill_(slice(keys, 3, 3, 5), 0);
  const std::vector<Variable> views{transposed_leaf({2, 2, 3, 4}, 61), strided_leaf({2, 2, 3, 4}, 62),
                                    expanded_leaf({1, 2, 3, 4}, {2, 2, 3, 4}, 63)};
  std::vector<OpSample> samples{
      {"1 token, width 8", heads(1, 1, 8, 8, 1), attend()},
      {"17 tokens, width 8", heads(17, 17, 8, 8, 4), attend()},
      {"65 tokens, width 20", heads(65, 65, 20, 20, 7), attend()},
      {"cross attention, 3 to 7", heads(3, 7, 5, 5, 10), attend()},
      {"values wider than keys", heads(5, 4, 3, 6, 13), attend()},
      {"scale 0.7", heads(4, 5, 3, 3, 16), attend({}, 0.7)},
      {"fused buffer", {leaf({2, 5, 3, 2, 4}, 19)}, unary(fused_attention)},
      {"views", views, attend()},
      {"heads merged", heads(3, 4, 4, 4, 22), merged},
      {"twice", {leaf({1, 2, 4, 3}, 25)}, self},
      {"float mask", heads(4, 5, 3, 3, 28), attend(leaf({4, 5}, 31).value())},
      {"forbidding mask, one row empty", heads(5, 5, 3, 3, 32), attend(forbidding_mask(5))},
      {"u8 mask of keys", heads(3, 5, 4, 4, 35), attend(keys)},
      {"learned mask", with(heads(3, 4, 5, 5, 38), leaf({1, 2, 3, 4}, 41)), learned},
      {"learned mask per head", with(heads(3, 4, 5, 5, 42), leaf({2, 1, 1}, 45)), learned},
      {"learned mask of keys", with(heads(3, 4, 5, 5, 46), leaf({4}, 49)), learned},
      {"no queries", heads(0, 4, 3, 3, 50), attend()},
      {"no keys", heads(2, 0, 3, 3, 53), attend()},
      {"no batch", {leaf({0, 2, 3, 4}, 56), leaf({0, 2, 5, 4}, 57), leaf({0, 2, 5, 4}, 58)}, attend()}};
  samples.push_back({"constant keys and values",
                     {leaf({1, 2, 3, 4}, 64), constant(leaf({1, 2, 3, 4}, 65)), constant(leaf({1, 2, 3, 4}, 66))},
                     attend()});
  return {"attention", samples};
}

OpCase qkv_attention_case() {
  const auto fn = [](int64_t count, double scale = 0) {
    return unary([=](const Variable& qkv) { return qkv_attention(qkv, count, {}, scale); });
  };
  const OpFunction masked = binary([](const Variable& qkv, const Variable& mask) { return qkv_attention(qkv, 2, mask); });
  return {"qkv_attention",
          {{"one head", {leaf({2, 5, 12}, 1)}, fn(1)},
           {"three heads", {leaf({2, 5, 18}, 2)}, fn(3)},
           {"17 tokens, width 8", {leaf({1, 17, 48}, 3)}, fn(2)},
           {"1 token", {leaf({2, 1, 24}, 4)}, fn(2)},
           {"scale 0.3", {leaf({1, 4, 12}, 5)}, fn(2, 0.3)},
           {"transposed", {transposed_leaf({2, 5, 12}, 6)}, fn(2)},
           {"strided", {strided_leaf({2, 5, 12}, 7)}, fn(2)},
           {"expanded", {expanded_leaf({1, 5, 12}, {2, 5, 12}, 8)}, fn(2)},
           {"learned mask", {leaf({2, 4, 12}, 9), leaf({1, 2, 4, 4}, 10)}, masked},
           {"learned mask of one row", {leaf({2, 4, 12}, 11), leaf({4}, 12)}, masked},
           {"constant input, learned mask", {constant(leaf({2, 4, 12}, 13)), leaf({2, 4, 4}, 14)}, masked},
           {"one row empty", {leaf({1, 5, 12}, 15), constant(forbidding_mask(5))}, masked},
           {"no samples", {leaf({0, 5, 12}, 16)}, fn(2)},
           {"no tokens", {leaf({2, 0, 12}, 17)}, fn(2)}}};
}

}  // namespace

std::vector<OpCase> product_cases() {
  return {matmul_case(), linear_case(),    linear_add_case(),   linear_gelu_case(),
          mlp_case(),    attention_case(), qkv_attention_case()};
}

}  // namespace vitrail::testing
