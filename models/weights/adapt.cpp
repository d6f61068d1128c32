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

void change_size(SavedModel& saved, Size2d& size, const AdaptTo& to, std::vector<std::string>& notes) {
  if (to.img_size.h == 0 || to.img_size == size) return;
  size = to.img_size;
  scale_preprocessing(saved.card.preprocessing, size);
  notes.push_back(cat("input size ", text_of(size)));
}

// `first`: the layer whose weight reads the channels of the image.
void change_channels(SavedModel& saved, const std::string& first, int64_t& in_chans, const AdaptTo& to,
                     std::vector<std::string>& notes) {
  Tensor* weight = find(saved.weights, first + ".weight");
  if (weight == nullptr || to.in_chans == 0 || to.in_chans == in_chans) return;
  *weight = adapt_channels(*weight, to.in_chans);
  notes.push_back(cat(first, " changed from ", in_chans, " to ", to.in_chans, " channels"));
  in_chans = to.in_chans;
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
  change_channels(saved, "patch_embed.proj", c.in_chans, to, notes);
}

// From one grid of tokens to another; the first `prefix` tokens have no place in it.
void change_positions(SavedModel& saved, Size2d from, Size2d grid, int64_t prefix, const AdaptTo& to,
                      std::vector<std::string>& notes) {
  Tensor* positions = find(saved.weights, "pos_embed");
  if (positions == nullptr || grid == from) return;
  const PositionRule rule = to.position_rule.empty() ? usual_position_rule(saved) : position_rule(to.position_rule);
  *positions = resample_positions(*positions, from, grid, prefix, rule);
  notes.push_back(cat("positions resampled from ", text_of(from), " to ", text_of(grid), " (", position_rule_name(rule), ")"));
}

void change_input(SavedModel& saved, models::ViTConfig& c, const AdaptTo& to, std::vector<std::string>& notes) {
  const Size2d before = grid_of(c);
  change_patches(saved, c, to, notes);
  change_size(saved, c.img_size, to, notes);
  models::validate(c);
  Tensor* positions = find(saved.weights, "pos_embed");
  if (c.pos_embed == "sincos2d") {
    if (positions == nullptr || grid_of(c) == before) return;
    const Tensor table = models::sincos2d(grid_of(c), c.embed_dim);
    const int64_t prefix = c.no_embed_class ? 0 : models::prefix_tokens(c);  // rows of zeros, as in the model
    *positions = prefix == 0 ? table : concat(std::vector<Tensor>{zeros({1, prefix, c.embed_dim}), table}, 1);
  } else {
    change_positions(saved, before, grid_of(c), c.no_embed_class ? 0 : models::prefix_tokens(c), to, notes);
  }
}

// A convolutional Transformer's tokens are what its convolutions leave of the picture, each with its position.
void change_input(SavedModel& saved, models::CctConfig& c, const AdaptTo& to, std::vector<std::string>& notes) {
  check(to.patch_size.h == 0, ErrorKind::kValue, "adapt",
        "only a ViT has patches whose size can be changed: the model is cct.");
  const Size2d before = models::cct_grid(c);
  change_channels(saved, "tokenizer.0", c.in_chans, to, notes);
  change_size(saved, c.img_size, to, notes);
  models::validate(c);
  change_positions(saved, before, models::cct_grid(c), 0, to, notes);
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
  if (to.img_size.h > 0 || to.patch_size.h > 0 || to.in_chans > 0) {
    if (auto* vit = std::get_if<models::ViTConfig>(&config)) {
      change_input(saved, *vit, to, notes);
    } else if (auto* cct = std::get_if<models::CctConfig>(&config)) {
      change_input(saved, *cct, to, notes);
    } else {
      const models::ModelConfig wanted = models::adapted(config, {to.in_chans, to.img_size.h, to.img_size.w});
      check(to.patch_size.h == 0 && models::to_json(wanted) == models::to_json(config), ErrorKind::kValue, "adapt",
            "only a ViT or a CCT can be brought to another image size or number of channels, and only a ViT has patches: the "
            "model is ",
            models::architecture_of(config), ".");
    }
  }
  change_classes(saved, config, to, notes);
  saved.architecture = models::to_json(config);
  return notes;
}

}  // namespace vitrail
