// The same operations under our own names and argument names (autograd/ops.h), for `vitrail runop softmax ...`.
// What needs no attributes beside axes shares the ONNX entry.
#include "tensor/view.h"
#include "tests/runop/onnx_ops.h"

namespace vitrail::onnx {
namespace {

int axis_of(const Call& c, int64_t otherwise) {
  const int64_t axis = c.attributes.integer("axis", otherwise);
  check(axis >= -kMaxDims && axis < kMaxDims, ErrorKind::kData, "runop", "axis ", axis, " is out of range");
  return static_cast<int>(axis);
}

Reduction reduction_of(const Call& c) {
  const std::string name = c.attributes.text("reduction", "mean");
  if (name == "mean") return Reduction::kMean;
  if (name == "sum") return Reduction::kSum;
  check(name == "none", ErrorKind::kData, "runop", "reduction is mean, sum or none: it is ", name);
  return Reduction::kNone;
}

CrossEntropyOptions cross_entropy_options(const Call& c) {
  CrossEntropyOptions options;
  options.label_smoothing = c.attributes.number("label_smoothing", 0);
  options.ignore_index = c.attributes.integer("ignore_index", options.ignore_index);
  options.reduction = reduction_of(c);
  if (c.has(2)) options.class_weights = c.tensor(2);
  return options;
}

Gelu gelu_kind(const Call& c) {
  const std::string kind = c.attributes.text("kind", c.attributes.text("approximate", "exact"));
  if (kind == "exact" || kind == "none") return Gelu::kExact;
  if (kind == "tanh") return Gelu::kTanh;
  check(kind == "quick", ErrorKind::kData, "runop", "kind is exact, tanh or quick: it is ", kind);
  return Gelu::kQuick;
}

Conv2dOptions conv_options(const Call& c) {
  const auto pair = [&](const char* name, int64_t otherwise) {
    std::vector<int64_t> values = c.attributes.integers(name, {otherwise, otherwise});
    check(values.size() == 2, ErrorKind::kData, "runop", name, " is [height, width]");
    return values;
  };
  const auto stride = pair("stride", 1), padding = pair("padding", 0), dilation = pair("dilation", 1);
  return {stride[0], stride[1], padding[0], padding[1], dilation[0], dilation[1], c.attributes.integer("groups", 1)};
}

using Loss = Variable (*)(const Variable&, const Variable&, Reduction);
Operator loss(Loss fn) {
  return [fn](const Call& c) -> Outputs { return {fn(c.in(0), c.in(1), reduction_of(c))}; };
}

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

void add_layer_names(Table& t) {
  t["linear"] = [](const Call& c) -> Outputs { return {linear(c.in(0), c.in(1), c.optional(2))}; };
  t["layer_norm"] = [](const Call& c) -> Outputs {
    return {layer_norm(c.in(0), c.optional(1), c.optional(2), c.attributes.number("eps", 1e-6))};
  };
  t["rms_norm"] = [](const Call& c) -> Outputs { return {rms_norm(c.in(0), c.optional(1), c.attributes.number("eps", 1e-6))}; };
  t["group_norm"] = [](const Call& c) -> Outputs {
    return {
        group_norm(c.in(0), c.attributes.integer("groups", 1), c.optional(1), c.optional(2), c.attributes.number("eps", 1e-5))};
  };
  t["gelu"] = [](const Call& c) -> Outputs { return {gelu(c.in(0), gelu_kind(c))}; };
  t["silu"] = [](const Call& c) -> Outputs { return {silu(c.in(0))}; };
  t["square"] = [](const Call& c) -> Outputs { return {square(c.in(0))}; };
  t["rsqrt"] = [](const Call& c) -> Outputs { return {rsqrt(c.in(0))}; };
  t["transpose"] = [](const Call& c) -> Outputs { return {transpose(c.in(0))}; };
  t["var"] = [](const Call& c) -> Outputs {
    Axes axes;
    for (int64_t axis : c.attributes.integers("axes", {})) axes.push_back(static_cast<int>(axis));
    return {var(c.in(0), axes, c.attributes.integer("keepdims", 0) != 0, c.attributes.number("correction", 1))};
  };
  t["attention"] = [](const Call& c) -> Outputs {
    return {attention(c.in(0), c.in(1), c.in(2), c.optional(3), c.attributes.number("scale", 0))};
  };
  t["qkv_attention"] = [](const Call& c) -> Outputs {
    return {qkv_attention(c.in(0), c.attributes.integer("heads", 1), c.optional(1), c.attributes.number("scale", 0))};
  };
  t["conv2d"] = [](const Call& c) -> Outputs { return {conv2d(c.in(0), c.in(1), c.optional(2), conv_options(c))}; };
  t["embedding"] = [](const Call& c) -> Outputs { return {embedding(c.in(0), c.tensor(1))}; };
  t["scatter_add"] = [](const Call& c) -> Outputs { return {scatter_add(c.in(0), axis_of(c, 0), c.tensor(1), c.in(2))}; };
}

void add_loss_names(Table& t) {
  t["cross_entropy"] = [](const Call& c) -> Outputs { return {cross_entropy(c.in(0), c.tensor(1), cross_entropy_options(c))}; };
  t["nll_loss"] = [](const Call& c) -> Outputs { return {nll_loss(c.in(0), c.tensor(1), cross_entropy_options(c))}; };
  t["mse_loss"] = loss(mse_loss);
  t["l1_loss"] = loss(l1_loss);
  t["bce_with_logits"] = loss(bce_with_logits);
  t["kl_div"] = loss(kl_div);
  t["smooth_l1_loss"] = [](const Call& c) -> Outputs {
    return {smooth_l1_loss(c.in(0), c.in(1), c.attributes.number("beta", 1), reduction_of(c))};
  };
}

}  // namespace

void add_own_names(Table& table) {
  add_renamed(table);
  add_layer_names(table);
  add_loss_names(table);
}

}  // namespace vitrail::onnx
