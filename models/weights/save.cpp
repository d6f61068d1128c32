#include "models/weights/save.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "models/presets.h"
#include "models/weights/foreign.h"
#include "models/weights/formats/file_kind.h"
#include "models/weights/formats/weights_folder.h"
#include "nn/lora.h"
#include "tensor/ops.h"
#include "tensor/safetensors_checksums.h"

namespace vitrail {

namespace {

namespace fs = std::filesystem;

constexpr const char* kOldConfig = "config.json";  // format 1 kept a copy of the card in this file
constexpr const char* kCard = "vitrail";           // the key in the safetensors header
constexpr int kFormat = 2, kOldFormat = 1;

template <class... Parts>
[[noreturn]] void bad_file(const std::string& path, const Parts&... parts) {
  fail(ErrorKind::kData, "load_model", escaped_path(path), ": ", parts...);
}

// The name of the first tensor that holds NaN or infinity; empty if there is none.
std::string first_not_finite(const nn::StateDict& state) {
  for (const auto& [name, tensor] : state)
    if (is_float(tensor.dtype()) && tensor.numel() > 0 && min(isfinite(tensor)).item() == 0) return name;
  return "";
}

int format_of(JsonObject& object, const std::string& where) {
  const std::string format = object.json_text("format");
  for (const int known : {kOldFormat, kFormat})
    if (format == std::to_string(known)) return known;
  bad_file(where, "format ", escaped(format, 40), " is unknown; this program reads formats ", kOldFormat, " and ", kFormat,
           ".");
}

int format_of(const std::string& text, const std::string& where) {
  const JsonDocument json(text, where);
  JsonObject object(json.root(), where, "", ErrorKind::kData);
  return format_of(object, where);
}

// Reads a card that a person wrote for weights that this program did not save: {"model": {...}}, optionally with preprocessing
// and class_names. Missing ones get their defaults from the model (complete()).
void read_written_card(JsonObject& object, const std::string& where, SavedModel& saved) {
  if (!object.has("model"))
    bad_file(where, "the field \"model\" is missing. Hint: {\"model\": {\"architecture\": \"vit\", \"img_size\": 224, ...}}; ",
             "preprocessing and class_names have defaults.");
  saved.architecture = object.json_text("model");
  if (object.has("preprocessing")) saved.card.preprocessing = preprocessing_from_json(object.json_text("preprocessing"));
  saved.card.class_names = object.texts_or("class_names", {});
  object.finish();
}

AnswerCalibration read_calibration(JsonObject& object) {
  AnswerCalibration c;
  c.temperature = object.number("temperature", 1e-3, 1e3);
  c.unknown_below = object.number("unknown_below", 0, 1);
  c.share = object.number("share", 0, 1);
  c.ece_before = object.number("ece_before", 0, 1), c.ece_after = object.number("ece_after", 0, 1);
  c.images = object.integer("images", 1, INT64_MAX);
  c.data = object.text("data");
  object.finish();
  return c;
}

void write_calibration(JsonWriter& json, const AnswerCalibration& c) {
  json.key("calibration").begin_object().field("temperature", c.temperature).field("unknown_below", c.unknown_below);
  json.field("share", c.share).field("ece_before", c.ece_before).field("ece_after", c.ece_after);
  json.field("images", c.images).field("data", c.data).end_object();
}

void read_card(const std::string& text, const std::string& where, SavedModel& saved) {
  const JsonDocument json(text, where);
  JsonObject object(json.root(), where, "", ErrorKind::kData);
  if (!object.has("format")) return read_written_card(object, where, saved);
  const int format = format_of(object, where);
  saved.architecture = object.json_text("model");
  saved.card.preprocessing = preprocessing_from_json(object.json_text("preprocessing"));
  object.json_text("class_names");  // required
  saved.card.class_names = object.texts_or("class_names", {});
  saved.card.training = object.json_text("training");
  if (format != kOldFormat) saved.card.task = object.text("task");
  if (object.has("calibration")) {
    JsonObject found(object.value("calibration"), where, "calibration", ErrorKind::kData);
    saved.card.calibration = read_calibration(found);
  }
}

// Runs fn and reports its errors about arguments or shapes as errors in the file.
template <class Fn>
void as_file_error(const std::string& path, Fn&& fn) {
  try {
    fn();
  } catch (const Error& e) {
    if (e.kind() == ErrorKind::kValue || e.kind() == ErrorKind::kShape) bad_file(path, e.what());
    throw;
  }
}

// A folder of format 1 was written as two files: a run killed between the two left new weights with the old class names. The
// header holds the same card as config.json, so any difference shows it.
void check_same_card(const std::string& config, const std::string& config_path, const std::string& header,
                     const std::string& weights_path) {
  if (tidy_json(config, config_path) == tidy_json(header, weights_path)) return;
  bad_file(config_path, "does not belong to ", kModelFile, ": its content differs from the card in the header of that file. ",
           "Hint: load ", weights_path, " itself.");
}

// The JSON that describes the weights, and the file it comes from.
std::pair<std::string, std::string> find_card(const std::string& path, bool folder, const std::string& weights_path,
                                              const SafetensorsFile& weights) {
  const auto own =
      std::find_if(weights.metadata.begin(), weights.metadata.end(), [](const auto& entry) { return entry.first == kCard; });
  const bool has_own = own != weights.metadata.end();
  if (has_own && !folder) return {own->second, weights_path};
  const std::string config_path = ((folder ? fs::path(path) : fs::path(path).parent_path()) / kOldConfig).string();
  std::error_code ignored;
  const bool has_config = fs::exists(config_path, ignored);
  if (has_own && (!has_config || format_of(own->second, weights_path) != kOldFormat)) return {own->second, weights_path};
  for (const auto& [key, text] : weights.metadata)
    if (key == "vitrail_run")
      bad_file(weights_path, "this is a checkpoint of a training run, not a model. Hint: the model is ", kModelFile,
               " beside it.");
  if (!has_config)
    bad_file(weights_path, weights.tensors.size(), " tensors without a description of the model. Hint: write ", kOldConfig,
             " beside it, {\"model\": {\"architecture\": \"vit\", \"img_size\": 224, ...}}.");
  const std::string text = read_text_file(config_path);
  if (has_own) check_same_card(text, config_path, own->second, weights_path);
  return {text, config_path};
}

// Whether a folder has files that may hold weights.
bool holds_weights(const std::string& folder) {
  std::error_code ignored;
  for (fs::directory_iterator at(folder, ignored), end; at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    for (const char* ending : {".safetensors", ".safetensors.index.json", ".npz", ".pt", ".pth", ".pth.tar", ".bin"})
      if (name.ends_with(ending)) return true;
  }
  return false;
}

bool has_key_of_ours(const std::string& file) {
  const auto& metadata = read_safetensors_info(file).metadata;
  return std::any_of(metadata.begin(), metadata.end(),
                     [](const auto& entry) { return entry.first == kCard || entry.first == "vitrail_run"; });
}

// The file of a folder: model.safetensors. Where there is none, its only file of weights if that is one of ours, under another
// name.
std::string file_in(const std::string& folder) {
  const std::string usual = (fs::path(folder) / kModelFile).string();
  std::error_code ignored;
  if (fs::is_regular_file(usual, ignored) || !holds_weights(folder)) return usual;
  const std::string checkpoint = (fs::path(folder) / "checkpoint.safetensors").string();
  if (fs::is_regular_file(checkpoint, ignored) && has_key_of_ours(checkpoint))
    bad_file(folder, "the run has saved no model yet, only a checkpoint to go on from.");
  const std::string only = weights_file_of(folder);
  return only.ends_with(".safetensors") && has_key_of_ours(only) ? only : usual;
}

// Whether another program saved it: a file that is no safetensors, or one without our card and without a description by hand.
bool is_foreign(const std::string& path, bool folder, const std::string& weights_path) {
  std::error_code ignored;
  if (!fs::is_regular_file(weights_path, ignored)) return folder && holds_weights(path);
  const InputFile file(weights_path);
  if (recognise_file(source_of(file)) != FileKind::kSafetensors) return true;
  if (has_key_of_ours(weights_path)) return false;
  const fs::path beside = folder ? fs::path(path) : fs::path(path).parent_path();
  const std::string config = (beside / kOldConfig).string();
  if (!fs::is_regular_file(config, ignored)) return true;
  const JsonDocument json(read_text_file(config), config);
  JsonObject object(json.root(), config, "", ErrorKind::kData);
  return object.has("model_type") || object.has("architecture") || object.has("pretrained_cfg");
}

// Removes a card of format 1 only: a config.json that the user wrote stays.
void remove_old_config(const std::string& dir) {
  const std::string path = (fs::path(dir) / kOldConfig).string();
  std::error_code ignored;
  try {
    if (!fs::is_regular_file(path, ignored) || format_of(read_text_file(path), path) != kOldFormat) return;
    fs::remove(path, ignored);
  } catch (const Error&) {  // not written by this program
  }
}

// Refuses narrow integers before loading: as i64 they would take up to eight times the size of the file, only to be refused
// afterwards.
void check_weight_types(const std::string& path) {
  for (const SafetensorsEntry& e : read_safetensors_info(path).entries) {
    const bool narrow = e.type == "I8" || e.type == "I16" || e.type == "I32" || e.type == "U16" || e.type == "U32";
    if (narrow) bad_file(path, "weights are floats: ", escaped(e.name), " is ", e.type, ".");
  }
}

}  // namespace

std::string card_json(const std::string& architecture, const ModelCard& card) {
  // Class names may come from folder names, which may hold any bytes: the writer replaces bytes that are not UTF-8.
  JsonWriter json(2);
  json.begin_object().field("format", kFormat).field("task", card.task).key("model").raw(architecture);
  json.key("preprocessing").raw(preprocessing_to_json(card.preprocessing));
  json.field("class_names", card.class_names).key("training").raw(tidy_json(card.training, "training", ErrorKind::kValue));
  if (card.calibration) write_calibration(json, *card.calibration);
  return json.end_object().text();
}

SavedModel read_card_json(const std::string& text, const std::string& where) {
  SavedModel saved;
  as_file_error(where, [&] { read_card(text, where, saved); });
  saved.file = where;
  return saved;
}

void check_finite_weights(const char* op, const nn::StateDict& state, const std::string& where) {
  const std::string name = first_not_finite(state);
  check(name.empty(), ErrorKind::kNumeric, op, where, "weight is not finite: ", escaped(name), " holds NaN or infinity.");
}

void save_model(const std::string& dir, nn::Module& model, const std::string& architecture, const ModelCard& card,
                const char* name) {
  SafetensorsFile file;
  file.tensors = nn::merged_state_dict(model);
  check_finite_weights("save_model", file.tensors);
  file.metadata.emplace_back(kCard, card_json(architecture, card));
  add_checksums(file);
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, ErrorKind::kIo, "save_model", escaped_path(dir), " cannot be made: ", error.message(), ".");
  save_safetensors((fs::path(dir) / name).string(), file);
  remove_old_config(dir);
}

void save_model(const std::string& dir, models::Classifier& model, const ModelCard& card) {
  check(static_cast<int64_t>(card.class_names.size()) == model.num_classes(), ErrorKind::kValue, "save_model",
        "class names and model differ: ", card.class_names.size(), " names, the model has ", model.num_classes(), " classes.");
  save_model(dir, model, model.config_json(), card);
}

void save_calibration(const std::string& path, const AnswerCalibration& calibration) {
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  const std::string weights_path = folder ? file_in(path) : path;
  check(!is_foreign(path, folder, weights_path), ErrorKind::kValue, "calibrate", escaped_path(path),
        ": another program wrote this model, and its file has no place for a calibration. Hint: vitrail convert --to vitrail "
        "first.");
  SafetensorsFile file = load_safetensors(weights_path);
  check_tensors(file, weights_path);
  const auto card =
      std::find_if(file.metadata.begin(), file.metadata.end(), [](const auto& entry) { return entry.first == kCard; });
  check(card != file.metadata.end() && format_of(card->second, weights_path) == kFormat, ErrorKind::kValue, "calibrate",
        escaped_path(weights_path), ": an older program wrote this model. Hint: vitrail convert --to vitrail first.");
  SavedModel saved = read_card_json(card->second, weights_path);
  check(saved.card.task == kClassification, ErrorKind::kValue, "calibrate", escaped_path(weights_path),
        ": the model's task is ", escaped(saved.card.task), "; a temperature is for one label per picture.");
  saved.card.calibration = calibration;
  card->second = card_json(saved.architecture, saved.card);
  std::erase_if(file.metadata, [](const auto& entry) { return entry.first == kChecksums; });
  add_checksums(file);
  save_safetensors(weights_path, file);
}

namespace {

// A model of ours says all of this itself: an option that would change nothing is refused.
void check_nothing_to_say(const OpenOptions& options, const std::string& path) {
  const char* const option = options.num_heads != 0        ? "--num-heads"
                             : options.img_height != 0     ? "--img-size"
                             : !options.weights.empty()    ? "--weights"
                             : !options.preprocess.empty() ? "--preprocess"
                                                           : nullptr;
  check(!option, ErrorKind::kValue, "model", option ? option : "", " is for models of other programs: ", escaped_path(path),
        " was written by vitrail and says it itself. Hint: leave the option out.");
}

}  // namespace

SavedModel read_saved_model(const std::string& path, const OpenOptions& options) {
  std::error_code ignored;  // a path that cannot be inspected fails in the open below, with the system's reason
  const bool folder = fs::is_directory(path, ignored);
  const std::string weights_path = folder ? file_in(path) : path;
  if (is_foreign(path, folder, weights_path)) {
    SavedModel saved = read_foreign_model(path, options);
    const std::string name = first_not_finite(saved.weights);
    if (!name.empty()) bad_file(saved.file, "weight is not finite: ", escaped(name), " holds NaN or infinity.");
    return saved;
  }
  check_nothing_to_say(options, path);
  check_weight_types(weights_path);
  SafetensorsFile weights = load_safetensors(weights_path);
  SavedModel saved;
  const auto [text, where] = find_card(path, folder, weights_path, weights);
  as_file_error(weights_path, [&, &text = text, &where = where] { read_card(text, where, saved); });
  if (options.no_exif) saved.card.preprocessing.apply_orientation = false;
  saved.file = weights_path;
  const std::string name = first_not_finite(weights.tensors);
  if (!name.empty()) bad_file(weights_path, "weight is not finite: ", escaped(name), " holds NaN or infinity.");
  check_tensors(weights, weights_path);
  saved.weights = std::move(weights.tensors);
  return saved;
}

LoadedModel load_model(const std::string& path, const OpenOptions& options) {
  return build_classifier(read_saved_model(path, options));
}

namespace {

// Fills in what a card written by hand leaves out: the model's own image size, mean and deviation of a half (as timm's ViTs),
// classes by number.
void complete(ModelCard& card, const models::Classifier& model) {
  if (card.preprocessing.height == 0) {
    card.preprocessing.height = model.img_height(), card.preprocessing.width = model.img_width();
    card.preprocessing.channels = model.in_chans();
    card.preprocessing.mean.assign(static_cast<size_t>(model.in_chans()), 0.5);
    card.preprocessing.std = card.preprocessing.mean;
  }
  if (card.class_names.empty())
    for (int64_t i = 0; i < model.num_classes(); ++i) card.class_names.push_back(cat("class ", i));
}

}  // namespace

LoadedModel build_classifier(SavedModel saved) {
  if (saved.card.task != kClassification && saved.card.task != kMultiLabel)
    bad_file(saved.file, "the model's task is ", escaped(saved.card.task, 60), "; this command reads models for ",
             kClassification, " and ", kMultiLabel, ".");
  LoadedModel loaded;
  as_file_error(saved.file, [&] {
    Rng rng(0);
    loaded.model = models::make_model(models::config_from_json(saved.architecture, saved.file), rng);
    complete(saved.card, *loaded.model);
    const int64_t names = static_cast<int64_t>(saved.card.class_names.size()), classes = loaded.model->num_classes();
    if (names != classes)
      bad_file(saved.file, "class names and model differ: ", names, " names, the model has ", classes, " classes.");
    loaded.model->load_state_dict(saved.weights);
  });
  loaded.origin = saved.origin;
  loaded.card = std::move(saved.card);
  loaded.model->eval();
  return loaded;
}

}  // namespace vitrail
