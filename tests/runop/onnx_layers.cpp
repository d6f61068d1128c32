// ONNX operators of neural networks: products, normalisation, dropout.
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

// b stretched to the shape of x, but never x to that of b.
Variable stretched(const Variable& b, const Shape& shape) { return b.defined() ? broadcast_to(b, shape) : b; }

// alpha A' B' + beta C
Outputs gemm(const Call& c) {
  const Variable a = c.attributes.flag("transA", false) ? transpose(c.of_rank(0, 2, 2)) : c.of_rank(0, 2, 2);
  const Variable b = c.attributes.flag("transB", false) ? transpose(c.of_rank(1, 2, 2)) : c.of_rank(1, 2, 2);
  const double alpha = c.attributes.number("alpha", 1), beta = c.attributes.number("beta", 1);
  const Variable y = matmul(a, b) * alpha;
  return {c.has(2) ? y + stretched(c.in(2), y.shape()) * beta : y};
}

// [lead..., rest...] -> [lead..., product of rest]: normalisation from an axis on, as ours over one last axis.
Variable joined(const Variable& x, int axis) {
  Shape shape, rest;
  for (int i = 0; i < x.dim(); ++i) (i < axis ? shape : rest).push_back(x.size(i));
  shape.push_back(checked_numel(rest));
  return reshape(x, shape);
}

// A weight of the normalised shape, or one that broadcasts to it, as one axis.
Variable joined_weight(const Variable& weight, const Variable& x, int axis) {
  if (!weight.defined()) return weight;
  Shape rest;
  for (int i = axis; i < x.dim(); ++i) rest.push_back(x.size(i));
  return reshape(broadcast_to(weight, rest), {checked_numel(rest)});
}

double epsilon(const Call& c) { return c.attributes.number("epsilon", 1e-5, 0); }

Outputs layer_normalization(const Call& c) {
  const Variable& x = c.of_rank(0, 1, kMaxDims);
  const int axis = c.attributes.axis("axis", -1, x.dim());
  check(c.attributes.integer("stash_type", 0, 64, 1) == 1, ErrorKind::kData, "LayerNormalization", "stash_type must be 1");
  const double eps = epsilon(c);
  const Variable rows = joined(x, axis);
  const Variable weight = joined_weight(c.in(1), x, axis), bias = joined_weight(c.optional(2), x, axis);
  Outputs out{reshape(layer_norm(rows, weight, bias, eps), x.shape())};
  Shape shape = x.shape();
  for (int i = axis; i < x.dim(); ++i) shape[i] = 1;
  out.push_back(reshape(mean(rows, {-1}, true), shape));
  out.push_back(reshape(rsqrt(var(rows, {-1}, true, 0) + eps), shape));
  return out;
}

Outputs rms_normalization(const Call& c) {
  const Variable& x = c.of_rank(0, 1, kMaxDims);
  const int axis = c.attributes.axis("axis", -1, x.dim());
  check(c.attributes.integer("stash_type", 0, 64, 1) == 1, ErrorKind::kData, "RMSNormalization", "stash_type must be 1");
  return {reshape(rms_norm(joined(x, axis), joined_weight(c.in(1), x, axis), epsilon(c)), x.shape())};
}

Outputs batch_normalization(const Call& c) {
  const Variable& x = c.of_rank(0, 2, kMaxDims);
  const bool training = c.attributes.flag("training_mode", false);
  const double eps = epsilon(c), momentum = 1 - c.attributes.number("momentum", 0.9, 0, 1);
  for (size_t i = 1; i < 5; ++i)
    check(c.in(i).shape() == Shape{x.size(1)}, ErrorKind::kData, "BatchNormalization", "input ", i, " must be [", x.size(1),
          "]: it is ", c.in(i).shape());
  const Tensor running_mean = clone(c.tensor(3)), running_var = clone(c.tensor(4));
  Variable y = batch_norm(x, c.in(1), c.in(2), running_mean, running_var, training, momentum, eps);
  if (!training) return {y};
  if (x.numel() == 0) return {y, Variable(running_mean), Variable(running_var)};
  // ONNX moves its running variance by the biased one, we (as PyTorch) by the unbiased: undo that factor.
  const double n = static_cast<double>(x.numel() / x.size(1));
  const Tensor old_part = mul(c.tensor(4), 1 - momentum);
  const Tensor biased = add(old_part, mul(sub(running_var, old_part), (n - 1) / n));
  return {y, Variable(running_mean), Variable(biased)};
}

Outputs group_normalization(const Call& c) {
  const Variable& x = c.of_rank(0, 2, kMaxDims);
  check(c.attributes.given("num_groups"), ErrorKind::kData, "GroupNormalization", "num_groups is missing");
  check(c.attributes.integer("stash_type", 0, 64, 1) == 1, ErrorKind::kData, "GroupNormalization", "stash_type must be 1");
  const int64_t groups = c.attributes.integer("num_groups", 1, std::max<int64_t>(x.size(1), 1), 1);
  return {group_norm(x, groups, c.in(1), c.in(2), epsilon(c))};
}

// One group a channel; without channels there is nothing to normalise.
Outputs instance_normalization(const Call& c) {
  const Variable& x = c.of_rank(0, 2, kMaxDims);
  return {group_norm(x, std::max<int64_t>(x.size(1), 1), c.in(1), c.in(2), epsilon(c))};
}

// As in evaluation, unless a training flag asks for more than ratio 0. (Before opset 12 the ratio was an attribute.)
Outputs no_dropout(const Call& c) {
  c.attributes.integer("seed", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(), 0);
  check(!c.has(1) || !c.attributes.given("ratio"), ErrorKind::kData, "Dropout", "ratio is input 1 or an attribute, not both");
  const double ratio = c.has(1) ? c.number(1) : c.attributes.number("ratio", 0.5, 0, 1);
  check(ratio >= 0 && ratio < 1, ErrorKind::kData, "Dropout", "the ratio must be in [0, 1): it is ", ratio);
  if (c.has(2) && c.number(2) != 0 && ratio > 0) throw Unsupported("training: its random numbers are not ours");
  return {dropout(c.in(0), 0, false, Rng(0)), Variable(ones(c.in(0).shape(), Dtype::u8))};
}

Operator softmax_over_axis(Variable (*fn)(const Variable&, int)) {
  return {1,
          1,
          {"axis"},
          [fn](const Call& c) -> Outputs { return {fn(c.in(0), c.attributes.axis("axis", -1, c.in(0).dim()))}; },
          13};
}

}  // namespace

void add_layers(Table& t) {
  t["MatMul"] = {2, 2, {}, [](const Call& c) -> Outputs { return {matmul(c.in(0), c.in(1))}; }};
  t["Gemm"] = {2, 3, {"alpha", "beta", "transA", "transB"}, gemm};
  t["Softmax"] = softmax_over_axis(softmax);
  t["LogSoftmax"] = softmax_over_axis(log_softmax);
  t["LayerNormalization"] = {2, 3, {"axis", "epsilon", "stash_type"}, layer_normalization};
  t["RMSNormalization"] = {2, 2, {"axis", "epsilon", "stash_type"}, rms_normalization};
  t["BatchNormalization"] = {5, 5, {"epsilon", "momentum", "training_mode"}, batch_normalization, 7};
  t["GroupNormalization"] = {3, 3, {"epsilon", "num_groups", "stash_type"}, group_normalization, 21};
  t["InstanceNormalization"] = {3, 3, {"epsilon"}, instance_normalization};
  t["Dropout"] = {1, 3, {"seed", "ratio"}, no_dropout, 7};
}

}  // namespace vitrail::onnx
