#include "models/weights/export/onnx_model.h"

#include "base/json_writer.h"
#include "models/cct.h"
#include "models/weights/export/exported.h"

namespace vitrail::weights {

namespace {

constexpr const char* kInput = "pixel_values";

// [B, C, H, W] -> [B, N, D]
std::string patches(OnnxLayers& l, const models::ViTConfig& c) {
  const std::string path = "patch_embed";
  const int64_t rows = c.img_size.h / c.patch_size.h, cols = c.img_size.w / c.patch_size.w;
  if (!c.patch_norms) {
    std::vector<std::string> inputs{kInput, l.weight("patch_embed.proj.weight")};
    if (l.has("patch_embed.proj.bias")) inputs.push_back(l.weight("patch_embed.proj.bias"));
    const std::vector<int64_t> patch{c.patch_size.h, c.patch_size.w};
    const std::string y = l.graph().node("patch_embed.proj", "Conv", inputs, {{"kernel_shape", patch}, {"strides", patch}});
    return l.transpose(l.reshape(y, {0, c.embed_dim, rows * cols}, path), {0, 2, 1}, path);
  }
  const int64_t values = c.in_chans * c.patch_size.h * c.patch_size.w;
  const std::string cut = l.reshape(kInput, {0, c.in_chans, rows, c.patch_size.h, cols, c.patch_size.w}, path);
  const std::string x = l.reshape(l.transpose(cut, {0, 2, 4, 1, 3, 5}, path), {0, rows * cols, values}, path);
  const Tensor matrix = reshape(l.tensor("patch_embed.proj.weight"), {c.embed_dim, values});
  const std::string weight = l.graph().weight("patch_embed.proj.weight.transposed", transpose(matrix));
  std::string y = l.graph().node("patch_embed.proj", "MatMul", {l.layer_norm(x, "patch_embed.norm_in"), weight});
  if (l.has("patch_embed.proj.bias")) y = l.add(y, l.weight("patch_embed.proj.bias"), "patch_embed.proj");
  return l.layer_norm(y, "patch_embed.norm_out");
}

// ViT::embed(). The prefix tokens are added to rows of zeros, which needs no extent that is only known when the graph runs.
std::string embed(OnnxLayers& l, const models::ViTConfig& c) {
  std::string x = patches(l, c);
  const int64_t prefix = models::prefix_tokens(c);
  const int64_t count = (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w);
  const bool positions = l.has("pos_embed");
  if (positions && c.no_embed_class) x = l.add(x, l.weight("pos_embed"), "pos_embed");
  if (prefix > 0) {
    std::vector<std::string> tokens;
    for (const char* name : {"cls_token", "dist_token", "reg_token"})
      if (l.has(name)) tokens.push_back(l.weight(name));
    const auto padded = [&](const std::string& of, const std::vector<int64_t>& pads) {
      return l.graph().node("tokens", "Pad", {of, l.graph().integers(pads)});
    };
    const std::string all = tokens.size() == 1 ? tokens[0] : l.graph().node("tokens", "Concat", tokens, {{"axis", int64_t{1}}});
    x = l.add(padded(x, {0, prefix, 0, 0, 0, 0}), padded(all, {0, 0, 0, 0, count, 0}), "tokens");
  }
  if (positions && !c.no_embed_class) x = l.add(x, l.weight("pos_embed"), "pos_embed");
  return c.pre_norm ? l.layer_norm(x, "norm_pre") : x;
}

// ViT::pool(), [B, T, D] -> [B, D or 2 D]
std::string pool(OnnxLayers& l, const models::ViTConfig& c, const std::string& x) {
  const auto token = [&] { return l.row(x, 0, c.embed_dim, "pool"); };
  if (c.global_pool == "token") return token();
  const int64_t prefix = models::prefix_tokens(c);
  const std::string rows = prefix == 0 || c.pool_include_prefix ? x : l.slice(x, 1, prefix, models::kMaxTokens * 2, "pool");
  if (c.global_pool == "map") return l.attention_pool(rows, "attn_pool", c.num_heads);
  if (c.global_pool == "max") return l.reduce_rows("ReduceMax", rows, "pool");
  const std::string mean = l.reduce_rows("ReduceMean", rows, "pool");
  if (c.global_pool == "avg") return mean;
  if (c.global_pool == "token_avg") return l.graph().node("pool", "Concat", {token(), mean}, {{"axis", int64_t{1}}});
  return l.scaled(l.add(l.reduce_rows("ReduceMax", rows, "pool"), mean, "pool"), 0.5, "pool");
}

}  // namespace

void add_vit(OnnxLayers& l, const models::ViTConfig& c) {
  std::string x = embed(l, c);
  const int64_t head_dim = models::attention_width(c) / c.num_heads;
  for (int64_t i = 0; i < c.depth; ++i) x = l.block(x, cat("blocks.", i), c.num_heads, head_dim, c.post_norm);
  if (l.has("norm.weight")) x = l.layer_norm(x, "norm");
  std::string features = pool(l, c, x);
  if (l.has("fc_norm.weight")) features = l.layer_norm(features, "fc_norm");
  if (c.num_classes > 0) {
    std::string logits = l.head(features, "head");
    if (c.dist_head) {
      const std::string other = l.head(l.row(x, 1, c.embed_dim, "head_dist"), "head_dist");
      logits = l.scaled(l.add(logits, other, "head_dist"), 0.5, "head_dist");
    }
    l.graph().output("logits", logits, {0, c.num_classes});
  }
  if (c.projection > 0) l.graph().output("embedding", l.head(features, "projection"), {0, c.projection});
  l.graph().output("features", features, {0, models::pooled_width(c)});
}

void add_cct(OnnxLayers& l, models::Cct& model) {
  const models::CctConfig& c = model.config();
  std::string x = kInput;
  const std::vector<int64_t> kernel{c.conv_kernel, c.conv_kernel}, padding(4, c.conv_kernel / 2);
  for (int64_t i = 0; i < c.conv_layers; ++i) {  // conv, ReLU, pooling
    const std::string path = cat("tokenizer.", 3 * i);
    x = l.graph().node(path, "Conv", {x, l.weight(path + ".weight")}, {{"kernel_shape", kernel}, {"pads", padding}});
    x = l.graph().node(path, "Relu", {x});
    x = l.graph().node(path, "MaxPool", {x},
                       {{"kernel_shape", std::vector<int64_t>{3, 3}},
                        {"pads", std::vector<int64_t>(4, 1)},
                        {"strides", std::vector<int64_t>{2, 2}}});
  }
  const models::Size2d grid = models::cct_grid(c);
  x = l.transpose(l.reshape(x, {0, c.embed_dim, grid.h * grid.w}, "tokenizer"), {0, 2, 1}, "tokenizer");
  if (l.has("pos_embed")) x = l.add(x, l.weight("pos_embed"), "pos_embed");
  for (int64_t i = 0; i < c.depth; ++i) x = l.block(x, cat("blocks.", i), c.num_heads, c.embed_dim / c.num_heads, false);
  x = l.layer_norm(x, "norm");
  const std::string path = "attention_pool";
  const std::string share = l.graph().node(path, "Softmax", {l.linear(x, path)}, {{"axis", int64_t{1}}});
  const std::string mixed = l.graph().node(path, "MatMul", {l.transpose(share, {0, 2, 1}, path), x});
  const std::string features = l.reshape(mixed, {0, c.embed_dim}, path);
  l.graph().output("logits", l.head(features, "head"), {0, c.num_classes});
  l.graph().output("features", features, {0, c.embed_dim});
}

OnnxGraph onnx_model(models::Classifier& model, const ModelCard& card, int64_t opset) {
  check(opset >= kOldestOpset && opset <= kNewestOpset, ErrorKind::kValue, "convert", "--opset must be from ", kOldestOpset,
        " to ", kNewestOpset, ": it is ", opset, ".");
  auto* vit = dynamic_cast<models::ViT*>(&model);
  auto* cct = dynamic_cast<models::Cct*>(&model);
  check(vit != nullptr || cct != nullptr, ErrorKind::kValue, "convert", "--to onnx writes ViTs and CCTs: this model is a ",
        architecture_of(model), ".");
  OnnxGraph graph(opset);
  graph.input(kInput, {0, model.in_chans(), model.img_height(), model.img_width()});
  const nn::StateDict state = model.state_dict();
  OnnxLayers layers(graph, state, vit ? vit->config().norm_eps : cct->config().norm_eps,
                    vit ? nn::activation_from_name(vit->config().act_layer) : nn::ActivationKind::kGelu);
  if (vit != nullptr)
    add_vit(layers, vit->config());
  else
    add_cct(layers, *cct);
  JsonWriter names;
  names.value(card.class_names);
  graph.metadata("model", model.config_json());
  graph.metadata("preprocessing", preprocessing_to_json(card.preprocessing));
  graph.metadata("class_names", names.text());
  graph.metadata("task", card.task);
  return graph;
}

}  // namespace vitrail::weights
