#include "models/weights/foreign.h"

#include <filesystem>

#include "base/text.h"
#include "models/presets.h"
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
  check(p.height == config.img_size.h && p.width == config.img_size.w, ErrorKind::kData, "weights",
        "preprocessing and model differ: pictures become ", p.height, " x ", p.width, ", the model reads ", config.img_size.h,
        " x ", config.img_size.w, ". Hint: --preprocess names a file or a family that fits.");
  p.validate();
  return p;
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
  return saved;
}

}  // namespace vitrail
