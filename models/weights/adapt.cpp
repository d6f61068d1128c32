#include "models/weights/adapt.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "models/presets.h"
#include "models/weights/class_rows.h"
#include "models/weights/foreign.h"
#include "models/weights/patch_resampling.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

using models::Size2d;

Tensor* find(nn::StateDict& weights, const std::string& name) {
  for (auto& entry : weights)
    if (entry.first == name) return &entry.second;
  return nullptr;
}

std::string text_of(Size2d size) { return size.h == size.w ? cat(size.h) : cat(size.h, " x ", size.w); }

Size2d grid_of(const models::ViTConfig& c) { return {c.img_size.h / c.patch_size.h, c.img_size.w / c.patch_size.w}; }

// The sizes before the crop follow the input: 248 of 224 become 425 of 384.
void scale_preprocessing(Preprocessing& p, Size2d to) {
  const double vertical = static_cast<double>(to.h) / static_cast<double>(p.height),
               horizontal = static_cast<double>(to.w) / static_cast<double>(p.width);
  if (p.resize_height > 0) {
    const bool square = p.resize == ResizeMode::kShortSide;
    p.resize_height = std::lround(static_cast<double>(p.resize_height) * (square ? std::max(vertical, horizontal) : vertical));
    p.resize_width = square ? p.resize_height : std::lround(static_cast<double>(p.resize_width) * horizontal);
  }
  p.height = to.h, p.width = to.w;
}

void change_patches(SavedModel& saved, models::ViTConfig& c, const AdaptTo& to, std::vector<std::string>& notes) {
  Tensor* weight = find(saved.weights, "patch_embed.proj.weight");
  if (weight == nullptr) return;
  const bool other_patch = to.patch_size.h > 0 && !(to.patch_size == c.patch_size);
  const bool other_channels = to.in_chans > 0 && to.in_chans != c.in_chans;
  check(!c.patch_norms || (!other_patch && !other_channels), ErrorKind::kValue, "adapt",
        "patch size and channels of a model with norms around its patch projection cannot be changed: patch_norms is true");
  if (other_patch) {
    *weight = resample_patches(*weight, to.patch_size);
    notes.push_back(cat("patches of ", text_of(c.patch_size), " resampled to ", text_of(to.patch_size)));
    c.patch_size = to.patch_size;
  }
  if (!other_channels) return;
  *weight = adapt_channels(*weight, to.in_chans);
  notes.push_back(cat("patch projection changed from ", c.in_chans, " to ", to.in_chans, " channels"));
  c.in_chans = to.in_chans;
  Preprocessing& p = saved.card.preprocessing;
  const auto resized = [&](std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    if (static_cast<int64_t>(values.size()) != to.in_chans)
      values.assign(static_cast<size_t>(to.in_chans), sum / static_cast<double>(values.size()));
  };
  resized(p.mean), resized(p.std);
  p.channels = to.in_chans, p.padding.clear();
}

void change_positions(SavedModel& saved, models::ViTConfig& c, const AdaptTo& to, Size2d before,
                      std::vector<std::string>& notes) {
  Tensor* positions = find(saved.weights, "pos_embed");
  const Size2d now = grid_of(c);
  if (positions == nullptr || now == before) return;
  if (c.pos_embed == "sincos2d") {
    *positions = models::sincos2d(now, c.embed_dim);
    return;
  }
  const PositionRule rule = to.position_rule.empty() ? usual_position_rule(saved) : position_rule(to.position_rule);
  const int64_t prefix = c.no_embed_class ? 0 : models::prefix_tokens(c);
  *positions = resample_positions(*positions, before, now, prefix, rule);
  notes.push_back(cat("positions resampled from ", text_of(before), " to ", text_of(now), " (", position_rule_name(rule), ")"));
}

void change_classes(SavedModel& saved, models::ModelConfig& config, const AdaptTo& to, std::vector<std::string>& notes) {
  const std::vector<std::string>& old = saved.card.class_names;
  // A row of softmax says which of the classes, one of sigmoids whether: neither is a start for the other.
  const bool other_task = !to.task.empty() && to.task != saved.card.task;
  if (other_task) saved.card.task = to.task;
  if (to.class_names.empty() || (to.class_names == old && !other_task)) return;
  const auto classes = static_cast<int64_t>(to.class_names.size());
  int64_t kept = 0;
  for (const char* head : {"head", "head_dist"}) {
    Tensor *weight = find(saved.weights, cat(head, ".weight")), *bias = find(saved.weights, cat(head, ".bias"));
    if (weight == nullptr) continue;
    const auto rows = static_cast<int64_t>(old.size()) == weight->size(0) && !other_task
                          ? keep_class_rows(*weight, bias ? *bias : Tensor(), old, to.class_names)
                          : ClassRows{zeros({classes, weight->size(1)}), zeros({classes}), {}};
    *weight = rows.weight;
    if (bias) *bias = rows.bias;
    kept = rows.kept();
  }
  if (auto* vit = std::get_if<models::ViTConfig>(&config); vit != nullptr && vit->num_classes == 0) {
    saved.weights.emplace_back("head.weight", zeros({classes, models::pooled_width(*vit)}));
    saved.weights.emplace_back("head.bias", zeros({classes}));
  }
  config = models::adapted(config, {.num_classes = classes});
  notes.push_back(kept == 0 ? cat("a new head of zeros for ", classes, " classes")
                            : cat("a head for ", classes, " classes, ", kept, " of them kept by name"));
  saved.card.class_names = to.class_names;
}

}  // namespace

PositionRule usual_position_rule(const SavedModel& saved) {
  if (!saved.origin) return PositionRule::kTimm;
  const std::string& family = saved.origin->family;
  const models::ModelConfig config = models::config_from_json(saved.architecture, saved.file);
  const auto* vit = std::get_if<models::ViTConfig>(&config);
  if (family == "huggingface") return vit && vit->reg_tokens > 0 ? PositionRule::kHfDinov2Reg : PositionRule::kHfVit;
  if (family == "huggingface-clip") return PositionRule::kHfClip;
  if (family == "torchvision") return PositionRule::kTorchvision;
  if (family == "open_clip") return PositionRule::kOpenClip;
  return family == "flax" ? PositionRule::kGoogleZoom : PositionRule::kTimm;
}

std::vector<std::string> adapt(SavedModel& saved, const AdaptTo& to) {
  std::vector<std::string> notes;
  models::ModelConfig config = models::config_from_json(saved.architecture, saved.file);
  auto* vit = std::get_if<models::ViTConfig>(&config);
  const bool sizes = to.img_size.h > 0 || to.patch_size.h > 0 || to.in_chans > 0;
  if (vit != nullptr && sizes) {
    const Size2d before = grid_of(*vit);
    change_patches(saved, *vit, to, notes);
    if (to.img_size.h > 0 && !(to.img_size == vit->img_size)) {
      vit->img_size = to.img_size;
      scale_preprocessing(saved.card.preprocessing, to.img_size);
      notes.push_back(cat("input size ", text_of(to.img_size)));
    }
    models::validate(*vit);
    change_positions(saved, *vit, to, before, notes);
  } else if (sizes) {
    const models::ModelConfig wanted = models::adapted(config, {to.in_chans, to.img_size.h, to.img_size.w});
    check(to.patch_size.h == 0 && models::to_json(wanted) == models::to_json(config), ErrorKind::kValue, "adapt",
          "only a ViT can be brought to another image size, patch size or number of channels: the model is ",
          models::architecture_of(config), ".");
  }
  change_classes(saved, config, to, notes);
  saved.architecture = models::to_json(config);
  return notes;
}

}  // namespace vitrail
