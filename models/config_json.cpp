#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "models/config_fields.h"
#include "models/suggest.h"
#include "tensor/error.h"

namespace vitrail::models {
namespace {

using Json = nlohmann::ordered_json;
constexpr size_t kMaxText = size_t{16} << 20;
constexpr int kMaxDepth = 64;

template <class... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  fail(ErrorKind::kValue, "config", parts...);
}

// nlohmann alone takes the last of two equal keys, stops at a NUL byte and nests without limit.
Json parse_strictly(const std::string& text, const std::string& where) {
  if (text.size() > kMaxText) refuse(where, " is too long: ", text.size(), " bytes, at most ", kMaxText);
  if (text.find('\0') != std::string::npos) refuse(where, " contains a NUL byte");
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) refuse(where, " is nested too deeply: more than ", kMaxDepth, " levels");
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      refuse(where, ".", parsed.get<std::string>(), " is given twice");
    }
    return true;
  };
  try {
    return Json::parse(text, watch);
  } catch (const Json::parse_error& error) {
    refuse(where, " is not valid JSON: at byte ", error.byte);
  } catch (const Json::exception& error) {
    refuse(where, " is not valid JSON: ", error.what());
  }
}

[[noreturn]] void wrong_type(const std::string& path, const char* wanted, const Json& json) {
  refuse(path, " must be ", wanted, ": it is ", json.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 60));
}

void read(const Json& json, const std::string& path, int64_t& value) {
  if (!json.is_number_integer()) wrong_type(path, "a whole number", json);
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    refuse(path, " is too large: it is ", json.get<uint64_t>());
  }
  value = json.get<int64_t>();
}
void read(const Json& json, const std::string& path, double& value) {
  if (!json.is_number() || !std::isfinite(json.get<double>())) wrong_type(path, "a finite number", json);
  value = json.get<double>();
}
void read(const Json& json, const std::string& path, bool& value) {
  if (!json.is_boolean()) wrong_type(path, "true or false", json);
  value = json.get<bool>();
}
void read(const Json& json, const std::string& path, std::string& value) {
  if (!json.is_string()) wrong_type(path, "a string", json);
  value = json.get<std::string>();
}
void read(const Json& json, const std::string& path, std::vector<int64_t>& value) {
  if (!json.is_array()) wrong_type(path, "a list of whole numbers", json);
  value.assign(json.size(), 0);
  for (size_t i = 0; i < json.size(); ++i) read(json[i], cat(path, "[", i, "]"), value[i]);
}
void read(const Json& json, const std::string& path, Size2d& value) {
  if (json.is_number_integer()) {
    read(json, path, value.h);
    value.w = value.h;
    return;
  }
  if (!json.is_array() || json.size() != 2) wrong_type(path, "a whole number or [height, width]", json);
  read(json[0], path + "[0]", value.h);
  read(json[1], path + "[1]", value.w);
}
template <class T>
void read(const Json& json, const std::string& path, std::optional<T>& value) {
  value.reset();
  if (json.is_null()) return;
  read(json, path, value.emplace());
}

struct FieldReader {
  const Json& object;
  const std::string& where;
  std::vector<std::string> known = {"architecture"};

  template <class T>
  void operator()(const char* key, T& value) {
    known.emplace_back(key);
    const auto found = object.find(key);
    if (found != object.end()) read(*found, where + "." + key, value);
  }
  void refuse_unknown_keys() const {
    for (const auto& entry : object.items()) {
      if (std::find(known.begin(), known.end(), entry.key()) != known.end()) continue;
      const std::string near = nearest(entry.key(), known);
      refuse(where, ".", entry.key(), " is not a known key.", near.empty() ? "" : cat(" Hint: did you mean ", near, "?"));
    }
  }
};

struct FieldWriter {
  Json object;

  template <class T>
  void operator()(const char* key, const T& value) {
    object[key] = value;
  }
  void operator()(const char* key, const Size2d& value) {
    object[key] = value.h == value.w ? Json(value.h) : Json({value.h, value.w});
  }
  template <class T>
  void operator()(const char* key, const std::optional<T>& value) {
    object[key] = value ? Json(*value) : Json();
  }
};

ModelConfig empty_config(const std::string& architecture, const std::string& where) {
  if (architecture == "vit") return ViTConfig{};
  if (architecture == "cct") return CctConfig{};
  if (architecture == "cnn") return CnnConfig{};
  if (architecture == "mlp") return MlpConfig{};
  refuse(where, ".architecture must be one of vit, cct, cnn, mlp: it is ", architecture.substr(0, 60));
}

}  // namespace

std::string to_json(const ModelConfig& config) {
  FieldWriter writer;
  writer("architecture", std::string(architecture_of(config)));
  std::visit([&](auto fields) { visit_fields(fields, writer); }, config);
  return writer.object.dump(2);
}

ModelConfig config_from_json(const std::string& text, const std::string& where) {
  const Json object = parse_strictly(text, where);
  if (!object.is_object()) refuse(where, " must be a JSON object");
  std::string architecture = "vit";
  if (const auto found = object.find("architecture"); found != object.end())
    read(*found, where + ".architecture", architecture);
  ModelConfig config = empty_config(architecture, where);
  FieldReader reader{object, where};
  std::visit([&](auto& fields) { visit_fields(fields, reader); }, config);
  reader.refuse_unknown_keys();
  validate(config);
  return config;
}

}  // namespace vitrail::models
