#include "models/weights/families/infer.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail::weights {

namespace {

using models::Size2d;

class Inference {
 public:
  Inference(Translation& t, const Sidecar& s, const Given& given, const std::string& source, std::vector<Fact>& facts)
      : t_(t), s_(s), given_(given), source_(source), facts_(facts) {}

  models::ViTConfig run() {
    read_patches();
    read_blocks();
    complete_biases();
    read_heads();
    read_tokens();
    read_head();
    read_pooling();
    read_functions();
    read_positions();
    hold_against_sidecar();
    return c_;
  }

 private:
  const Tensor* find(const std::string& name) const {
    for (const auto& entry : t_.weights)
      if (entry.first == name) return &entry.second;
    return nullptr;
  }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  // What one block has, all must have: a block that lost it is then said to miss it.
  bool in_any_block(const char* end) const {
    return std::ranges::any_of(
        t_.weights, [&](const auto& entry) { return entry.first.starts_with("blocks.") && entry.first.ends_with(end); });
  }

  const Tensor& need(const std::string& name, int64_t rank) const {
    const Tensor* tensor = find(name);
    check(tensor != nullptr, ErrorKind::kData, "weights", escaped_path(source_), ": not a whole ViT: ", name, " is missing",
          found_instead(), ".");
    check(tensor->dim() == rank && tensor->numel() > 0, ErrorKind::kData, "weights", escaped_path(source_), ": ", name,
          " must have ", rank, " axes: it is ", tensor->shape(), ".");
    return *tensor;
  }

  // Where timm's names go through whatever they are, what stands in place of the missing says what the model is.
  std::string found_instead() const {
    std::vector<std::string> names;
    for (const auto& entry : t_.weights)
      if (!entry.first.starts_with("patch_embed.") && !entry.first.starts_with("norm.")) names.push_back(entry.first);
    const std::string of = s_.architecture.empty() ? "" : cat(" (", quote(s_.architecture), ")");
    return cat(of, "; there are ", names.size(), " other tensors: ", listed(names, 2));
  }

  void fact(const char* name, const std::string& value, const std::string& from) { facts_.push_back({name, value, from}); }
  std::string sidecar_name() const { return s_.file.substr(s_.file.find_last_of('/') + 1); }

  void read_patches() {
    const Tensor& w = need("patch_embed.proj.weight", 4);
    c_.embed_dim = w.size(0), c_.in_chans = w.size(1), c_.patch_size = {w.size(2), w.size(3)};
    if (t_.family == "lucidrains" && c_.in_chans == 1) fact("in_chans", "1", "assumed: no tensor tells it");
    c_.patch_bias = has("patch_embed.proj.bias");
    c_.patch_norms = has("patch_embed.norm_in.weight");
  }

  void read_blocks() {
    int64_t depth = 0;
    for (const auto& entry : t_.weights) {
      if (!entry.first.starts_with("blocks.")) continue;
      depth = std::max<int64_t>(depth, std::strtol(entry.first.c_str() + 7, nullptr, 10) + 1);
    }
    check(depth <= models::kMaxDepth, ErrorKind::kData, "weights", escaped_path(source_), ": has too many blocks: ", depth,
          ".");
    c_.depth = depth;
    const Tensor& qkv = need("blocks.0.attn.qkv.weight", 2);
    check(qkv.size(0) % 3 == 0 && qkv.size(1) == c_.embed_dim, ErrorKind::kData, "weights", escaped_path(source_),
          ": blocks.0.attn.qkv.weight must be [3 H K, ", c_.embed_dim, "]: it is ", qkv.shape(), ".");
    c_.qkv_bias = in_any_block(".attn.qkv.bias");
    c_.proj_bias = in_any_block(".attn.proj.bias");
    c_.qk_norm = in_any_block(".attn.q_norm.weight");
    c_.mlp_hidden = need("blocks.0.mlp.fc1.weight", 2).size(0);
    if (in_any_block(".ls1.gamma")) c_.init_values = 1e-5;  // the value only matters for new weights
    c_.pre_norm = has("norm_pre.weight");
  }

  // A model here has both biases or none. SimpleViT's projection of the attention has none where its MLP does: zeros are the
  // same.
  void complete_biases() {
    if (c_.proj_bias || !in_any_block(".mlp.fc1.bias")) return;
    for (int64_t i = 0; i < c_.depth; ++i) t_.weights.emplace_back(cat("blocks.", i, ".attn.proj.bias"), zeros({c_.embed_dim}));
    c_.proj_bias = true;
    fact("attn.proj.bias", "zeros", "the file has none");
  }

  // Wide models have heads of 72 to 104: timm's huge, giant, gigantic and so400m all have 16.
  int64_t usual_heads(int64_t width) const {
    for (const int64_t sixteen : {1152, 1280, 1408, 1664})
      if (c_.embed_dim == sixteen && width == sixteen) return 16;
    return width % 64 == 0 ? width / 64 : 0;
  }

  void read_heads() {
    const int64_t width = need("blocks.0.attn.qkv.weight", 2).size(0) / 3;
    std::string from = sidecar_name();
    if (given_.num_heads > 0) {
      c_.num_heads = given_.num_heads, from = "--num-heads";
    } else if (s_.num_heads) {
      c_.num_heads = *s_.num_heads;
    } else if (t_.num_heads > 0) {
      c_.num_heads = t_.num_heads, from = "shape of the query kernel";
    } else if (const Tensor* q = find("blocks.0.attn.q_norm.weight"); q != nullptr && q->numel() > 0) {
      c_.num_heads = width / q->numel(), from = "shape of q_norm";
    } else {
      c_.num_heads = usual_heads(width), from = "assumed: no shape tells it; --num-heads sets it";
      check(c_.num_heads > 0, ErrorKind::kValue, "weights", escaped_path(source_),
            ": the number of heads cannot be read from shapes: width is ", width, ". Hint: --num-heads N.");
    }
    check(c_.num_heads > 0 && width % c_.num_heads == 0, ErrorKind::kData, "weights", escaped_path(source_),
          ": the number of heads must divide the width: num_heads is ", c_.num_heads, " (", from, "), width is ", width, ".");
    if (width != c_.embed_dim) c_.head_dim = width / c_.num_heads;
    fact("num_heads", std::to_string(c_.num_heads), from);
  }

  void read_tokens() {
    c_.class_token = has("cls_token"), c_.dist_token = has("dist_token");
    c_.reg_tokens = has("reg_token") ? need("reg_token", 3).size(1) : 0;
  }

  void read_head() {
    if (s_.head_embeds) {
      t_.same -= static_cast<int64_t>(std::erase_if(t_.weights, [this](const auto& entry) {
        if (!entry.first.starts_with("head.")) return false;
        t_.unused.push_back(t_.prefix + entry.first);
        return true;
      }));
      fact(kHeadFact, "left out", "it makes an embedding, no classes: timm_proj is null");
    }
    const Tensor* head = find("head.weight");
    c_.num_classes = head != nullptr ? need("head.weight", 2).size(0) : 0;
    c_.dist_head = c_.num_classes > 0 && has("head_dist.weight");
    if (t_.pre_logits) fact(kHeadFact, "left out", "it reads pre_logits, a layer that this ViT does not have");
    const Tensor* projection = find("projection.weight");
    c_.projection = projection != nullptr ? need("projection.weight", 2).size(0) : 0;
  }

  void read_pooling() {
    const bool norm = has("norm.weight"), fc_norm = has("fc_norm.weight"), latent = has("attn_pool.latent");
    std::string from = "tensors";
    if (latent) {
      c_.global_pool = "map";
    } else if (s_.global_pool) {
      c_.global_pool = *s_.global_pool, from = sidecar_name();
    } else {
      c_.global_pool = fc_norm || !c_.class_token ? "avg" : "token";
      // vit-pytorch's pool="mean" over class token and patches has the same tensors.
      if (t_.family == "lucidrains" && c_.class_token) from = "assumed: no tensor tells it";
    }
    // DINOv2's classifier is twice as wide as the model.
    if (c_.num_classes > 0 && need("head.weight", 2).size(1) == 2 * c_.embed_dim) c_.global_pool = "token_avg";
    if (c_.num_classes == 0 && c_.global_pool == "token_avg") c_.global_pool = "token";
    c_.pool_include_prefix = s_.pool_include_prefix;
    c_.final_norm = norm || fc_norm;
    c_.fc_norm = fc_norm;
    if (norm && !fc_norm && s_.norm_behind_pool && c_.global_pool == "avg") {
      c_.fc_norm = true;
      for (auto& entry : t_.weights)
        if (entry.first.starts_with("norm.")) entry.first.insert(0, "fc_");
    }
    if (s_.kind == "huggingface" && s_.architecture.starts_with("clip") && c_.global_pool == "avg") {
      c_.final_norm = false;  // the mean over the patches without the last norm
      std::erase_if(t_.weights, [this](const auto& entry) {
        if (!entry.first.starts_with("norm.")) return false;
        t_.unused.push_back(entry.first);
        return true;
      });
    }
    fact("global_pool", c_.global_pool, from);
  }

  void read_functions() {
    const std::string& family = t_.family;
    std::string from = cat("usual for ", family);
    c_.norm_eps = family == "huggingface"                                                           ? 1e-12
                  : family == "huggingface-clip" || family == "open_clip" || family == "lucidrains" ? 1e-5
                                                                                                    : 1e-6;
    c_.act_layer = family == "flax"                                        ? "gelu_tanh"
                   : family == "huggingface-clip" || family == "open_clip" ? "quick_gelu"
                                                                           : "gelu";
    if (s_.norm_eps) c_.norm_eps = *s_.norm_eps;
    fact("norm_eps", cat(c_.norm_eps), s_.norm_eps ? sidecar_name() : from);
    if (s_.act_layer) c_.act_layer = *s_.act_layer;
    fact("act_layer", c_.act_layer, s_.act_layer ? sidecar_name() : from);
  }

  // The side of a square grid of `tokens` patches; 0 if it is none.
  static int64_t square(int64_t tokens) {
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(tokens))));
    return tokens > 0 && side * side == tokens ? side : 0;
  }

  void read_positions() {
    const Tensor* positions = find("pos_embed");
    const int64_t prefix = models::prefix_tokens(c_);
    std::string from = sidecar_name();
    Size2d size = s_.img_size.value_or(Size2d(0));
    if (given_.img_size.h > 0) size = given_.img_size, from = "--img-size";
    if (positions == nullptr) {
      const bool computed = t_.family == "lucidrains" || t_.family == "flax";  // SimpleViT, posemb="sincos2d" of big_vision
      check(computed || s_.no_positions, ErrorKind::kData, "weights", escaped_path(source_),
            ": there is no position embedding (pos_embed). What says instead where a patch lies, as rotary or relative "
            "positions, "
            "this ViT does not compute. Hint: for one that needs none, \"model_args\": {\"pos_embed\": \"none\"} in timm's "
            "config.json.");
      c_.pos_embed = computed ? "sincos2d" : "none";
      c_.no_embed_class = computed && prefix > 0;
      check(size.h > 0, ErrorKind::kValue, "weights", escaped_path(source_),
            ": without a position embedding no shape tells the size of the pictures. Hint: --img-size N.");
      c_.img_size = size;
      const Size2d grid{size.h / c_.patch_size.h, size.w / c_.patch_size.w};
      if (c_.pos_embed == "sincos2d") t_.weights.emplace_back("pos_embed", models::sincos2d(grid, c_.embed_dim));
      return fact("img_size", cat(size.h, " x ", size.w), from);
    }
    const int64_t tokens = need("pos_embed", 3).size(1);
    if (size.h == 0) {
      int64_t side = square(tokens - prefix);
      if (side == 0) side = square(tokens), c_.no_embed_class = true;
      if (side == 0 && c_.reg_tokens > 0) side = square(tokens - 1);
      check(side > 0, ErrorKind::kValue, "weights", escaped_path(source_), ": ", tokens, " positions with ", prefix,
            " prefix tokens are no square grid. Hint: --img-size H,W.");
      size = {side * c_.patch_size.h, side * c_.patch_size.w}, from = "a square grid of positions";
    }
    c_.img_size = size;
    fact("img_size", cat(size.h, " x ", size.w), from);
    const int64_t grid = (size.h / c_.patch_size.h) * (size.w / c_.patch_size.w);
    c_.no_embed_class = prefix > 0 && tokens == grid;
    if (tokens == grid + 1 && c_.reg_tokens > 0 && c_.class_token) return take_up_position(grid);
    check(tokens == grid || tokens == grid + prefix, ErrorKind::kData, "weights", escaped_path(source_), ": the file has ",
          tokens, " positions, img_size ", size.h, " x ", size.w, " with patch_size ", c_.patch_size.h, " needs ",
          grid + prefix, " (", from, "). Hint: --img-size says for which size the file is.");
  }

  // The class token has a position, the registers behind it have none: token + position is the class token without one.
  void take_up_position(int64_t grid) {
    c_.no_embed_class = true;
    Tensor positions = need("pos_embed", 3);
    for (auto& [name, tensor] : t_.weights) {
      if (name == "cls_token") tensor = add(tensor, slice(positions, 1, 0, 1));
      if (name == "pos_embed") tensor = contiguous(slice(positions, 1, 1, grid + 1));
    }
  }

  void same(const char* what, const std::optional<int64_t>& said, int64_t found) const {
    check(!said || *said == found, ErrorKind::kData, "weights", escaped_path(source_), ": ", sidecar_name(),
          " and weights differ: ", what, " is ", said.value_or(0), " there, ", found, " by the weights.");
  }

  void hold_against_sidecar() const {
    same("embed_dim", s_.embed_dim, c_.embed_dim);
    same("depth (layers)", s_.depth, c_.depth);
    same("in_chans", s_.in_chans, c_.in_chans);
    same("hidden width of the MLP", s_.mlp_hidden, c_.mlp_hidden);
    if (!s_.patch_size) return;
    same("patch_size", s_.patch_size->h, c_.patch_size.h);
    same("patch_size", s_.patch_size->w, c_.patch_size.w);
  }

  Translation& t_;
  const Sidecar& s_;
  const Given& given_;
  const std::string& source_;
  std::vector<Fact>& facts_;
  models::ViTConfig c_;
};

}  // namespace

models::ViTConfig infer_config(Translation& translation, const Sidecar& sidecar, const Given& given, const std::string& source,
                               std::vector<Fact>& facts) {
  return Inference(translation, sidecar, given, source, facts).run();
}

}  // namespace vitrail::weights
