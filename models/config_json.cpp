#include <utility>

#include "base/json.h"
#include "base/json_writer.h"
#include "models/presets.h"

namespace vitrail::models {
namespace {

// No field is negative, and none is larger than this.
constexpr int64_t kMost = int64_t{1} << 31;
constexpr double kMostNumber = 1e6;

// Checks types and signs; check_fields() knows the bounds of each field. Keys that are missing keep their defaults.
class FieldReader : public FieldVisitor {
 public:
  explicit FieldReader(JsonObject& source) : object_(source) {}

  void operator()(const char* key, int64_t& value) override { value = object_.integer_or(key, 0, kMost, value); }
  void operator()(const char* key, double& value) override { value = object_.number_or(key, 0, kMostNumber, value); }
  void operator()(const char* key, bool& value) override { value = object_.boolean_or(key, value); }
  void operator()(const char* key, std::string& value) override { value = object_.text_or(key, value); }
  void operator()(const char* key, std::vector<int64_t>& value) override { value = object_.integers_or(key, 0, kMost, value); }
  void operator()(const char* key, std::optional<double>& value) override { read_optional(key, value); }
  void operator()(const char* key, std::optional<bool>& value) override { read_optional(key, value); }
  void operator()(const char* key, Size2d& value) override {
    if (!object_.is_list(key)) {
      const int64_t side = object_.integer_or(key, 0, kMost, -1);
      if (side >= 0) value = side;
      return;
    }
    const std::vector<int64_t> sides = object_.integers_or(key, 0, kMost, {});
    if (sides.size() != 2) object_.refuse(key, "must be one side or [height, width]");
    value = {sides[0], sides[1]};
  }

 private:
  template <class T>
  void read_optional(const char* key, std::optional<T>& value) {
    if (object_.has(key) && object_.is_null(key)) {
      object_.json_text(key);  // marks the key as read
      value.reset();
      return;
    }
    T inner = value.value_or(T{});
    (*this)(key, inner);
    if (object_.has(key)) value = inner;
  }

  JsonObject& object_;
};

class FieldWriter : public FieldVisitor {
 public:
  explicit FieldWriter(JsonWriter& target) : json_(target) {}

  void operator()(const char* key, int64_t& value) override { json_.field(key, value); }
  void operator()(const char* key, double& value) override { json_.field(key, value); }
  void operator()(const char* key, bool& value) override { json_.field(key, value); }
  void operator()(const char* key, std::string& value) override { json_.field(key, value); }
  void operator()(const char* key, std::vector<int64_t>& value) override { json_.field(key, value); }
  void operator()(const char* key, std::optional<double>& value) override { write_optional(key, value); }
  void operator()(const char* key, std::optional<bool>& value) override { write_optional(key, value); }
  void operator()(const char* key, Size2d& value) override {
    if (value.h == value.w) {
      json_.field(key, value.h);
    } else {
      json_.field(key, std::vector<int64_t>{value.h, value.w});
    }
  }

 private:
  template <class T>
  void write_optional(const char* key, const std::optional<T>& value) {
    json_.key(key);
    value ? json_.value(*value) : json_.null();
  }

  JsonWriter& json_;
};

// One default configuration of every architecture.
template <size_t... I>
std::vector<ModelConfig> default_configs(std::index_sequence<I...>) {
  return {std::variant_alternative_t<I, ModelConfig>{}...};
}

ModelConfig default_config(JsonObject& object) {
  const std::string architecture = object.text_or("architecture", ViTConfig::kArchitecture);
  std::string known;
  for (const ModelConfig& config : default_configs(std::make_index_sequence<std::variant_size_v<ModelConfig>>())) {
    if (architecture == architecture_of(config)) return config;
    known += (known.empty() ? "" : ", ") + std::string(architecture_of(config));
  }
  object.refuse("architecture", "must be one of " + known);
}

}  // namespace

std::string fields_to_json(const char* architecture, const std::function<void(FieldVisitor&)>& visit) {
  JsonWriter json(2);
  json.begin_object().field("architecture", architecture);
  FieldWriter writer(json);
  visit(writer);
  return json.end_object().text();
}

const char* architecture_of(const ModelConfig& config) {
  return std::visit([]<class Config>(const Config&) { return Config::kArchitecture; }, config);
}

std::string to_json(const ModelConfig& config) {
  return fields_to_json(architecture_of(config), [&](FieldVisitor& writer) {
    std::visit([&](auto fields) { visit_fields(fields, writer); }, config);
  });
}

ModelConfig config_from_json(const std::string& text, const std::string& where) {
  const JsonDocument json(text, where, ErrorKind::kValue);
  JsonObject object(json.root(), where);
  ModelConfig config = default_config(object);
  FieldReader reader(object);
  std::visit([&](auto& fields) { visit_fields(fields, reader); }, config);
  object.finish();
  validate(config);
  return config;
}

}  // namespace vitrail::models
