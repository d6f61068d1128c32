#include "train/search/space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>

#include "base/json.h"
#include "base/text.h"
#include "tensor/rng.h"
#include "train/config_fields.h"

namespace vitrail::search {

namespace {

// The draws of a search are unrelated to those of the training runs, which have the same seed.
constexpr uint64_t kStream = 0x73656172;
constexpr double kLargest = 1e300;

// What a search decides itself: how long a trial runs, and when it is tested.
constexpr const char* kOwn[] = {"epochs", "max_steps", "eval_every", "patience"};

enum class FieldType { kNone, kReal, kWhole, kOther };

FieldType type_of_field(const std::string& key) {
  FieldType type = FieldType::kNone;
  TrainConfig config;
  for_each_recipe_field(config, [&](const char* name, auto& field, auto&&...) {
    using Field = std::remove_reference_t<decltype(field)>;
    if (key != name) return;
    type = std::same_as<Field, double>                                     ? FieldType::kReal
           : std::same_as<Field, int64_t> || std::same_as<Field, uint64_t> ? FieldType::kWhole
                                                                           : FieldType::kOther;
  });
  return type;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  TrainConfig config;
  for_each_recipe_field(config, [&](const char* name, auto&&...) {
    if (std::find(std::begin(kOwn), std::end(kOwn), std::string(name)) == std::end(kOwn)) keys.emplace_back(name);
  });
  return keys;
}

// As short as a number can be written so that it reads back to the same bits, in any locale.
std::string shortest(double value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// Four significant digits, but not outside the range.
std::string four_digits(double value, const Dimension& d) {
  char text[64];
  const auto rounded = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 3);
  double number = 0;
  std::from_chars(text, rounded.ptr, number);
  return shortest(std::clamp(number, d.low, d.high));
}

std::string whole(double value) { return cat(static_cast<int64_t>(value)); }

// An item of a list as set_field() takes it: "adamw" without its quotes, [3,5] as 3,5.
std::string as_text(const std::string& json) {
  const bool wrapped = json.size() >= 2 && (json.front() == '"' || json.front() == '[');
  return wrapped ? json.substr(1, json.size() - 2) : json;
}

void read_range(JsonObject& range, JsonObject& object, Dimension& d, FieldType type) {
  const std::vector<std::string> names = range.keys();
  const std::string name = names.size() == 1 ? names.front() : "";
  const bool known = name == "uniform" || name == "log" || name == "int";
  if (!known)
    object.refuse(d.key, "must be a list of values, or one of {\"uniform\": [a, b]}, {\"log\": [a, b]}, {\"int\": [a, b]}");
  if (type != FieldType::kReal && type != FieldType::kWhole) object.refuse(d.key, "is no number: list its values");
  if (name == "uniform" && type == FieldType::kWhole)
    object.refuse(d.key, "is a whole number: {\"int\": [a, b]} or {\"log\": [a, b]}");
  if (name == "int" && type == FieldType::kReal)
    object.refuse(d.key, "is no whole number: {\"uniform\": [a, b]} or {\"log\": [a, b]}");
  std::vector<double> ends;
  if (type == FieldType::kWhole) {  // read as whole numbers: 1.5 is refused, not rounded
    for (const int64_t end : range.integers_or(name, 0, int64_t{1} << 52, {})) ends.push_back(static_cast<double>(end));
  } else {
    ends = range.numbers(name, -kLargest, kLargest);
  }
  if (ends.size() != 2) object.refuse(d.key, cat("needs the two ends of its range: it has ", ends.size(), " numbers"));
  d.low = ends[0], d.high = ends[1];
  d.kind = name == "uniform" ? DimensionKind::kUniform : name == "log" ? DimensionKind::kLog : DimensionKind::kInteger;
  d.whole = type == FieldType::kWhole;
  if (!(d.low < d.high)) object.refuse(d.key, cat("is an empty range: it goes from ", d.low, " to ", d.high));
  if (d.kind == DimensionKind::kLog && !(d.low > 0))
    object.refuse(d.key, cat("has a logarithm: the range must begin above 0: it begins at ", d.low));
}

Dimension read_dimension(JsonObject& object, const std::string& key, const std::string& where) {
  Dimension d;
  d.key = key;
  const FieldType type = type_of_field(key);
  const bool own = std::find(std::begin(kOwn), std::end(kOwn), key) != std::end(kOwn);
  if (own) object.refuse(key, "is not for the space: the search decides how long a trial runs. Hint: --epochs is the longest");
  if (type == FieldType::kNone) {
    const std::string near = nearest(key, known_keys());
    object.refuse(key, near.empty() ? "is no field of the recipe. Hint: vitrail train --help lists them."
                                    : cat("is no field of the recipe. Hint: did you mean ", near, "?"));
  }
  if (object.is_list(key)) {
    for (const std::string& item : object.json_texts(key)) d.choices.push_back(as_text(item));
    if (d.choices.empty()) object.refuse(key, "has no values: the list is empty");
    return d;
  }
  if (object.json_text(key).front() != '{')
    object.refuse(
        key,
        "must be a list of values, or a range {\"log\": [a, b]}. Hint: what does not vary is a flag, or stands in --config");
  JsonObject range(object.value(key), where, key);
  read_range(range, object, d, type);
  return d;
}

// The values that must be good for the field: all choices, both ends.
std::vector<std::string> extremes(const Dimension& d) {
  if (d.kind == DimensionKind::kChoice) return d.choices;
  if (d.kind == DimensionKind::kInteger || d.whole) return {whole(d.low), whole(d.high)};
  return {shortest(d.low), shortest(d.high)};
}

std::string draw_value(const Dimension& d, const Rng& rng, uint64_t index) {
  const double u = rng.uniform(index);
  switch (d.kind) {
    case DimensionKind::kChoice: return d.choices[rng.below(index, d.choices.size())];
    case DimensionKind::kInteger:
      return whole(d.low + static_cast<double>(rng.below(index, static_cast<uint64_t>(d.high - d.low) + 1)));
    case DimensionKind::kUniform: return four_digits(d.low + u * (d.high - d.low), d);
    case DimensionKind::kLog: break;
  }
  const double value = d.low * std::exp(u * std::log(d.high / d.low));
  return d.whole ? whole(std::clamp(std::round(value), d.low, d.high)) : four_digits(value, d);
}

}  // namespace

Space read_space(const std::string& json, const std::string& where, const TrainConfig& fixed) {
  const JsonDocument document(json, where, ErrorKind::kValue);
  JsonObject object(document.root(), where);
  Space space;
  for (const std::string& key : object.keys()) {
    Dimension d = read_dimension(object, key, where);
    for (const std::string& text : extremes(d)) {
      try {
        with_values(fixed, {{key, text}});
      } catch (const Error& error) {
        fail(ErrorKind::kValue, "search", escaped_path(where), ": ", error.what());
      }
    }
    space.push_back(std::move(d));
  }
  check(!space.empty(), ErrorKind::kValue, "search", escaped_path(where),
        " names no field that varies. Hint: {\"lr\": {\"log\": [1e-4, 1e-2]}}.");
  return space;
}

Values draw(const Space& space, uint64_t seed, int64_t trial) {
  const Rng rng = Rng(seed, kStream).at(static_cast<uint64_t>(trial));
  Values values;
  for (size_t i = 0; i < space.size(); ++i) values.emplace_back(space[i].key, draw_value(space[i], rng, i));
  return values;
}

TrainConfig with_values(TrainConfig config, const Values& values) {
  for (const auto& [key, text] : values) set_field(config, key, text);
  validate(config);
  return config;
}

std::string describe(const Values& values) {
  std::string text;
  for (const auto& [key, value] : values) text += cat(text.empty() ? "" : ", ", key, " ", value);
  return text;
}

}  // namespace vitrail::search
