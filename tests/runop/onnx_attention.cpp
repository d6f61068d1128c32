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
  check(heads >= 1 && x.size(2) % heads == 0, ErrorKind::kData, "Attention", "width ", x.size(2), " for ", heads, " heads");
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

// A u8 mask as what is added: 0 or -inf.
Tensor additive(const Tensor& mask, Dtype dtype) {
  if (mask.dtype() != Dtype::u8) return mask;
  return where(mask, zeros(mask.shape(), dtype), full(mask.shape(), -kInfinity, dtype));
}

// [B, 1, N, M]: query i of image b may see key j <= i + offset[b].
Tensor causal(int64_t queries, int64_t keys, const std::vector<int64_t>& offset, Dtype dtype) {
  Tensor mask = zeros({static_cast<int64_t>(offset.size()), 1, queries, keys}, Dtype::u8);
  uint8_t* allowed = mask.mutable_data<uint8_t>();
  for (size_t b = 0; b < offset.size(); ++b) {
    for (int64_t i = 0; i < queries; ++i) {
      for (int64_t j = 0; j < keys; ++j) allowed[(b * queries + i) * keys + j] = j <= i + offset[b];
    }
  }
  return additive(mask, dtype);
}

// [B, 1, 1, M]: only the first lengths[b] keys of image b are real.
Tensor real_keys(int64_t keys, const std::vector<int64_t>& lengths, Dtype dtype) {
  Tensor mask = zeros({static_cast<int64_t>(lengths.size()), 1, 1, keys}, Dtype::u8);
  for (size_t b = 0; b < lengths.size(); ++b) {
    for (int64_t j = 0; j < keys; ++j) mask.mutable_data<uint8_t>()[b * keys + j] = j < lengths[b];
  }
  return additive(mask, dtype);
}

struct Problem {
  Variable q, k, v;  // [B, H, N, K], [B, H, M, K], [B, H, M, Kv]
  Tensor mask;       // what is added, or undefined
  double scale = 0, softcap = 0;
};

void add_mask(Tensor& mask, const Tensor& more) { mask = mask.defined() ? add(mask, more) : more; }

Tensor mask_of(const Call& c, const Problem& p, int64_t past) {
  const Dtype dtype = p.q.dtype();
  const int64_t batch = p.q.size(0), queries = p.q.size(2), keys = p.k.size(2);
  Tensor mask;
  if (c.has(3)) {
    mask = additive(c.tensor(3), dtype);
    const int64_t missing = keys - mask.size(-1);
    std::vector<int64_t> none(mask.dim(), 0), after(mask.dim(), 0);
    after.back() = missing;  // keys that a shorter mask does not speak of are forbidden
    if (missing > 0 && mask.size(-1) > 1) mask = pad(mask, none, after, PadMode::kConstant, -kInfinity);
  }
  std::vector<int64_t> offset(batch, past);
  if (c.has(6)) {
    const std::vector<int64_t> lengths = c.integers(6);
    check(static_cast<int64_t>(lengths.size()) == batch, ErrorKind::kData, "Attention",
          "one length per image: ", lengths.size(), " for ", batch);
    add_mask(mask, real_keys(keys, lengths, dtype));
    for (int64_t b = 0; b < batch; ++b) offset[b] = lengths[b] - queries;
  }
  if (c.attributes.integer("is_causal", 0)) add_mask(mask, causal(queries, keys, offset, dtype));
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

Outputs attention_operator(const Call& c) {
  const bool flat = c.in(0).dim() == 3;
  Problem p{c.in(0), c.in(1), c.in(2), {}, c.attributes.number("scale", 0), c.attributes.number("softcap", 0)};
  if (flat) {
    const int64_t key_heads = c.attributes.integer("kv_num_heads", 1);
    p.q = split_heads(p.q, c.attributes.integer("q_num_heads", 1));
    p.k = split_heads(p.k, key_heads);
    p.v = split_heads(p.v, key_heads);
  }
  int64_t past = 0;
  if (c.has(4) && c.has(5)) {
    past = c.in(4).size(2);
    p.k = concat({c.in(4), p.k}, 2);
    p.v = concat({c.in(5), p.v}, 2);
  }
  const Variable present_key = p.k, present_value = p.v;
  p.k = repeat_heads(p.k, p.q.size(1));
  p.v = repeat_heads(p.v, p.q.size(1));
  p.mask = mask_of(c, p, past);
  const int64_t mode = c.attributes.integer("qk_matmul_output_mode", 0);
  Outputs core =
      c.num_outputs > 3 || p.softcap > 0 ? step_by_step(p, mode) : Outputs{attention(p.q, p.k, p.v, p.mask, p.scale), {}};
  const Variable y = flat ? flatten(transpose(core[0], 1, 2), 2) : core[0];
  return {y, present_key, present_value, core[1]};
}

}  // namespace

void add_attention(Table& table) { table["Attention"] = attention_operator; }

}  // namespace vitrail::onnx
