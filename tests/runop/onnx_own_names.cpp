// The same operations under our own names and argument names (autograd/ops.h), for `runop softmax ...`.
// What needs no attributes beside axes shares the ONNX entry.
#include <limits>

#include "base/file.h"
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

Reduction reduction_of(const Call& c) {
  const std::string name = c.attributes.text("reduction", "mean");
  if (name == "mean") return Reduction::kMean;
  if (name == "sum") return Reduction::kSum;
  check(name == "none", ErrorKind::kData, "runop", "reduction is mean, sum or none: it is ", escaped(name, 60));
  return Reduction::kNone;
}

CrossEntropyOptions cross_entropy_options(const Call& c) {
  CrossEntropyOptions options;
  options.label_smoothing = c.attributes.number("label_smoothing", 0, 0, 1);
  options.ignore_index = c.attributes.integer("ignore_index", std::numeric_limits<int64_t>::min(),
                                              std::numeric_limits<int64_t>::max(), options.ignore_index);
  options.reduction = reduction_of(c);
  if (c.has(2)) options.class_weights = c.tensor(2);
  return options;
}

Gelu gelu_kind(const Call& c) {
  const std::string kind = c.attributes.text("kind", c.attributes.text("approximate", "exact"));
  if (kind == "exact" || kind == "none") return Gelu::kExact;
  if (kind == "tanh") return Gelu::kTanh;
  check(kind == "quick", ErrorKind::kData, "runop", "kind is exact, tanh or quick: it is ", escaped(kind, 60));
  return Gelu::kQuick;
}

Conv2dOptions conv_options(const Call& c) {
  const auto pair = [&](const char* name, int64_t low, int64_t otherwise) {
    return c.attributes.integers(name, 2, low, kMaxStep, {otherwise, otherwise});
  };
  const auto stride = pair("stride", 1, 1), padding = pair("padding", 0, 0), dilation = pair("dilation", 1, 1);
  const int64_t groups = c.attributes.integer("groups", 1, kMaxStep, 1);
  return {stride[0], stride[1], padding[0], padding[1], dilation[0], dilation[1], groups};
}

using Loss = Variable (*)(const Variable&, const Variable&, Reduction);
Operator loss(Loss fn) {
  return {2, 2, {"reduction"}, [fn](const Call& c) -> Outputs { return {fn(c.in(0), c.in(1), reduction_of(c))}; }};
}

Operator unary(Variable (*fn)(const Variable&)) {
  return {1, 1, {}, [fn](const Call& c) -> Outputs { return {fn(c.in(0))}; }};
}

double eps_of(const Call& c, double otherwise) { return c.attributes.number("eps", otherwise, 0); }

void add_renamed(Table& t) {
  const std::pair<const char*, const char*> names[] = {
      {"abs", "Abs"},
      {"neg", "Neg"},
      {"exp", "Exp"},
      {"log", "Log"},
      {"sqrt", "Sqrt"},
      {"reciprocal", "Reciprocal"},
      {"sin", "Sin"},
      {"cos", "Cos"},
      {"tanh", "Tanh"},
      {"erf", "Erf"},
      {"sigmoid", "Sigmoid"},
      {"softplus", "Softplus"},
      {"relu", "Relu"},
      {"add", "Add"},
      {"sub", "Sub"},
      {"mul", "Mul"},
      {"div", "Div"},
      {"pow", "Pow"},
      {"maximum", "Max"},
      {"minimum", "Min"},
      {"where", "Where"},
      {"clamp", "Clip"},
      {"reshape", "Reshape"},
      {"concat", "Concat"},
      {"pad", "Pad"},
      {"tile", "Tile"},
      {"slice", "Slice"},
      {"split", "Split"},
      {"sum", "ReduceSum"},
      {"mean", "ReduceMean"},
      {"prod", "ReduceProd"},
      {"max", "ReduceMax"},
      {"min", "ReduceMin"},
      {"logsumexp", "ReduceLogSumExp"},
      {"argmax", "ArgMax"},
      {"argmin", "ArgMin"},
      {"topk", "TopK"},
      {"matmul", "MatMul"},
      {"softmax", "Softmax"},
      {"log_softmax", "LogSoftmax"},
      {"index_select", "Gather"},
      {"gather", "GatherElements"},
      {"leaky_relu", "LeakyRelu"},
      {"elu", "Elu"},
      {"permute", "Transpose"},
      {"cumsum", "CumSum"},
  };
  for (const auto& [ours, onnx] : names) t[ours] = t.at(onnx);
}

void add_norm_names(Table& t) {
  t["layer_norm"] = {1, 3, {"eps"}, [](const Call& c) -> Outputs {
                       return {layer_norm(c.of_rank(0, 1, kMaxDims), c.optional(1), c.optional(2), eps_of(c, 1e-6))};
                     }};
  t["rms_norm"] = {1, 2, {"eps"}, [](const Call& c) -> Outputs {
                     return {rms_norm(c.of_rank(0, 1, kMaxDims), c.optional(1), eps_of(c, 1e-6))};
                   }};
  t["group_norm"] = {1, 3, {"eps", "groups"}, [](const Call& c) -> Outputs {
                       const Variable& x = c.of_rank(0, 2, kMaxDims);
                       const int64_t groups = c.attributes.integer("groups", 1, std::max<int64_t>(x.size(1), 1), 1);
                       return {group_norm(x, groups, c.optional(1), c.optional(2), eps_of(c, 1e-5))};
                     }};
}

// An attention's `scale` <= 0 stands for 1 / sqrt(K).
Outputs own_attention(const Call& c) {
  for (size_t i : {0, 1, 2}) c.of_rank(i, 4, 4);
  return {attention(c.in(0), c.in(1), c.in(2), c.optional(3), c.attributes.number("scale", 0))};
}

Outputs own_qkv_attention(const Call& c) {
  const Variable& qkv = c.of_rank(0, 3, 3);
  const int64_t heads = c.attributes.integer("heads", 1, std::max<int64_t>(qkv.size(2), 1), 1);
  return {qkv_attention(qkv, heads, c.optional(1), c.attributes.number("scale", 0))};
}

Outputs own_var(const Call& c) {
  const Axes axes = c.attributes.axes("axes", c.in(0).dim());
  return {var(c.in(0), axes, c.attributes.flag("keepdims", false), c.attributes.number("correction", 1, 0))};
}

void add_layer_names(Table& t) {
  t["linear"] = {2, 3, {}, [](const Call& c) -> Outputs { return {linear(c.in(0), c.in(1), c.optional(2))}; }};
  t["gelu"] = {1, 1, {"approximate", "kind"}, [](const Call& c) -> Outputs { return {gelu(c.in(0), gelu_kind(c))}; }};
  t["silu"] = unary(silu);
  t["square"] = unary(square);
  t["rsqrt"] = unary(rsqrt);
  t["transpose"] = {1, 1, {}, [](const Call& c) -> Outputs { return {transpose(c.of_rank(0, 2, kMaxDims))}; }};
  t["var"] = {1, 1, {"axes", "keepdims", "correction"}, own_var};
  t["attention"] = {3, 4, {"scale"}, own_attention};
  t["qkv_attention"] = {1, 2, {"heads", "scale"}, own_qkv_attention};
  t["conv2d"] = {2, 3, {"dilation", "groups", "padding", "stride"}, [](const Call& c) -> Outputs {
                   return {conv2d(c.of_rank(0, 4, 4), c.of_rank(1, 4, 4), c.optional(2), conv_options(c))};
                 }};
  t["embedding"] = {2, 2, {}, [](const Call& c) -> Outputs { return {embedding(c.of_rank(0, 2, 2), c.tensor(1))}; }};
  t["scatter_add"] = {3, 3, {"axis"}, [](const Call& c) -> Outputs {
                        const int axis = c.attributes.axis("axis", 0, c.of_rank(0, 1, kMaxDims).dim());
                        return {scatter_add(c.in(0), axis, c.tensor(1), c.in(2))};
                      }};
}

void add_loss_names(Table& t) {
  const std::vector<std::string> attributes = {"ignore_index", "label_smoothing", "reduction"};
  t["cross_entropy"] = {2, 3, attributes, [](const Call& c) -> Outputs {
                          return {cross_entropy(c.of_rank(0, 2, kMaxDims), c.tensor(1), cross_entropy_options(c))};
                        }};
  t["nll_loss"] = {2, 3, attributes, [](const Call& c) -> Outputs {
                     return {nll_loss(c.of_rank(0, 2, kMaxDims), c.tensor(1), cross_entropy_options(c))};
                   }};
  t["mse_loss"] = loss(mse_loss);
  t["l1_loss"] = loss(l1_loss);
  t["bce_with_logits"] = loss(bce_with_logits);
  t["kl_div"] = loss(kl_div);
  t["smooth_l1_loss"] = {2, 2, {"beta", "reduction"}, [](const Call& c) -> Outputs {
                           return {smooth_l1_loss(c.in(0), c.in(1), c.attributes.number("beta", 1), reduction_of(c))};
                         }};
}

}  // namespace

void add_own_names(Table& table) {
  add_renamed(table);
  add_norm_names(table);
  add_layer_names(table);
  add_loss_names(table);
}

}  // namespace vitrail::onnx
