#include "tests/runop/sample_calls.h"

namespace vitrail::onnx {
namespace {

using Inputs = std::vector<Tensor>;
using Attrs = std::map<std::string, std::string>;
using Samples = std::map<std::string, SampleCall>;

// Values in (0, 1), all different: legal for logarithms and roots too.
Tensor f(const Shape& shape) {
  const int64_t n = checked_numel(shape);
  std::vector<float> values;
  for (int64_t i = 0; i < n; ++i) values.push_back((static_cast<float>(i) + 0.5F) / static_cast<float>(n));
  return from_vector(values, shape);
}
Tensor list(const std::vector<int64_t>& values) { return from_vector(values, {static_cast<int64_t>(values.size())}); }
Tensor ints(const std::vector<int64_t>& values, const Shape& shape) { return from_vector(values, shape); }
Tensor one(int64_t value) { return ints({value}, {}); }
Tensor bytes(const std::vector<uint8_t>& values, const Shape& shape) { return from_vector(values, shape); }

void add_all(Samples& s, std::initializer_list<const char*> names, const Inputs& inputs, const Attrs& attributes = {}) {
  for (const char* name : names) s[name] = {inputs, attributes};
}

void elementwise(Samples& s) {
  add_all(s, {"Abs",  "abs",        "Neg",      "neg",      "Exp",      "exp",    "Log",   "log",      "Sqrt",
              "sqrt", "Reciprocal", "Sin",      "sin",      "Cos",      "cos",    "Tanh",  "tanh",     "Erf",
              "erf",  "Sigmoid",    "sigmoid",  "Softplus", "softplus", "Relu",   "relu",  "Sign",     "Floor",
              "Ceil", "Round",      "Softsign", "Mish",     "silu",     "square", "rsqrt", "Identity", "reciprocal"},
          {f({2, 3})});
  add_all(s, {"LeakyRelu", "leaky_relu", "Elu", "elu", "Swish"}, {f({2, 3})}, {{"alpha", "0.5"}});
  add_all(s, {"Selu"}, {f({2, 3})}, {{"alpha", "0.5"}, {"gamma", "2"}});
  add_all(s, {"HardSigmoid"}, {f({2, 3})}, {{"alpha", "0.5"}, {"beta", "0.25"}});
  add_all(s, {"Gelu"}, {f({2, 3})}, {{"approximate", "\"tanh\""}});
  add_all(s, {"gelu"}, {f({2, 3})}, {{"kind", "\"quick\""}});
  add_all(s, {"Not"}, {bytes({0, 1}, {2})});
  add_all(s, {"And", "Or"}, {bytes({0, 1}, {2}), bytes({1, 1}, {2})});
  add_all(s, {"Add",  "add",  "Sub",   "sub",  "Mul",         "mul",     "Div",
              "div",  "Pow",  "pow",   "Max",  "maximum",     "Min",     "minimum",
              "Sum",  "Mean", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
              "PRelu"},
          {f({2, 3}), f({2, 3})});
  add_all(s, {"Where", "where"}, {bytes({0, 1, 1}, {3}), f({2, 3}), f({3})});
  add_all(s, {"Clip", "clamp"}, {f({2, 3}), f({}), f({})});
}

void arranging(Samples& s) {
  const Tensor x = f({2, 3});
  add_all(s, {"Reshape", "reshape"}, {x, list({3, -1})}, {{"allowzero", "0"}});
  add_all(s, {"Flatten"}, {f({2, 3, 2})}, {{"axis", "2"}});
  add_all(s, {"Transpose", "permute"}, {f({2, 3, 4})}, {{"perm", "[1, 0, -1]"}});
  add_all(s, {"transpose"}, {x});
  add_all(s, {"Squeeze"}, {f({1, 2, 1}), list({0})});
  add_all(s, {"Unsqueeze"}, {x, list({0, -1})});
  add_all(s, {"Slice", "slice"}, {f({4, 5}), list({1, 0}), list({3, 5}), list({0, 1}), list({1, 2})});
  add_all(s, {"Split", "split"}, {f({4, 2})}, {{"axis", "0"}, {"num_outputs", "2"}});
  add_all(s, {"Pad", "pad"}, {x, list({1, 0, 0, 2}), f({}), list({0, 1})}, {{"mode", "\"constant\""}});
  add_all(s, {"Trilu"}, {f({3, 3}), one(1)}, {{"upper", "0"}});
  add_all(s, {"Cast"}, {x}, {{"to", "11"}, {"saturate", "1"}});
  add_all(s, {"CastLike"}, {x, one(1)});
  add_all(s, {"Concat", "concat"}, {x, f({1, 3})}, {{"axis", "0"}});
  add_all(s, {"Tile", "tile"}, {x, list({2, 1})});
  add_all(s, {"Expand"}, {f({2, 1}), list({2, 3})});
  add_all(s, {"Gather", "index_select"}, {f({3, 2}), list({2, -1})}, {{"axis", "0"}});
  add_all(s, {"embedding"}, {f({3, 2}), list({2, 0})});
  add_all(s, {"GatherElements", "gather"}, {f({3, 2}), ints({0, 1}, {1, 2})}, {{"axis", "0"}});
  add_all(s, {"scatter_add"}, {f({3, 2}), ints({0, 1}, {1, 2}), f({1, 2})}, {{"axis", "0"}});
  add_all(s, {"GatherND"}, {f({3, 2}), ints({1, -1}, {1, 2})}, {{"batch_dims", "0"}});
  add_all(s, {"OneHot"}, {list({0, -1}), one(3), f({2})}, {{"axis", "0"}});
}

void reductions(Samples& s) {
  add_all(s,
          {"ReduceSum", "sum", "ReduceMean", "mean", "ReduceProd", "prod", "ReduceMax", "max", "ReduceMin", "min",
           "ReduceLogSumExp", "logsumexp", "ReduceLogSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"},
          {f({2, 3})}, {{"axes", "[-1]"}, {"keepdims", "0"}, {"noop_with_empty_axes", "0"}});
  add_all(s, {"var"}, {f({2, 3})}, {{"axes", "[1]"}, {"keepdims", "true"}, {"correction", "0"}});
  add_all(s, {"ArgMax", "argmax", "ArgMin", "argmin"}, {f({2, 3})},
          {{"axis", "1"}, {"keepdims", "0"}, {"select_last_index", "1"}});
  add_all(s, {"TopK", "topk"}, {f({2, 3}), one(2)}, {{"axis", "-1"}, {"largest", "0"}, {"sorted", "1"}});
  add_all(s, {"CumSum", "cumsum"}, {f({2, 3}), one(1)}, {{"exclusive", "0"}, {"reverse", "0"}});
  add_all(s, {"Softmax", "softmax", "LogSoftmax", "log_softmax"}, {f({2, 3})}, {{"axis", "0"}});
}

void layers(Samples& s) {
  const Tensor c = f({4}), image = f({2, 4, 5, 6});
  add_all(s, {"MatMul", "matmul"}, {f({2, 3}), f({3, 4})});
  add_all(s, {"Gemm"}, {f({2, 3}), f({4, 3}), f({4})}, {{"alpha", "0.5"}, {"beta", "2"}, {"transA", "0"}, {"transB", "1"}});
  add_all(s, {"linear"}, {f({2, 3}), f({4, 3}), c});
  add_all(s, {"LayerNormalization"}, {f({2, 4}), c, c}, {{"axis", "-1"}, {"epsilon", "1e-3"}, {"stash_type", "1"}});
  add_all(s, {"RMSNormalization"}, {f({2, 4}), c}, {{"axis", "-1"}, {"epsilon", "1e-3"}, {"stash_type", "1"}});
  add_all(s, {"layer_norm"}, {f({2, 4}), c, c}, {{"eps", "1e-3"}});
  add_all(s, {"rms_norm"}, {f({2, 4}), c}, {{"eps", "1e-3"}});
  add_all(s, {"BatchNormalization"}, {image, c, c, c, c}, {{"epsilon", "1e-3"}, {"momentum", "0.5"}, {"training_mode", "1"}});
  add_all(s, {"GroupNormalization"}, {image, c, c}, {{"num_groups", "2"}, {"epsilon", "1e-3"}, {"stash_type", "1"}});
  add_all(s, {"InstanceNormalization"}, {image, c, c}, {{"epsilon", "1e-3"}});
  add_all(s, {"group_norm"}, {image, c, c}, {{"groups", "2"}, {"eps", "1e-3"}});
  add_all(s, {"Dropout"}, {f({2, 3}), f({}), bytes({0}, {})}, {{"seed", "1"}});
  add_all(s, {"Conv"}, {image, f({6, 2, 3, 2}), f({6})},
          {{"strides", "[1, 2]"},
           {"pads", "[1, 1, 1, 0]"},
           {"dilations", "[1, 1]"},
           {"group", "2"},
           {"kernel_shape", "[3, 2]"},
           {"auto_pad", "\"NOTSET\""}});
  add_all(s, {"conv2d"}, {image, f({6, 2, 3, 2}), f({6})},
          {{"stride", "[1, 2]"}, {"padding", "[1, 0]"}, {"dilation", "[1, 1]"}, {"groups", "2"}});
  const Attrs pool = {{"kernel_shape", "[2, 3]"}, {"strides", "[2, 1]"}, {"pads", "[1, 1, 1, 1]"},
                      {"dilations", "[1, 1]"},    {"ceil_mode", "1"},    {"auto_pad", "\"NOTSET\""}};
  add_all(s, {"MaxPool", "AveragePool"}, {image}, pool);
  s["MaxPool"].attributes["storage_order"] = "0";
  s["AveragePool"].attributes["count_include_pad"] = "1";
  add_all(s, {"GlobalAveragePool", "GlobalMaxPool"}, {image});
  add_all(s, {"Resize"}, {image, f({0}), f({0}), list({2, 4, 7, 3})},
          {{"mode", "\"linear\""},
           {"antialias", "1"},
           {"coordinate_transformation_mode", "\"half_pixel\""},
           {"exclude_outside", "0"}});
}

void attentions_and_losses(Samples& s) {
  const Tensor heads = f({2, 2, 3, 4}), logits = f({3, 4});
  add_all(s, {"Attention"}, {heads, heads, heads, f({3, 6}), heads, heads, list({6, 5})},
          {{"is_causal", "1"}, {"scale", "0.5"}, {"softcap", "0"}, {"qk_matmul_output_mode", "0"}});
  add_all(s, {"attention"}, {heads, heads, heads, f({3, 3})}, {{"scale", "0.5"}});
  add_all(s, {"qkv_attention"}, {f({2, 3, 12}), f({3, 3})}, {{"heads", "2"}, {"scale", "0.5"}});
  const Attrs reduction = {{"reduction", "\"sum\""}, {"ignore_index", "1"}};
  add_all(s, {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss", "nll_loss", "cross_entropy"},
          {logits, list({0, 1, 3}), f({4})}, reduction);
  s["cross_entropy"].attributes["label_smoothing"] = "0.1";
  add_all(s, {"mse_loss", "l1_loss", "bce_with_logits", "kl_div", "smooth_l1_loss"}, {logits, logits},
          {{"reduction", "\"none\""}});
  s["smooth_l1_loss"].attributes["beta"] = "0.5";
}

}  // namespace

std::string SampleCall::attribute_text() const {
  std::string text;
  for (const auto& [name, value] : attributes) text += cat(text.empty() ? "" : ", ", "\"", name, "\": ", value);
  return "{" + text + "}";
}

Call SampleCall::call() const {
  Call result;
  for (const Tensor& x : inputs) result.inputs.emplace_back(x);
  result.attributes = Attributes(attribute_text(), "sample");
  return result;
}

const std::map<std::string, SampleCall>& sample_calls() {
  static const Samples samples = [] {
    Samples s;
    elementwise(s);
    arranging(s);
    reductions(s);
    layers(s);
    attentions_and_losses(s);
    return s;
  }();
  return samples;
}

}  // namespace vitrail::onnx
