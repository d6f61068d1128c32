// TrainConfig as JSON, both ways, from one list of fields.
#include <limits>

#include "base/json.h"
#include "base/json_writer.h"
#include "train/config.h"

namespace vitrail {

namespace {

// What the result depends on.
template <class Config, class Fn>
void for_each_recipe_field(Config& c, Fn&& fn) {
  fn("epochs", c.epochs);
  fn("max_steps", c.max_steps);
  fn("batch_size", c.batch_size);
  fn("seed", c.seed);
  fn("precision", c.precision);
  fn("optimizer", c.optimizer);
  fn("lr", c.lr);
  fn("weight_decay", c.weight_decay);
  fn("beta1", c.beta1);
  fn("beta2", c.beta2);
  fn("momentum", c.momentum);
  fn("nesterov", c.nesterov);
  fn("schedule", c.schedule);
  fn("min_lr", c.min_lr);
  fn("warmup", c.warmup);
  fn("step_epochs", c.step_epochs);
  fn("milestones", c.milestones);
  fn("gamma", c.gamma);
  fn("power", c.power);
  fn("label_smoothing", c.label_smoothing);
  fn("clip_norm", c.clip_norm);
  fn("ema_decay", c.ema_decay);
  fn("crop_padding", c.crop_padding);
  fn("mirror", c.mirror);
  fn("eval_every", c.eval_every);
}

template <class Config, class Fn>
void for_each_field(Config& c, Fn&& fn) {
  for_each_recipe_field(c, fn);
  fn("threads", c.threads);
}

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

}  // namespace

std::string to_json(const TrainConfig& config) {
  JsonWriter json(2);
  json.begin_object();
  for_each_field(config, [&](const char* key, const auto& value) { json.field(key, value); });
  return json.end_object().text();
}

std::string recipe_json(const TrainConfig& config) {
  JsonWriter json(2);
  json.begin_object();
  for_each_recipe_field(config, [&](const char* key, const auto& value) { json.field(key, value); });
  return json.end_object().text();
}

TrainConfig train_config_from_json(const std::string& text, const TrainConfig& base, const std::string& where) {
  const JsonDocument json(text, where, ErrorKind::kValue);
  JsonObject object(json.root(), where);
  TrainConfig config = base;
  for_each_field(config, [&](const char* key, auto& field) { read(object, key, field); });
  object.finish();
  validate(config);
  return config;
}

}  // namespace vitrail
