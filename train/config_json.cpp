// TrainConfig as JSON, both ways, and as flags: from the one table of fields.
#include <algorithm>
#include <limits>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/number.h"
#include "train/config.h"
#include "train/config_fields.h"

namespace vitrail {

namespace {

constexpr int64_t kMaxInteger = std::numeric_limits<int64_t>::max();

// Types and the lack of narrowing are checked here, ranges by validate().
void read(JsonObject& object, const char* key, int64_t& out) { out = object.integer_or(key, -kMaxInteger, kMaxInteger, out); }
void read(JsonObject& object, const char* key, uint64_t& out) {
  out = static_cast<uint64_t>(object.integer_or(key, 0, kMaxInteger, static_cast<int64_t>(out)));
}
void read(JsonObject& object, const char* key, double& out) { out = object.number_or(key, -1e300, 1e300, out); }
void read(JsonObject& object, const char* key, bool& out) { out = object.boolean_or(key, out); }
void read(JsonObject& object, const char* key, std::string& out) { out = object.text_or(key, out); }
void read(JsonObject& object, const char* key, std::vector<int64_t>& out) {
  out = object.integers_or(key, 0, kMaxInteger, out);
}

// A value as a flag gives it.
template <class Rule>
void parse(const std::string& name, const std::string& text, int64_t& out, Rule rule) {
  out = parse_integer("train", name, text, rule.low, rule.high);
}
template <class Rule>
void parse(const std::string& name, const std::string& text, uint64_t& out, Rule rule) {
  out = static_cast<uint64_t>(parse_integer("train", name, text, rule.low, rule.high));
}
template <class Rule>
void parse(const std::string& name, const std::string& text, double& out, Rule) {
  out = parse_number("train", name, text);
}
template <class Rule>
void parse(const std::string& name, const std::string& text, bool& out, Rule) {
  check(text == "true" || text == "false", ErrorKind::kValue, "train", name, " must be true or false: it is ",
        escaped(text, 60), ".");
  out = text == "true";
}
template <class Rule>
void parse(const std::string&, const std::string& text, std::string& out, Rule) {
  out = text;
}
template <class Rule>
void parse(const std::string& name, const std::string& text, std::vector<int64_t>& out, Rule rule) {
  out.clear();
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    out.push_back(parse_integer("train", name, text.substr(from, comma - from), rule.low, rule.high));
    from = comma + 1;
  }
}

std::string flag_of(const char* key, const char* flag) {
  std::string name = flag ? flag : cat("--", key);
  std::replace(name.begin() + 2, name.end(), '_', '-');
  return name;
}

// What help calls the kind of value.
const char* type_of(double) { return "FLOAT"; }
const char* type_of(int64_t) { return "INT"; }
const char* type_of(uint64_t) { return "INT"; }
const char* type_of(bool) { return "true|false"; }
const char* type_of(const std::string&) { return "NAME"; }
const char* type_of(const std::vector<int64_t>&) { return "INT,..."; }

// A default as help prints it.
std::string shown(double value) { return cat(value); }
std::string shown(int64_t value) { return cat(value); }
std::string shown(uint64_t value) { return cat(value); }
std::string shown(bool value) { return value ? "true" : "false"; }
std::string shown(const std::string& value) { return value; }
std::string shown(const std::vector<int64_t>&) { return "none"; }

}  // namespace

std::vector<ConfigFlag> config_flags(const TrainConfig& defaults) {
  std::set<std::string> augmentation, trained_part{"layer_decay", "head_lr"};
  for_each_augmentation_field(defaults, [&](const char* key, auto&&...) { augmentation.insert(key); });
  for_each_trained_part_field(defaults, [&](const char* key, auto&&...) { trained_part.insert(key); });
  const auto group_of = [&](const std::string& key) {
    if (augmentation.contains(key)) return FieldGroup::kAugmentation;
    if (trained_part.contains(key)) return FieldGroup::kTrainedPart;
    if (key.starts_with("save_")) return FieldGroup::kSaving;
    const bool machine =
        key == "precision" || key == "threads" || key == "workers" || key == "groups" || key == "grad_checkpointing";
    return machine ? FieldGroup::kMachine : FieldGroup::kRecipe;
  };
  std::vector<ConfigFlag> flags;
  for_each_field(defaults, [&](const char* key, const auto& value, auto, const char* help, const char* flag) {
    flags.push_back({flag_of(key, flag), key, type_of(value), cat(help, " (", shown(value), ")"), group_of(key)});
  });
  return flags;
}

void set_field(TrainConfig& config, const std::string& key, const std::string& text) {
  bool known = false;
  for_each_field(config, [&](const char* name, auto& field, auto rule, const char*, const char* flag) {
    if (key != name) return;
    parse(flag_of(name, flag), text, field, rule);
    known = true;
  });
  check(known, ErrorKind::kValue, "train config", "there is no field ", escaped(key, 60), ".");
}

void write_fields(JsonWriter& json, const TrainConfig& config) {
  for_each_field(config, [&](const char* key, const auto& value, auto&&...) { json.field(key, value); });
}

void read_fields(JsonObject& json, TrainConfig& config) {
  for_each_field(config, [&](const char* key, auto& field, auto&&...) { read(json, key, field); });
}

std::string to_json(const TrainConfig& config) {
  JsonWriter json(2);
  json.begin_object();
  write_fields(json, config);
  return json.end_object().text();
}

std::string recipe_json(const TrainConfig& config) {
  JsonWriter json(2);
  json.begin_object();
  for_each_recipe_field(config, [&](const char* key, const auto& value, auto&&...) { json.field(key, value); });
  return json.end_object().text();
}

std::vector<std::string> recipe_differences(const TrainConfig& own, const TrainConfig& other) {
  std::vector<std::string> texts;  // the other values, in the order of the fields
  for_each_recipe_field(other,
                        [&](const char*, const auto& value, auto&&...) { texts.push_back(JsonWriter().value(value).text()); });
  std::vector<std::string> result;
  size_t i = 0;
  for_each_recipe_field(own, [&](const char* key, const auto& value, auto&&...) {
    const std::string mine = JsonWriter().value(value).text(), theirs = texts[i++];
    if (mine != theirs) result.push_back(cat(key, " is ", mine, ", not ", theirs));
  });
  return result;
}

TrainConfig train_config_from_json(const std::string& text, const TrainConfig& base, const std::string& where) {
  const JsonDocument json(text, where, ErrorKind::kValue);
  JsonObject object(json.root(), where);
  TrainConfig config = base;
  read_fields(object, config);
  object.finish();
  validate(config);
  return config;
}

}  // namespace vitrail
