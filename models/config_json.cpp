#include "base/json.h"
#include "base/json_writer.h"
#include "models/config_fields.h"

namespace vitrail::models {
namespace {

// No field is negative, and none is larger than this.
constexpr int64_t kMost = int64_t{1} << 31;
constexpr double kMostNumber = 1e6;

// Checks types and signs; validate() knows the bounds of each field. Keys that are missing keep their defaults.
struct FieldReader {
  JsonObject& object;

  void operator()(const char* key, int64_t& value) { value = object.integer_or(key, 0, kMost, value); }
  void operator()(const char* key, double& value) { value = object.number_or(key, 0, kMostNumber, value); }
  void operator()(const char* key, bool& value) { value = object.boolean_or(key, value); }
  void operator()(const char* key, std::string& value) { value = object.text_or(key, value); }
  void operator()(const char* key, std::vector<int64_t>& value) { value = object.integers_or(key, 0, kMost, value); }
  void operator()(const char* key, Size2d& value) {
    if (!object.is_list(key)) {
      const int64_t side = object.integer_or(key, 0, kMost, -1);
      if (side >= 0) value = side;
      return;
    }
    const std::vector<int64_t> sides = object.integers_or(key, 0, kMost, {});
    if (sides.size() != 2) object.refuse(key, "must be one side or [height, width]");
    value = {sides[0], sides[1]};
  }
  template <class T>
  void operator()(const char* key, std::optional<T>& value) {
    if (object.has(key) && object.is_null(key)) {
      object.json_text(key);  // counts as read
      value.reset();
      return;
    }
    T inner = value.value_or(T{});
    (*this)(key, inner);
    if (object.has(key)) value = inner;
  }
};

struct FieldWriter {
  JsonWriter& json;

  template <class T>
  void operator()(const char* key, const T& value) {
    json.field(key, value);
  }
  void operator()(const char* key, const Size2d& value) {
    if (value.h == value.w) {
      json.field(key, value.h);
    } else {
      json.field(key, std::vector<int64_t>{value.h, value.w});
    }
  }
  template <class T>
  void operator()(const char* key, const std::optional<T>& value) {
    json.key(key);
    value ? json.value(*value) : json.null();
  }
};

ModelConfig empty_config(JsonObject& object) {
  const std::string architecture = object.text_or("architecture", "vit");
  if (architecture == "vit") return ViTConfig{};
  if (architecture == "cct") return CctConfig{};
  if (architecture == "cnn") return CnnConfig{};
  if (architecture == "mlp") return MlpConfig{};
  if (architecture == "resnet") return ResNetConfig{};
  object.refuse("architecture", "must be one of vit, cct, cnn, mlp, resnet");
}

}  // namespace

std::string to_json(const ModelConfig& config) {
  JsonWriter json(2);
  json.begin_object().field("architecture", architecture_of(config));
  FieldWriter writer{json};
  std::visit([&](auto fields) { visit_fields(fields, writer); }, config);
  return json.end_object().text();
}

ModelConfig config_from_json(const std::string& text, const std::string& where) {
  const JsonDocument json(text, where, ErrorKind::kValue);
  JsonObject object(json.root(), where);
  ModelConfig config = empty_config(object);
  FieldReader reader{object};
  std::visit([&](auto& fields) { visit_fields(fields, reader); }, config);
  object.finish();
  validate(config);
  return config;
}

}  // namespace vitrail::models
