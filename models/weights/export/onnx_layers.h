// The layers of nn/ as nodes of an ONNX graph, by the names of their weights: "blocks.0.attn" has blocks.0.attn.qkv.weight.
#pragma once

#include <map>
#include <string>

#include "models/weights/export/onnx_graph.h"
#include "nn/activation.h"
#include "nn/state_dict.h"

namespace vitrail::weights {

class OnnxLayers {
 public:
  OnnxLayers(OnnxGraph& graph, const nn::StateDict& state, double norm_eps, nn::ActivationKind activation)
      : graph_(graph), weights_(state.begin(), state.end()), norm_eps_(norm_eps), activation_(activation) {}

  OnnxGraph& graph() { return graph_; }
  bool has(const std::string& name) const { return weights_.contains(name); }
  const Tensor& tensor(const std::string& name) const { return weights_.at(name); }
  // The weight as it is.
  std::string weight(const std::string& name) { return graph_.weight(name, tensor(name)); }

  // [..., in] -> [..., out] by MatMul with the weight transposed to [in, out], plus the bias if there is one.
  std::string linear(const std::string& x, const std::string& path);
  // [B, in] -> [B, out] by Gemm, the weight as it is.
  std::string head(const std::string& x, const std::string& path);
  std::string layer_norm(const std::string& x, const std::string& path);
  std::string activation(const std::string& x, const std::string& path) { return apply(activation_, x, path); }
  std::string apply(nn::ActivationKind kind, const std::string& x, const std::string& path);
  std::string mlp(const std::string& x, const std::string& path);
  // nn::MultiHeadAttention, [B, N, D] -> [B, N, D].
  std::string attention(const std::string& x, const std::string& path, int64_t heads, int64_t head_dim);
  // nn::AttentionPool, [B, N, D] -> [B, D].
  std::string attention_pool(const std::string& x, const std::string& path, int64_t heads);
  // nn::EncoderBlock.
  std::string block(const std::string& x, const std::string& path, int64_t heads, int64_t head_dim, bool post_norm);

  std::string add(const std::string& a, const std::string& b, const std::string& path) {
    return graph_.node(path, "Add", {a, b});
  }
  std::string scaled(const std::string& x, double factor, const std::string& path) {
    return graph_.node(path, "Mul", {x, graph_.number(factor)});
  }
  std::string reshape(const std::string& x, const std::vector<int64_t>& extents, const std::string& path) {
    return graph_.node(path, "Reshape", {x, graph_.integers(extents)});  // 0 keeps an extent
  }
  std::string transpose(const std::string& x, const std::vector<int64_t>& order, const std::string& path) {
    return graph_.node(path, "Transpose", {x}, {{"perm", order}});
  }
  std::string slice(const std::string& x, int64_t axis, int64_t begin, int64_t end, const std::string& path) {
    return graph_.node(path, "Slice", {x, graph_.integers({begin}), graph_.integers({end}), graph_.integers({axis})});
  }
  // [B, N, D] -> [B, D]: the rows' mean or maximum ("ReduceMean", "ReduceMax").
  std::string reduce_rows(const char* type, const std::string& x, const std::string& path);
  // Row `at` of [B, N, D] as [B, D].
  std::string row(const std::string& x, int64_t at, int64_t width, const std::string& path) {
    return reshape(slice(x, 1, at, at + 1, path), {0, width}, path);
  }

 private:
  // softmax(q k^T / sqrt(K)) v: q [B, N, H K], k and v [B, M, H K] -> [B, N, H K]; `norms` names the path of q_norm and k_norm.
  std::string attend(const std::string& q, const std::string& k, const std::string& v, const std::string& path, int64_t heads,
                     int64_t head_dim);
  std::string residual(const std::string& x, const std::string& branch, const std::string& scale, const std::string& path);

  OnnxGraph& graph_;
  const std::map<std::string, Tensor> weights_;
  const double norm_eps_;
  const nn::ActivationKind activation_;
};

}  // namespace vitrail::weights
