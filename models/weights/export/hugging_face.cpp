// transformers 5.24: modeling_vit.py, modeling_deit.py, modeling_dinov2*.py, modeling_clip.py and their configurations. The
// tensors have the names of the files on the hub, which every version reads.
#include <algorithm>
#include <set>

#include "base/json_writer.h"
#include "base/text.h"
#include "models/weights/export/exported.h"
#include "models/weights/export/pictures.h"
#include "models/weights/families/names.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail::weights {

namespace {

using models::Size2d;
using models::ViTConfig;

// One class of transformers and its files.
struct Kind {
  std::string model_type, architecture;  // "vit", "ViTForImageClassification"
  std::string tower;                     // before the names of the image tower: "vit."
  bool clip() const { return model_type == "clip" || model_type == "clip_vision_model"; }
  bool dinov2() const { return model_type.starts_with("dinov2"); }
};

Kind kind_of(const ViTConfig& c) {
  const bool head = c.num_classes > 0;
  if (c.pre_norm) {
    if (head) return {"clip", "CLIPForImageClassification", "vision_model."};
    return {"clip_vision_model", c.projection > 0 ? "CLIPVisionModelWithProjection" : "CLIPVisionModel", "vision_model."};
  }
  if (c.dist_token) {
    if (!head) return {"deit", "DeiTModel", ""};
    return {"deit", c.dist_head ? "DeiTForImageClassificationWithTeacher" : "DeiTForImageClassification", "deit."};
  }
  if (c.init_values.value_or(0) > 0 || c.reg_tokens > 0 || c.global_pool == "token_avg") {
    const bool registers = c.reg_tokens > 0;
    const std::string type = registers ? "dinov2_with_registers" : "dinov2",
                      name = registers ? "Dinov2WithRegisters" : "Dinov2";
    return head ? Kind{type, name + "ForImageClassification", type + "."} : Kind{type, name + "Model", ""};
  }
  return head ? Kind{"vit", "ViTForImageClassification", "vit."} : Kind{"vit", "ViTModel", ""};
}

void check_common(Limits& limits, const ViTConfig& c) {
  limits.need(c.class_token, "a model without a class token");
  limits.need(models::attention_width(c) == c.embed_dim, "head_dim ", c.head_dim, " (here: embed_dim / num_heads)");
  limits.need(c.pos_embed == "learn" || c.pos_embed == "sincos2d", "pos_embed ", c.pos_embed);
  limits.need(c.proj_bias, "proj_bias false");
  limits.need(!c.qk_norm, "qk_norm");
  limits.need(!c.patch_norms && !c.post_norm, "layer norms around patches or behind blocks");
  limits.need(c.act_layer != "tanh" && c.act_layer != "sigmoid", "act_layer ", c.act_layer);
  limits.need(c.global_pool != "map", "global_pool map");
}

void check_expressible(const ViTConfig& c, const Kind& kind) {
  Limits limits("transformers' " + kind.architecture);
  check_common(limits, c);
  const bool square = c.img_size.h == c.img_size.w && c.patch_size.h == c.patch_size.w, head = c.num_classes > 0;
  limits.need(models::has_patch_bias(c) == !kind.clip(), "patch_bias ", models::has_patch_bias(c));
  // CLIPForImageClassification takes the mean over the patches, without the last norm.
  const std::string pool = !head ? "token" : kind.clip() ? "avg" : kind.dinov2() ? "token_avg" : "token";
  limits.need(c.global_pool == pool, "global_pool ", c.global_pool, " (here: ", pool, ")");
  const bool last_norm = !(kind.clip() && head);
  limits.need(c.final_norm == last_norm && !(last_norm && c.fc_norm.value_or(false)),
              last_norm ? "a last norm that is missing or behind the pooling" : "a last norm");
  limits.need(!c.pool_include_prefix || c.global_pool == "token", "pool_include_prefix");
  limits.need(kind.dinov2() || (c.init_values.value_or(0) == 0 && c.reg_tokens == 0), "LayerScale or registers");
  limits.need(c.projection == 0 || kind.architecture == "CLIPVisionModelWithProjection", "a projection");
  if (kind.clip()) limits.need(c.qkv_bias, "qkv_bias false");
  if (kind.clip() || kind.dinov2()) limits.need(square, "rectangular pictures or patches");
  if (kind.dinov2()) {
    limits.need(c.init_values.value_or(0) > 0, "no LayerScale");
    limits.need(models::mlp_width(c) % c.embed_dim == 0, "hidden width ", models::mlp_width(c),
                " (here: a multiple of embed_dim)");
    limits.need(c.reg_tokens == 0 || c.no_embed_class, "positions of registers");
  }
  if (c.dist_token) limits.need(!c.no_embed_class, "no_embed_class");
  limits.finish();
}

// Rows of the table that stand for other classes than this one. The first row that is left counts.
FamilyNames names_for(const Kind& kind) {
  FamilyNames names = family_names(kind.clip() ? "huggingface-clip" : "huggingface");
  if (!kind.dinov2()) return names;
  const std::set<std::string> vit_only{"encoder.layer.{}.layernorm_before.*", "encoder.layer.{}.layernorm_after.*",
                                       "encoder.layer.{}.intermediate.dense.*", "encoder.layer.{}.output.dense.*"};
  std::erase_if(names.rows, [&](const NameRow& row) { return vit_only.contains(row.theirs); });
  return names;
}

// A row of positions for the class token where the model has none: adding zeros changes nothing.
Tensor with_class_position(const Tensor& positions) {
  return concat(std::vector<Tensor>{zeros({1, 1, positions.size(2)}), positions}, 1);
}

class Writer {
 public:
  Writer(const Kind& kind, const ViTConfig& config) : kind_(kind), config_(config), names_(names_for(kind)) {}

  void add(const std::string& name, Tensor value) {
    if (name == "pos_embed" && config_.no_embed_class) value = with_class_position(value);
    if (kind_.clip() && (name == "cls_token" || name == "pos_embed"))
      value = reshape(value, name == "cls_token" ? Shape{value.size(2)} : Shape{value.size(1), value.size(2)});
    if (!name.ends_with(".attn.qkv.weight") && !name.ends_with(".attn.qkv.bias")) return put(name, -1, value);
    const int64_t rows = value.size(0) / 3;
    for (int part = 0; part < 3; ++part) put(name, part, contiguous(slice(value, 0, part * rows, (part + 1) * rows)));
  }

  // What the class has and the model does not need.
  void add_unused() {
    const int64_t d = config_.embed_dim;
    if (kind_.dinov2()) file_.tensors.emplace_back(kind_.tower + "embeddings.mask_token", zeros({1, d}));
    if (kind_.architecture != "CLIPForImageClassification") return;
    file_.tensors.emplace_back("vision_model.post_layernorm.weight", ones({d}));
    file_.tensors.emplace_back("vision_model.post_layernorm.bias", zeros({d}));
  }

  SafetensorsFile finished() {
    file_.metadata.emplace_back("format", "pt");
    return std::move(file_);
  }

 private:
  void put(const std::string& ours, int part, const Tensor& value) {
    bool outside = false;
    std::string theirs = their_name(names_, ours, part, &outside);
    check(!theirs.empty(), ErrorKind::kValue, "convert", "transformers has no name for ", ours, ".");
    if (config_.dist_head && ours.starts_with("head.")) theirs = "cls_" + theirs;
    file_.tensors.emplace_back(outside ? theirs : kind_.tower + theirs, value);
  }

  const Kind& kind_;
  const ViTConfig& config_;
  const FamilyNames names_;
  SafetensorsFile file_;
};

// transformers 5 takes a float only where there is a point or an exponent.
std::string real(double value) {
  JsonWriter json;
  const std::string text = json.value(value).text();
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

void put_size(JsonWriter& json, const char* key, Size2d size) {
  if (size.h == size.w)
    json.field(key, size.h);
  else
    json.field(key, std::vector<int64_t>{size.h, size.w});
}

std::string activation_name(const std::string& ours) { return ours == "gelu_tanh" ? "gelu_pytorch_tanh" : ours; }

void put_tower(JsonWriter& json, const ViTConfig& c, const Kind& kind) {
  json.field("hidden_size", c.embed_dim).field("num_hidden_layers", c.depth).field("num_attention_heads", c.num_heads);
  if (kind.dinov2())
    json.field("mlp_ratio", models::mlp_width(c) / c.embed_dim).field("use_swiglu_ffn", false);
  else
    json.field("intermediate_size", models::mlp_width(c));
  json.field("hidden_act", activation_name(c.act_layer)).key("layer_norm_eps").raw(real(c.norm_eps));
  put_size(json, "image_size", c.img_size), put_size(json, "patch_size", c.patch_size);
  json.field("num_channels", c.in_chans);
  if (kind.clip()) return;
  json.field("qkv_bias", c.qkv_bias).key("hidden_dropout_prob").raw("0.0").key("attention_probs_dropout_prob").raw("0.0");
  if (kind.dinov2()) json.key("layerscale_value").raw(real(c.init_values.value_or(1)));
  if (c.reg_tokens > 0) json.field("num_register_tokens", c.reg_tokens);
}

void put_labels(JsonWriter& json, const std::vector<std::string>& names) {
  json.key("id2label").begin_object();
  for (size_t i = 0; i < names.size(); ++i) json.field(std::to_string(i), names[i]);
  json.end_object().key("label2id").begin_object();
  std::set<std::string> written;
  for (size_t i = 0; i < names.size(); ++i)
    if (written.insert(names[i]).second) json.field(names[i], static_cast<int64_t>(i));
  json.end_object();
}

std::string config_json(const ViTConfig& c, const Kind& kind, const ModelCard& card) {
  JsonWriter json(2);
  json.begin_object().field("architectures", std::vector<std::string>{kind.architecture});
  json.field("model_type", kind.model_type).field("dtype", "float32").field("transformers_version", "5.24.0");
  if (kind.model_type == "clip") {
    json.key("vision_config").begin_object().field("model_type", "clip_vision_model");
    put_tower(json, c, kind);
    json.end_object();
  } else {
    put_tower(json, c, kind);
    if (c.projection > 0) json.field("projection_dim", c.projection);
  }
  if (c.num_classes > 0) put_labels(json, card.class_names);
  if (c.num_classes > 0 && card.task == kMultiLabel) json.field("problem_type", "multi_label_classification");
  return json.end_object().text() + "\n";
}

}  // namespace

Exported to_hugging_face(const models::ViT& model, const nn::StateDict& state, const ModelCard& card) {
  const ViTConfig& c = model.config();
  const Kind kind = kind_of(c);
  check_expressible(c, kind);
  Exported out;
  out.what = "transformers' " + kind.architecture;
  out.texts.emplace_back("config.json", config_json(c, kind, card));
  out.texts.emplace_back("preprocessor_config.json", to_hugging_face_processor(card.preprocessing, out.notes));
  Writer writer(kind, c);
  for (const auto& [name, value] : state) writer.add(name, value);
  writer.add_unused();
  out.weights = writer.finished();
  if (c.pos_embed == "sincos2d") out.notes.emplace_back("the fixed sin-cos positions become trainable in transformers");
  if (c.no_embed_class) out.notes.emplace_back("the class token gets a position of zeros: transformers has one for it");
  return out;
}

}  // namespace vitrail::weights
