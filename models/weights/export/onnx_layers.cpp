#include "models/weights/export/onnx_layers.h"

#include <cmath>
#include <numbers>

#include "tensor/view.h"

namespace vitrail::weights {

std::string OnnxLayers::linear(const std::string& x, const std::string& path) {
  const std::string weight = graph_.weight(path + ".weight.transposed", vitrail::transpose(tensor(path + ".weight")));
  const std::string y = graph_.node(path, "MatMul", {x, weight});
  return has(path + ".bias") ? add(y, this->weight(path + ".bias"), path) : y;
}

std::string OnnxLayers::head(const std::string& x, const std::string& path) {
  std::vector<std::string> inputs{x, weight(path + ".weight")};
  if (has(path + ".bias")) inputs.push_back(weight(path + ".bias"));
  return graph_.node(path, "Gemm", inputs, {{"transB", int64_t{1}}});
}

std::string OnnxLayers::layer_norm(const std::string& x, const std::string& path) {
  return graph_.node(path, "LayerNormalization", {x, weight(path + ".weight"), weight(path + ".bias")},
                     {{"axis", int64_t{-1}}, {"epsilon", norm_eps_}});
}

// The formulas of tensor/ops/elementwise.h. Opset 17 has no Gelu: that came with 20.
std::string OnnxLayers::apply(nn::ActivationKind kind, const std::string& x, const std::string& path) {
  const auto of = [&](const char* type, const std::vector<std::string>& inputs) { return graph_.node(path, type, inputs); };
  const auto half_of_one_plus = [&](const std::string& t) {  // x (1 + t) / 2
    return scaled(of("Mul", {x, add(t, graph_.number(1), path)}), 0.5, path);
  };
  switch (kind) {
    case nn::ActivationKind::kGelu: return half_of_one_plus(of("Erf", {of("Div", {x, graph_.number(std::numbers::sqrt2)})}));
    case nn::ActivationKind::kGeluTanh: {
      const std::string cube = of("Mul", {of("Mul", {x, x}), x});
      const std::string inner = add(x, scaled(cube, 0.044715, path), path);
      return half_of_one_plus(of("Tanh", {scaled(inner, std::sqrt(2 / std::numbers::pi), path)}));
    }
    case nn::ActivationKind::kQuickGelu: return of("Mul", {x, of("Sigmoid", {scaled(x, 1.702, path)})});
    case nn::ActivationKind::kSilu: return of("Mul", {x, of("Sigmoid", {x})});
    case nn::ActivationKind::kRelu: return of("Relu", {x});
    case nn::ActivationKind::kTanh: return of("Tanh", {x});
    case nn::ActivationKind::kSigmoid: return of("Sigmoid", {x});
  }
  return x;
}

std::string OnnxLayers::mlp(const std::string& x, const std::string& path) {
  return linear(activation(linear(x, path + ".fc1"), path + ".act"), path + ".fc2");
}

std::string OnnxLayers::attend(const std::string& q, const std::string& k, const std::string& v, const std::string& path,
                               int64_t heads, int64_t head_dim) {
  const auto split = [&](const std::string& x) { return reshape(x, {0, 0, heads, head_dim}, path); };
  std::string queries = split(q), keys = split(k);
  if (has(path + ".q_norm.weight")) queries = layer_norm(queries, path + ".q_norm"), keys = layer_norm(keys, path + ".k_norm");
  queries = scaled(transpose(queries, {0, 2, 1, 3}, path), 1 / std::sqrt(static_cast<double>(head_dim)), path);
  const std::string scores = graph_.node(path, "MatMul", {queries, transpose(keys, {0, 2, 3, 1}, path)});
  const std::string shares = graph_.node(path, "Softmax", {scores}, {{"axis", int64_t{-1}}});
  const std::string mixed = graph_.node(path, "MatMul", {shares, transpose(split(v), {0, 2, 1, 3}, path)});
  return reshape(transpose(mixed, {0, 2, 1, 3}, path), {0, 0, heads * head_dim}, path);
}

std::string OnnxLayers::attention(const std::string& x, const std::string& path, int64_t heads, int64_t head_dim) {
  const int64_t width = heads * head_dim;
  const std::string all = linear(x, path + ".qkv");
  const auto part = [&](int64_t i) { return slice(all, 2, i * width, (i + 1) * width, path); };
  return linear(attend(part(0), part(1), part(2), path, heads, head_dim), path + ".proj");
}

std::string OnnxLayers::attention_pool(const std::string& x, const std::string& path, int64_t heads) {
  const int64_t width = tensor(path + ".latent").size(2);
  const std::string q = linear(weight(path + ".latent"), path + ".q"), both = linear(x, path + ".kv");
  const std::string k = slice(both, 2, 0, width, path), v = slice(both, 2, width, 2 * width, path);
  const std::string y = linear(attend(q, k, v, path, heads, width / heads), path + ".proj");
  return reshape(add(y, mlp(layer_norm(y, path + ".norm"), path + ".mlp"), path), {0, width}, path);
}

// x + branch, scaled by LayerScale if there is one.
std::string OnnxLayers::residual(const std::string& x, const std::string& branch, const std::string& scale,
                                 const std::string& path) {
  const std::string gamma = scale + ".gamma";
  return add(x, has(gamma) ? graph_.node(scale, "Mul", {branch, weight(gamma)}) : branch, path);
}

std::string OnnxLayers::block(const std::string& input, const std::string& path, int64_t heads, int64_t head_dim,
                              bool post_norm) {
  const auto mixed = [&](const std::string& x) { return attention(x, path + ".attn", heads, head_dim); };
  const auto spread = [&](const std::string& x) { return mlp(x, path + ".mlp"); };
  if (post_norm) {
    const std::string x = layer_norm(residual(input, mixed(input), path + ".ls1", path), path + ".norm1");
    return layer_norm(residual(x, spread(x), path + ".ls2", path), path + ".norm2");
  }
  const std::string x = residual(input, mixed(layer_norm(input, path + ".norm1")), path + ".ls1", path);
  return residual(x, spread(layer_norm(x, path + ".norm2")), path + ".ls2", path);
}

std::string OnnxLayers::reduce_rows(const char* type, const std::string& x, const std::string& path) {
  // From opset 18 on the axes are an input.
  if (graph_.opset() >= 18) return graph_.node(path, type, {x, graph_.integers({1})}, {{"keepdims", int64_t{0}}});
  return graph_.node(path, type, {x}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}});
}

}  // namespace vitrail::weights
