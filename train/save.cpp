#include "train/save.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "models/presets.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kConfig = "config.json";
constexpr const char* kCard = "vitrail";  // the key in the safetensors header
constexpr int kFormat = 1;

template <class... Parts>
[[noreturn]] void bad_file(const std::string& path, const Parts&... parts) {
  fail(ErrorKind::kData, "load_model", path, ": ", parts...);
}

std::string card_text(models::Classifier& model, const ModelCard& card) {
  // A class may be named after a folder, whose name may hold any bytes: the writer replaces what is not UTF-8.
  JsonWriter json(2);
  json.begin_object().field("format", kFormat).key("model").raw(model.config_json());
  json.key("preprocessing").raw(preprocessing_to_json(card.preprocessing));
  json.field("class_names", card.class_names).key("training").raw(tidy_json(card.training, "training", ErrorKind::kValue));
  return json.end_object().text();
}

void check_finite_weights(const nn::StateDict& state, const std::string& path) {
  for (const auto& [name, tensor] : state)
    if (is_float(tensor.dtype()) && tensor.numel() > 0 && min(isfinite(tensor)).item() == 0)
      bad_file(path, "weight is not finite: ", name, " holds NaN or infinity.");
}

// The architecture as JSON text with sorted keys: two that are equal are the same text.
std::string architecture(const std::string& text, const std::string& where) {
  const JsonDocument json(text, where);
  return JsonObject(json.root(), where, "", ErrorKind::kData).json_text("model");
}

LoadedModel build(const std::string& text, const std::string& where, const SafetensorsFile& weights, const std::string& path) {
  LoadedModel loaded;
  try {
    const JsonDocument json(text, where);
    JsonObject object(json.root(), where, "", ErrorKind::kData);
    const std::string format = object.json_text("format");
    if (format != std::to_string(kFormat))
      bad_file(where, "format ", escaped(format, 40), " is unknown; this program reads format ", kFormat, ".");
    Rng rng(0);
    loaded.model = models::make_model(models::config_from_json(object.json_text("model"), where), rng);
    loaded.card.preprocessing = preprocessing_from_json(object.json_text("preprocessing"));
    object.json_text("class_names");  // must be there
    loaded.card.class_names = object.texts_or("class_names", {});
    loaded.card.training = object.json_text("training");
    const int64_t names = static_cast<int64_t>(loaded.card.class_names.size());
    if (names != loaded.model->num_classes())
      bad_file(where, "class names and model differ: ", names, " names, the model has ", loaded.model->num_classes(),
               " classes.");
    check_finite_weights(weights.tensors, path);
    loaded.model->load_state_dict(weights.tensors);
  } catch (const Error& e) {
    // What would be a wrong argument elsewhere is a wrong file here.
    if (e.kind() == ErrorKind::kValue || e.kind() == ErrorKind::kShape) bad_file(path, e.what());
    throw;
  }
  loaded.model->eval();
  return loaded;
}

}  // namespace

void save_model(const std::string& dir, models::Classifier& model, const ModelCard& card) {
  check(static_cast<int64_t>(card.class_names.size()) == model.num_classes(), ErrorKind::kValue, "save_model",
        "class names and model differ: ", card.class_names.size(), " names, the model has ", model.num_classes(), " classes.");
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, ErrorKind::kIo, "save_model", dir, " cannot be made: ", error.message(), ".");
  const std::string text = card_text(model, card);
  SafetensorsFile file;
  file.tensors = model.state_dict();
  file.metadata.emplace_back(kCard, text);
  save_safetensors((fs::path(dir) / kWeights).string(), file);
  write_file_atomically((fs::path(dir) / kConfig).string(), text + "\n");
}

LoadedModel load_model(const std::string& path) {
  const bool folder = fs::is_directory(path);
  const std::string weights_path = folder ? (fs::path(path) / kWeights).string() : path;
  const SafetensorsFile weights = load_safetensors(weights_path);
  const auto own =
      std::find_if(weights.metadata.begin(), weights.metadata.end(), [](const auto& entry) { return entry.first == kCard; });
  if (!folder) {
    if (own == weights.metadata.end())
      bad_file(path, "the header says nothing of the architecture. Hint: give the folder that holds ", kWeights, " and ",
               kConfig, ".");
    return build(own->second, path, weights, path);
  }
  const std::string config_path = (fs::path(path) / kConfig).string();
  const std::string text = read_text_file(config_path);
  if (own != weights.metadata.end() && architecture(own->second, weights_path) != architecture(text, config_path))
    bad_file(config_path, "does not belong to ", kWeights, ": the architectures differ. Hint: load ", weights_path, " itself.");
  return build(text, config_path, weights, weights_path);
}

}  // namespace vitrail
