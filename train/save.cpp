#include "train/save.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/presets.h"
#include "tensor/io/file.h"
#include "tensor/io/json.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

using nlohmann::json;
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
  nlohmann::ordered_json object;
  object["format"] = kFormat;
  object["model"] = nlohmann::ordered_json::parse(model.config_json());
  object["preprocessing"] = preprocessing_to_json(card.preprocessing);
  object["class_names"] = card.class_names;
  object["training"] = nlohmann::ordered_json::parse(card.training);
  // A class may be named after a folder, whose name may hold any bytes: what is not UTF-8 is replaced.
  return object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

const json& member(const json& object, const char* key, const std::string& path) {
  const auto it = object.find(key);
  if (it == object.end()) bad_file(path, "key missing: ", key, ". Hint: is it a model that vitrail saved?");
  return *it;
}

std::vector<std::string> read_names(const json& names, const std::string& path) {
  if (!names.is_array()) bad_file(path, "class_names must be a list of strings.");
  std::vector<std::string> result;
  for (const json& name : names) {
    if (!name.is_string()) bad_file(path, "class_names must be a list of strings.");
    result.push_back(name.get<std::string>());
  }
  return result;
}

void check_finite_weights(const nn::StateDict& state, const std::string& path) {
  for (const auto& [name, tensor] : state)
    if (is_float(tensor.dtype()) && tensor.numel() > 0 && min(isfinite(tensor)).item() == 0)
      bad_file(path, "weight is not finite: ", name, " holds NaN or infinity.");
}

json architecture(const std::string& text, const std::string& where) {
  const json object = parse_json(text, where);
  if (!object.is_object()) bad_file(where, "a JSON object is needed.");
  return member(object, "model", where);
}

LoadedModel build(const std::string& text, const std::string& where, const SafetensorsFile& weights, const std::string& path) {
  LoadedModel loaded;
  try {
    const json object = parse_json(text, where);
    const std::string model_text = architecture(text, where).dump();
    const json& format = member(object, "format", where);
    if (format != kFormat) bad_file(where, "format ", format.dump(), " is unknown; this program reads format ", kFormat, ".");
    Rng rng(0);
    loaded.model = models::make_model(models::config_from_json(model_text, where), rng);
    loaded.card.preprocessing = preprocessing_from_json(member(object, "preprocessing", where));
    loaded.card.class_names = read_names(member(object, "class_names", where), where);
    loaded.card.training = member(object, "training", where).dump();
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
