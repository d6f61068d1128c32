// ONNX Attention (opset 23 and 24): ours is its core; grouped heads, caches and caps are arranged around it.
#include <cmath>
#include <limits>

#include "tensor/ops/attention.h"
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// [B, N, H K] -> [B, H, N, K]
Variable split_heads(const Variable& x, int64_t heads) {
  check(x.size(2) % heads == 0, ErrorKind::kData, "Attention", "width ", x.size(2), " for ", heads, " heads");
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

// Each key head serves several query heads: head h is head h / repeat.
Variable repeat_heads(const Variable& x, int64_t heads) {
  if (x.size(1) == heads) return x;
  check(x.size(1) >= 1 && heads % x.size(1) == 0, ErrorKind::kData, "Attention", heads, " query heads for ", x.size(1),
        " key heads");
  Tensor index = empty({heads}, Dtype::i64);
  for (int64_t h = 0; h < heads; ++h) index.mutable_data<int64_t>()[h] = h / (heads / x.size(1));
  return index_select(x, 1, index);
}

// A u8 mask as what is added, 0 or -inf; a float mask itself, so that it can have a gradient.
Variable additive(const Variable& mask, Dtype dtype) {
  if (mask.dtype() != Dtype::u8) return mask;
  return Variable(where(mask.value(), zeros(mask.shape(), dtype), full(mask.shape(), -kInfinity, dtype)));
}

// [B, 1, N, M]: query i of image b may see key j <= i + offset[b].
Variable causal(int64_t queries, int64_t keys, const std::vector<int64_t>& offset, Dtype dtype) {
  Tensor mask = zeros({static_cast<int64_t>(offset.size()), 1, queries, keys}, Dtype::u8);
  if (mask.numel() == 0) return additive(Variable(mask), dtype);
  uint8_t* allowed = mask.mutable_data<uint8_t>();
  for (size_t b = 0; b < offset.size(); ++b) {
    for (int64_t i = 0; i < queries; ++i) {
      for (int64_t j = 0; j < keys; ++j) allowed[(b * queries + i) * keys + j] = j <= i + offset[b];
    }
  }
  return additive(Variable(mask), dtype);
}

// [B, 1, 1, M]: only the first lengths[b] keys of image b are real.
Variable real_keys(int64_t keys, const std::vector<int64_t>& lengths, Dtype dtype) {
  Tensor mask = zeros({static_cast<int64_t>(lengths.size()), 1, 1, keys}, Dtype::u8);
  for (size_t b = 0; b < lengths.size(); ++b) {
    for (int64_t j = 0; j < keys; ++j) mask.mutable_data<uint8_t>()[b * keys + j] = j < lengths[b];
  }
  return additive(Variable(mask), dtype);
}

struct Problem {
  Variable q, k, v;  // [B, H, N, K], [B, H, M, K], [B, H, M, Kv]
  Variable mask;     // what is added, or undefined
  double scale = 0, softcap = 0;
};

void add_mask(Variable& mask, const Variable& more) { mask = mask.defined() ? add(mask, more) : more; }

// Input 3: u8 or the dtype of q, broadcasting to [B, H, N, M]; keys that a shorter mask does not speak of are forbidden.
Variable given_mask(const Call& c, const Problem& p) {
  const Dtype dtype = p.q.dtype();
  const int64_t keys = p.k.size(2);
  check(c.in(3).dtype() == Dtype::u8 || c.in(3).dtype() == dtype, ErrorKind::kData, "Attention", "the mask must be u8 or ",
        name_of(dtype), ": it is ", name_of(c.in(3).dtype()));
  const Variable mask = additive(c.of_rank(3, 1, 4), dtype);
  const int64_t missing = keys - mask.size(-1);
  if (missing <= 0 || mask.size(-1) == 1) return mask;
  std::vector<int64_t> none(mask.dim(), 0), after(mask.dim(), 0);
  after.back() = missing;
  return pad(mask, none, after, PadMode::kConstant, -kInfinity);
}

Variable mask_of(const Call& c, const Problem& p, int64_t past) {
  const Dtype dtype = p.q.dtype();
  const int64_t batch = p.q.size(0), queries = p.q.size(2), keys = p.k.size(2);
  Variable mask;
  if (c.has(3)) mask = given_mask(c, p);
  const bool is_causal = c.attributes.flag("is_causal", false);
  std::vector<int64_t> offset = {past};  // one for all images, or one for each
  if (c.has(6)) {
    check(c.in(6).numel() == batch, ErrorKind::kData, "Attention", "one length per image: ", c.in(6).numel(), " for ", batch);
    const std::vector<int64_t> lengths = c.integers(6, 0, keys);
    add_mask(mask, real_keys(keys, lengths, dtype));
    offset.clear();
    for (int64_t length : lengths) offset.push_back(length - queries);
  }
  if (is_causal) add_mask(mask, causal(queries, keys, offset, dtype));
  return mask;
}

// The steps one by one, where an output of one of them is asked for or a cap stands between them.
Outputs step_by_step(const Problem& p, int64_t wanted) {
  const double scale = p.scale > 0 ? p.scale : 1 / std::sqrt(static_cast<double>(p.q.size(3)));
  std::vector<Variable> steps{matmul(p.q, transpose(p.k)) * scale};
  steps.push_back(p.softcap > 0 ? p.softcap * tanh(steps[0] / p.softcap) : steps[0]);
  steps.push_back(p.mask.defined() ? steps[1] + p.mask : steps[1]);
  steps.push_back(softmax(steps[2], -1));
  return {matmul(steps[3], p.v), steps.at(wanted)};
}

// q, k, v as heads, with the keys and values of the past in front.
Problem problem_of(const Call& c) {
  const bool flat = c.of_rank(0, 3, 4).dim() == 3;
  for (size_t i : {1, 2}) c.of_rank(i, flat ? 3 : 4, flat ? 3 : 4);
  constexpr double kSmallest = std::numeric_limits<double>::min(), kLargest = std::numeric_limits<double>::max();
  Problem p{c.in(0),
            c.in(1),
            c.in(2),
            {},
            c.attributes.number("scale", 0, kSmallest, kLargest),
            c.attributes.number("softcap", 0, 0, kLargest)};
  const int64_t query_heads = c.attributes.integer("q_num_heads", 1, kMaxStep, flat ? 1 : p.q.size(1));
  const int64_t key_heads = c.attributes.integer("kv_num_heads", 1, kMaxStep, flat ? 1 : p.k.size(1));
  if (flat) {
    check(c.attributes.given("q_num_heads") && c.attributes.given("kv_num_heads"), ErrorKind::kData, "Attention",
          "three axes need q_num_heads and kv_num_heads");
    p.q = split_heads(p.q, query_heads);
    p.k = split_heads(p.k, key_heads);
    p.v = split_heads(p.v, key_heads);
  }
  check(query_heads == p.q.size(1) && key_heads == p.k.size(1), ErrorKind::kData, "Attention", "q_num_heads ", query_heads,
        " and kv_num_heads ", key_heads, " for q ", p.q.shape(), ", k ", p.k.shape());
  check(c.has(4) == c.has(5), ErrorKind::kData, "Attention", "past keys and past values (inputs 4 and 5) belong together");
  if (c.has(4)) {
    p.k = concat({c.of_rank(4, 4, 4), p.k}, 2);
    p.v = concat({c.of_rank(5, 4, 4), p.v}, 2);
  }
  return p;
}

Outputs attention_operator(const Call& c) {
  Problem p = problem_of(c);
  const bool flat = c.in(0).dim() == 3;
  const int64_t mode = c.attributes.integer("qk_matmul_output_mode", 0, 3, 0);
  const Variable present_key = p.k, present_value = p.v;
  p.k = repeat_heads(p.k, p.q.size(1));
  p.v = repeat_heads(p.v, p.q.size(1));
  p.mask = mask_of(c, p, c.has(4) ? c.in(4).size(2) : 0);
  Outputs core =
      c.num_outputs > 3 || p.softcap > 0 ? step_by_step(p, mode) : Outputs{attention(p.q, p.k, p.v, p.mask, p.scale), {}};
  const Variable y = flat ? flatten(transpose(core[0], 1, 2), 2) : core[0];
  return {y, present_key, present_value, core[1]};
}

}  // namespace

void add_attention(Table& table) {
  table["Attention"] = {
      3, 7, {"is_causal", "kv_num_heads", "q_num_heads", "qk_matmul_output_mode", "scale", "softcap"}, attention_operator, 23};
}

}  // namespace vitrail::onnx
