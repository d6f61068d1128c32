// Hugging Face's config.json and preprocessor_config.json (transformers 5.24 and older).
#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "models/weights/families/sidecar.h"
#include "models/weights/families/sidecar_fields.h"

namespace vitrail::weights {

namespace {

// id2label: {"0": "tench", ...}, whose keys are texts.
std::vector<std::string> labels(JsonObject& object, const std::string& path) {
  if (!object.has("id2label") || object.is_null("id2label")) return {};
  JsonObject names(object.value("id2label"), path, "id2label", ErrorKind::kData);
  const auto count = static_cast<int64_t>(names.keys().size());
  std::vector<std::string> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(names.text(std::to_string(i)));
  return result;
}

// The defaults of transformers' ViTConfig, DeiTConfig, Dinov2Config and CLIPVisionConfig where a key is missing.
struct Defaults {
  double eps;
  const char* act;
  int64_t width, depth, heads, patch, image;
};

Defaults defaults_of(const std::string& type) {
  if (type.starts_with("dinov2")) return {1e-6, "gelu", 768, 12, 12, 14, 224};
  if (type.starts_with("clip")) return {1e-5, "quick_gelu", 768, 12, 12, 32, 224};
  return {1e-12, "gelu", 768, 12, 12, 16, 224};
}

void read_vision(JsonObject& o, const std::string& path, Sidecar& s) {
  const Defaults d = defaults_of(s.architecture);
  s.embed_dim = whole(o, "hidden_size").value_or(d.width);
  s.depth = whole(o, "num_hidden_layers").value_or(d.depth);
  s.num_heads = whole(o, "num_attention_heads").value_or(d.heads);
  s.mlp_hidden = whole(o, "intermediate_size");
  s.img_size = size(o, "image_size").value_or(models::Size2d(d.image));
  s.patch_size = size(o, "patch_size").value_or(models::Size2d(d.patch));
  s.in_chans = whole(o, "num_channels").value_or(3);
  s.norm_eps = o.number_or("layer_norm_eps", 0, 1, d.eps);
  s.act_layer = activation_of(o.text_or("hidden_act", d.act), path);
  if (o.boolean_or("use_swiglu_ffn", false)) o.refuse("use_swiglu_ffn", "SwiGLU is not a part of this ViT");
}

// ---- pictures ----

constexpr Resample kPillow[] = {Resample::kNearest, Resample::kLanczos, Resample::kBilinear,
                                Resample::kBicubic, Resample::kBox,     Resample::kHamming};

// What a processor does where its file is silent: transformers' image_processing_vit, _deit, _bit and _clip.
struct ProcessorDefaults {
  bool crop, white;
  bool short_side;  // of an integer size
  int64_t size, crop_size, resample;
  double mean[3], std[3];
};
constexpr ProcessorDefaults kViT{false, false, false, 224, 224, 2, {.5, .5, .5}, {.5, .5, .5}};
constexpr ProcessorDefaults kDeiT{true, false, false, 256, 224, 3, {.5, .5, .5}, {.5, .5, .5}};
constexpr ProcessorDefaults kCLIP{
    true, true, true, 224, 224, 3, {.48145466, .4578275, .40821073}, {.26862954, .26130258, .27577711}};

const ProcessorDefaults& processor_of(const std::string& name, const std::string& model_type) {
  if (name.starts_with("ViT")) return kViT;
  if (name.starts_with("DeiT")) return kDeiT;
  if (name.starts_with("CLIP") || name.starts_with("Bit")) return kCLIP;
  if (model_type == "deit") return kDeiT;
  if (model_type.starts_with("clip") || model_type.starts_with("dinov2")) return kCLIP;
  return kViT;
}

struct Sides {
  models::Size2d size;
  bool short_side = false;
};

// 224, {"height": .., "width": ..} or {"shortest_edge": ..}.
Sides sides(JsonObject& o, const char* key, const std::string& path, int64_t otherwise, bool short_side) {
  if (!o.has(key)) return {models::Size2d(otherwise), short_side};
  if (o.is_list(key)) return {*size(o, key), false};
  const std::string text = o.json_text(key);
  if (text[0] != '{') return {models::Size2d(o.integer(key, 1, models::kMaxSide)), short_side};
  JsonObject inner(o.value(key), path, key, ErrorKind::kData);
  if (inner.has("shortest_edge")) return {models::Size2d(inner.integer("shortest_edge", 1, models::kMaxSide)), true};
  return {{inner.integer("height", 1, models::kMaxSide), inner.integer("width", 1, models::kMaxSide)}, false};
}

void read_normalisation(JsonObject& o, const ProcessorDefaults& d, Preprocessing& p) {
  if (!o.boolean_or("do_rescale", true))
    p.rescale = 1;
  else
    p.rescale = o.number_or("rescale_factor", 0, 1e6, 1.0 / 255);
  p.mean = o.numbers_or("image_mean", -1e6, 1e6, {d.mean[0], d.mean[1], d.mean[2]});
  p.std = o.numbers_or("image_std", 1e-12, 1e6, {d.std[0], d.std[1], d.std[2]});
  if (!o.boolean_or("do_normalize", true)) p.mean.assign(p.mean.size(), 0), p.std.assign(p.mean.size(), 1);
  p.channels = static_cast<int64_t>(p.mean.size());
}

Preprocessing read_image_processor(JsonObject& o, const std::string& path, const std::string& model_type,
                                   models::Size2d image) {
  const std::string name = o.text_or("image_processor_type", o.text_or("feature_extractor_type", ""));
  const ProcessorDefaults& d = processor_of(name, model_type);
  Preprocessing p;
  const Sides resized = sides(o, "size", path, d.size, d.short_side);
  const bool crops = o.boolean_or("do_center_crop", d.crop);
  const Sides cropped = sides(o, "crop_size", path, d.crop_size, false);
  const bool resizes = o.boolean_or("do_resize", true);
  p.resize = !resizes ? ResizeMode::kNone : resized.short_side ? ResizeMode::kShortSide : ResizeMode::kSquash;
  p.resize_height = resizes ? resized.size.h : 0, p.resize_width = resizes ? resized.size.w : 0;
  const models::Size2d out = crops ? cropped.size : resizes && !resized.short_side ? resized.size : image;
  p.height = out.h, p.width = out.w;
  const int64_t resample = o.integer_or("resample", 0, 5, d.resample);
  p.interpolation = kPillow[resample];
  p.crop_offset = CropOffset::kFloor;
  p.alpha = o.boolean_or("do_convert_rgb", d.white) ? AlphaRule::kWhite : AlphaRule::kDrop;
  read_normalisation(o, d, p);
  return p;
}

// Nulls left out, as deep as JsonDocument lets them nest.
void write_without_nulls(JsonObject object, const std::string& path, JsonWriter& json) {
  json.begin_object();
  for (const std::string& key : object.keys()) {
    if (object.is_null(key)) continue;
    json.key(key);
    if (object.json_text(key).starts_with("{"))
      write_without_nulls(JsonObject(object.value(key), path, key, ErrorKind::kData), path, json);
    else
      json.raw(object.json_text(key));
  }
  json.end_object();
}

// transformers' newer processors store null for every setting that is left at the default of its class: as if it were absent.
std::string text_without_nulls(const std::string& path) {
  const JsonDocument document(read_text_file(path), path);
  JsonWriter json;
  write_without_nulls(JsonObject(document.root(), path, "", ErrorKind::kData), path, json);
  return json.text();
}

}  // namespace

std::string activation_of(const std::string& theirs, const std::string& file) {
  if (theirs == "gelu" || theirs == "gelu_python") return "gelu";
  for (const char* tanh : {"gelu_new", "gelu_pytorch_tanh", "gelu_tanh", "gelu_fast", "gelu_accurate", "gelu_python_tanh"})
    if (theirs == tanh) return "gelu_tanh";
  if (theirs == "quick_gelu" || theirs == "quickgelu") return "quick_gelu";
  if (theirs == "silu" || theirs == "swish") return "silu";
  if (theirs == "relu") return theirs;
  fail(ErrorKind::kData, "weights", escaped_path(file), ": the activation ", quote(theirs),
       " is unknown: known are gelu, gelu_new, gelu_pytorch_tanh, quick_gelu, relu, silu");
}

void read_hugging_face_config(const std::string& path, Sidecar& s) {
  const JsonDocument json(read_text_file(path), path);
  JsonObject o(json.root(), path, "", ErrorKind::kData);
  s.kind = "huggingface";
  s.architecture = o.text_or("model_type", "vit");
  const std::vector<std::string> known{"vit", "deit", "dinov2", "dinov2_with_registers", "clip", "clip_vision_model"};
  check(std::find(known.begin(), known.end(), s.architecture) != known.end(), ErrorKind::kData, "weights", escaped_path(path),
        ": not a ViT that this program runs: model_type is ", quote(s.architecture),
        ". Hint: it runs vit, deit, dinov2, dinov2_with_registers and the image tower of clip.");
  if (s.architecture == "clip") {
    JsonObject vision(o.value("vision_config"), path, "vision_config", ErrorKind::kData);
    read_vision(vision, path, s);
    s.projection = whole(o, "projection_dim");
  } else {
    read_vision(o, path, s);
  }
  s.class_names = labels(o, path);
  if (o.has("problem_type") && o.is_text("problem_type"))
    s.multi_label = o.text("problem_type") == "multi_label_classification";
  for (const std::string& name : o.texts_or("architectures", {})) {
    // transformers' modeling_clip: the mean over the patches, without the last norm. modeling_dinov2: token and mean side by
    // side.
    if (name == "CLIPForImageClassification") s.global_pool = "avg";
    if (name == "Dinov2ForImageClassification" || name == "Dinov2WithRegistersForImageClassification")
      s.global_pool = "token_avg";
    // Their labels are those of a head that is not there.
    if (name.ends_with("Model")) s.class_names.clear();
  }
}

Preprocessing read_preprocessor(const std::string& path, const std::string& model_type, models::Size2d image) {
  const JsonDocument json(text_without_nulls(path), path);
  JsonObject o(json.root(), path, "", ErrorKind::kData);
  if (!o.has("image_processor")) return read_image_processor(o, path, model_type, image);
  JsonObject inner(o.value("image_processor"), path, "image_processor", ErrorKind::kData);
  return read_image_processor(inner, path, model_type, image);
}

}  // namespace vitrail::weights
