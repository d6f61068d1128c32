#include "models/weights/foreign.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "models/presets.h"
#include "models/weights/adapt.h"
#include "models/weights/families/names.h"
#include "models/weights/families/preprocess_rules.h"
#include "models/weights/formats/tensor_file.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

// The preprocessing that is usual for the family, where no file says it.
std::string usual_preprocessing(const std::string& family, const std::string& architecture) {
  // DeiT and DINOv2 were trained with ImageNet's mean, whoever stored them.
  if (architecture == "deit" || architecture.starts_with("dinov2")) return "deit";
  if (family == "huggingface") return "huggingface";
  if (family == "huggingface-clip" || family == "open_clip") return "clip";
  if (family == "torchvision") return "torchvision";
  if (family == "flax") return "google";
  return family == "timm" ? "timm" : "deit";
}

// A single channel has the mean of the three.
std::vector<double> for_channels(const std::vector<double>& values, int64_t channels) {
  if (static_cast<int64_t>(values.size()) == channels) return values;
  double sum = 0;
  for (const double value : values) sum += value;
  return std::vector<double>(static_cast<size_t>(channels), sum / static_cast<double>(values.size()));
}

Preprocessing preprocessing_of(const models::ViTConfig& config, const weights::Sidecar& sidecar, const std::string& family,
                               const OpenOptions& options, std::vector<weights::Fact>& facts) {
  Preprocessing p;
  std::string from;
  if (!options.preprocess.empty()) {
    std::error_code ignored;
    const bool file = fs::is_regular_file(options.preprocess, ignored);
    p = file ? weights::read_preprocessor(options.preprocess, sidecar.architecture, config.img_size)
             : weights::family_preprocessing(options.preprocess, config.img_size);
    from = "--preprocess";
  } else if (sidecar.preprocessing) {
    p = *sidecar.preprocessing;
    from = fs::path(sidecar.preprocessing_file).filename().string();
  } else {
    const std::string usual = usual_preprocessing(family, sidecar.architecture);
    p = weights::family_preprocessing(usual, config.img_size);
    from = cat("assumed: as ", usual, "; --preprocess sets it");
  }
  p.mean = for_channels(p.mean, config.in_chans), p.std = for_channels(p.std, config.in_chans);
  p.channels = config.in_chans;
  if (options.no_exif) p.apply_orientation = false;
  facts.push_back({"preprocessing", "", from});
  p.validate();
  return p;
}

// The published DINOv2 has positions for 518 x 518 and pictures of 224 x 224: transformers resamples them for whatever comes
// (modeling_dinov2.py, interpolate_pos_encoding). Other models must be of the size of their pictures.
void follow_pictures(SavedModel& saved, const models::ViTConfig& config, const std::string& architecture, bool size_given) {
  Preprocessing& p = saved.card.preprocessing;
  const models::Size2d pictures{p.height, p.width};
  if (pictures == config.img_size) return;
  const bool whole = pictures.h % config.patch_size.h == 0 && pictures.w % config.patch_size.w == 0;
  check(architecture.starts_with("dinov2") && whole && !size_given, ErrorKind::kData, "weights",
        "preprocessing and model differ: pictures become ", pictures.h, " x ", pictures.w, ", the model reads ",
        config.img_size.h, " x ", config.img_size.w, ". Hint: --preprocess names a file or a family that fits.");
  const Preprocessing as_said = p;
  p.height = config.img_size.h, p.width = config.img_size.w;
  AdaptTo to;
  to.img_size = pictures;
  std::vector<weights::Fact>& facts = saved.origin->facts;
  for (weights::Fact& fact : facts)
    if (fact.name == "img_size") fact = {fact.name, cat(pictures.h, " x ", pictures.w), "size of the pictures"};
  facts.push_back({weights::kResampledFact, adapt(saved, to).back(), "as transformers does for pictures of another size"});
  p = as_said;
}

// The names of a model's tensors. A small twin has the same, and takes no seconds to make. Error(kData) if no model is so.
std::set<std::string> names_of(models::ViTConfig config, const std::string& file) try {
  config.embed_dim = 8, config.num_heads = 1, config.head_dim = 0, config.mlp_hidden = 1;
  config.img_size = config.patch_size = {1, 1}, config.in_chans = 1;
  for (int64_t* count : {&config.num_classes, &config.projection, &config.reg_tokens}) *count = std::min<int64_t>(*count, 1);
  std::set<std::string> names;
  for (const auto& entry : models::make_model(config, Rng(0))->state_dict()) names.insert(entry.first);
  return names;
} catch (const Error& e) {
  if (e.kind() != ErrorKind::kValue) throw;
  fail(ErrorKind::kData, "weights", escaped_path(file), ": ", e.what());
}

// Those of the unexpected names, theirs or ours, that stand in a block or the patch embedding.
std::vector<std::string> not_computed(const Origin& origin, const std::string& prefix) {
  std::vector<std::string> names;
  for (const std::string& name : origin.unexpected) {
    const std::string rest = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
    if (weights::is_computed(weights::family_names(origin.family), rest) ||
        weights::is_computed(weights::family_names("timm"), rest))
      names.push_back(name);
  }
  return names;
}

// Tensors that the model does not have are listed and dropped; with `strict` they are an error.
void drop_unexpected(SavedModel& saved, const models::ViTConfig& config, const std::string& prefix, bool strict) {
  Origin& origin = *saved.origin;
  const std::set<std::string> names = names_of(config, saved.file);
  std::erase_if(saved.weights, [&](const auto& entry) {
    if (names.contains(entry.first)) return false;
    origin.unexpected.push_back(entry.first);
    --origin.same;
    return true;
  });
  origin.not_computed = not_computed(origin, prefix);
  if (!strict || saved.weights.size() < names.size()) return;  // what is missing is told first, when the model is built
  for (const auto& [list, what] : {std::pair(&origin.unexpected, "unexpected"), {&origin.unused, "not used"}})
    check(list->empty(), ErrorKind::kData, "weights", escaped_path(saved.file), ": ", list->size(), " tensors are ", what, ": ",
          listed(*list), ". Hint: without --strict they are listed.");
}

}  // namespace

SavedModel read_foreign_model(const std::string& path, const OpenOptions& options) {
  TensorFile file = read_tensor_file(path, {.weights = options.weights});
  std::error_code ignored;
  const std::string folder = fs::is_directory(path, ignored) ? path : fs::path(file.file).parent_path().string();
  const weights::Sidecar sidecar = weights::read_sidecar(folder.empty() ? "." : folder);
  weights::Translation translation = weights::translate(file.tensors, file.file);
  file.tensors.clear();  // shared, but those that were rearranged can go
  auto origin = std::make_shared<Origin>();
  const models::ViTConfig config = weights::infer_config(
      translation, sidecar, {.num_heads = options.num_heads, .img_size = {options.img_height, options.img_width}}, file.file,
      origin->facts);
  origin->family = translation.family, origin->format = file.format, origin->part = file.part,
  origin->other_parts = file.other_parts;
  origin->same = translation.same, origin->renamed = translation.renamed, origin->rearranged = translation.rearranged;
  origin->unused = translation.unused, origin->unexpected = translation.unexpected;
  SavedModel saved;
  saved.card.preprocessing = preprocessing_of(config, sidecar, translation.family, options, origin->facts);
  saved.card.class_names = config.num_classes > 0 ? sidecar.class_names : std::vector<std::string>{};
  if (config.num_classes > 0 && sidecar.multi_label) {
    saved.card.task = kMultiLabel;
    origin->facts.push_back({"labels", "any number per picture", fs::path(sidecar.file).filename().string()});
  }
  origin->facts.push_back({"class_names", std::to_string(saved.card.class_names.size()),
                           saved.card.class_names.empty() ? "numbered" : fs::path(sidecar.file).filename().string()});
  saved.architecture = models::to_json(models::ModelConfig(config));
  saved.weights = std::move(translation.weights);
  saved.file = file.file;
  saved.origin = std::move(origin);
  drop_unexpected(saved, config, translation.prefix, options.strict);
  follow_pictures(saved, config, sidecar.architecture, options.img_height > 0);
  return saved;
}

}  // namespace vitrail
