#include "train/config.h"

#include <algorithm>
#include <cmath>

#include "tensor/product/precision.h"

namespace vitrail {

namespace {

template <class T>
void require(const char* field, T value, bool rule, const char* range) {
  check(rule, ErrorKind::kValue, "train config", field, " must be ", range, ": it is ", value, ".");
}

void require_count(const char* field, int64_t value, int64_t low, int64_t high) {
  check(value >= low && value <= high, ErrorKind::kValue, "train config", field, " must be in [", low, ", ", high, "]: it is ",
        value, ".");
}

void require_fraction(const char* field, double value) { require(field, value, value >= 0 && value < 1, "in [0, 1)"); }

void require_amount(const char* field, double value) {
  require(field, value, std::isfinite(value) && value >= 0, "a finite number of at least 0");
}

constexpr const char* kOptimizers[] = {"adamw", "adam", "sgd", "lion", "rmsprop"};

}  // namespace

void validate(const TrainConfig& c) {
  require_count("epochs", c.epochs, 1, 1000000);
  require_count("max_steps", c.max_steps, 0, int64_t{1} << 40);
  require_count("batch_size", c.batch_size, 1, int64_t{1} << 20);
  require_count("threads", c.threads, 0, 1024);
  require_count("step_epochs", c.step_epochs, 1, 1000000);
  require_count("crop_padding", c.crop_padding, 0, 1024);
  require_count("eval_every", c.eval_every, 1, 1000000);
  precision_from_name(c.precision);
  const bool known = std::find(std::begin(kOptimizers), std::end(kOptimizers), c.optimizer) != std::end(kOptimizers);
  check(known, ErrorKind::kValue, "train config", "unknown optimizer: it is \"", c.optimizer,
        "\". Hint: one of adamw, adam, sgd, lion, rmsprop.");
  require_amount("lr", c.lr);
  require_amount("weight_decay", c.weight_decay);
  require_amount("min_lr", c.min_lr);
  require_amount("clip_norm", c.clip_norm);
  require_fraction("beta1", c.beta1);
  require_fraction("beta2", c.beta2);
  require_fraction("momentum", c.momentum);
  require("warmup", c.warmup, c.warmup >= 0 && c.warmup <= 1, "in [0, 1]");
  require_fraction("label_smoothing", c.label_smoothing);
  require_fraction("ema_decay", c.ema_decay);
  check(!c.nesterov || c.momentum > 0 || c.optimizer != "sgd", ErrorKind::kValue, "train config",
        "nesterov needs momentum > 0: momentum is 0.");
  for (int64_t epoch : c.milestones) require_count("milestones", epoch, 0, 1000000);
  validate(make_schedule(c, 1, 1));  // the kind, gamma, power, the order of the milestones
}

TrainConfig recipe_for(const DatasetInfo& info) {
  TrainConfig config;
  // What the program draws itself is shifted and turned already, and endless.
  const bool drawn = info.name == "glyphs" || info.name == "scenes";
  config.crop_padding = drawn ? 0 : info.width <= 28 ? 2 : info.width / 8;
  config.mirror = info.mirror_keeps_class && !drawn;
  // Small grey images, small models: they bear a higher rate and need fewer epochs (docs/results.md).
  if (info.channels == 1) config.lr = 2e-3, config.epochs = 8;
  return config;
}

std::unique_ptr<Optimizer> make_optimizer(const TrainConfig& c, nn::Module& module) {
  std::vector<ParamGroup> groups = make_param_groups(module, c.weight_decay);
  if (c.optimizer == "adamw") return std::make_unique<AdamW>(std::move(groups), AdamOptions{c.beta1, c.beta2});
  if (c.optimizer == "adam") return std::make_unique<Adam>(std::move(groups), AdamOptions{c.beta1, c.beta2});
  if (c.optimizer == "lion") return std::make_unique<Lion>(std::move(groups), LionOptions{c.beta1, c.beta2});
  if (c.optimizer == "rmsprop") return std::make_unique<Rmsprop>(std::move(groups), RmspropOptions{.momentum = c.momentum});
  check(c.optimizer == "sgd", ErrorKind::kValue, "train config", "unknown optimizer: it is \"", c.optimizer, "\".");
  return std::make_unique<Sgd>(std::move(groups), SgdOptions{.momentum = c.momentum, .nesterov = c.nesterov});
}

Schedule make_schedule(const TrainConfig& c, int64_t total_steps, int64_t steps_per_epoch) {
  Schedule schedule;
  schedule.kind = schedule_kind(c.schedule);
  schedule.base_lr = c.lr;
  schedule.min_lr = std::min(c.min_lr, c.lr);
  schedule.total_steps = total_steps;
  schedule.warmup_steps = std::llround(c.warmup * static_cast<double>(total_steps));
  schedule.step_size = c.step_epochs * steps_per_epoch;
  for (int64_t epoch : c.milestones) schedule.milestones.push_back(epoch * steps_per_epoch);
  schedule.gamma = c.gamma;
  schedule.power = c.power;
  return schedule;
}

}  // namespace vitrail
