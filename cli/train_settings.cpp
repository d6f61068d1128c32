#include "cli/train_settings.h"

#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"

namespace vitrail::cli {

namespace {

void write(JsonWriter& json, const TrainSettings& s) {
  json.field("data", s.data);
  if (s.model.starts_with("{"))
    json.key("model").raw(s.model);
  else
    json.field("model", s.model);
  json.field("model_name", s.model_name);
  json.field("recipe", s.recipe).field("init", s.init);
  if (!s.teacher.empty()) json.field("teacher", s.teacher).field("teacher_hash", s.teacher_hash);
  json.field("baseline", s.baseline).field("limit", s.limit).field("train_size", s.train_size).field("test_size", s.test_size);
  json.field("max_train_samples", s.max_train_samples);
  json.field("image_size", s.files.image_size).field("bad_image", s.files.bad_image).field("mean_std", s.files.mean_std);
  json.field("labels", s.files.labels);
}

}  // namespace

std::string to_json(const TrainSettings& settings) {
  JsonWriter json(2);
  json.begin_object();
  write(json, settings);
  return json.end_object().text();
}

std::string to_json(const TrainSettings& settings, const TrainConfig& config) {
  JsonWriter json(2);
  json.begin_object();
  write(json, settings);
  write_fields(json, config);
  return json.end_object().text();
}

void read_settings(const std::string& text, const std::string& where, TrainSettings& s, TrainConfig& config) {
  const JsonDocument document(text, where, ErrorKind::kValue);
  JsonObject json(document.root(), where);
  s.data = json.text_or("data", s.data);
  s.model_name = json.text_or("model_name", s.model_name);
  s.baseline = json.text_or("baseline", s.baseline);
  s.recipe = json.text_or("recipe", s.recipe);
  s.init = json.text_or("init", s.init);
  s.teacher = json.text_or("teacher", s.teacher);
  s.teacher_hash = json.text_or("teacher_hash", s.teacher_hash);
  s.limit = json.integer_or("limit", 0, kMaxImages, s.limit);
  s.train_size = json.integer_or("train_size", 0, kMaxImages, s.train_size);
  s.test_size = json.integer_or("test_size", 0, kMaxImages, s.test_size);
  s.max_train_samples = json.integer_or("max_train_samples", 0, kMaxImages, s.max_train_samples);
  s.files.image_size = json.integer_or("image_size", 0, 16384, s.files.image_size);
  s.files.bad_image = json.text_or("bad_image", s.files.bad_image);
  s.files.mean_std = json.text_or("mean_std", s.files.mean_std);
  s.files.labels = json.text_or("labels", s.files.labels);
  if (json.has("model")) {
    const std::string model = json.json_text("model");
    s.model = model.starts_with("{") ? model : json.text("model");
  }
  read_fields(json, config);
  json.finish();
  validate(config);
}

namespace {

std::string named(const std::string& text) { return text.empty() ? "none" : text; }

}  // namespace

std::vector<std::string> differences(const TrainSettings& own, const TrainSettings& other) {
  std::vector<std::string> result;
  const auto compare = [&](const char* name, const auto& mine, const auto& theirs) {
    if (mine != theirs) result.push_back(cat(name, " is ", mine, ", not ", theirs));
  };
  const bool paths = own.data.find('/') != std::string::npos || other.data.find('/') != std::string::npos;
  if (!paths) compare("data", own.data, other.data);
  compare("recipe", own.recipe, other.recipe);
  compare("init", own.init, other.init);
  if (own.teacher.empty() || other.teacher.empty()) compare("teacher", named(own.teacher), named(other.teacher));
  compare("limit", own.limit, other.limit);
  compare("train_size", own.train_size, other.train_size);
  compare("test_size", own.test_size, other.test_size);
  compare("max_train_samples", own.max_train_samples, other.max_train_samples);
  compare("image_size", own.files.image_size, other.files.image_size);
  compare("bad_image", own.files.bad_image, other.files.bad_image);
  compare("mean_std", own.files.mean_std, other.files.mean_std);
  compare("labels", own.files.labels, other.files.labels);
  if (own.model != other.model) result.emplace_back("the model is another one");
  return result;
}

}  // namespace vitrail::cli
