#include "train/config.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>

#include "base/text.h"
#include "data/augment/policy.h"
#include "data/sets/registry.h"
#include "models/classifier.h"
#include "tensor/precision.h"
#include "train/class_balance.h"
#include "train/config_fields.h"
#include "train/finetune/trained_part.h"
#include "train/optim/lamb.h"
#include "train/optim/lars.h"
#include "train/optim/layer_decay.h"
#include "train/optim/muon.h"

namespace vitrail {

namespace {

template <class T>
void require(const char* field, T value, bool rule, const char* range) {
  check(rule, ErrorKind::kValue, "train config", field, " must be ", range, ": it is ", value, ".");
}

void keep(const char* field, int64_t value, Count rule) {
  check(value >= rule.low && value <= rule.high, ErrorKind::kValue, "train config", field, " must be in [", rule.low, ", ",
        rule.high, "]: it is ", value, ".");
}
void keep(const char*, uint64_t, Count) {}  // a seed: every number will do
void keep(const char* field, const std::vector<int64_t>& values, Count rule) {
  for (int64_t value : values) keep(field, value, rule);
}
void keep(const char* field, double value, Amount) {
  require(field, value, std::isfinite(value) && value >= 0, "a finite number of at least 0");
}
void keep(const char* field, double value, Fraction) { require(field, value, value >= 0 && value < 1, "in [0, 1)"); }
void keep(const char* field, double value, Part) { require(field, value, value >= 0 && value <= 1, "in [0, 1]"); }
void keep(const char* field, double value, Share) { require(field, value, value > 0 && value <= 1, "in (0, 1]"); }
void keep(const char* field, double value, Half) { require(field, value, value >= 0 && value <= 0.5, "in [0, 0.5]"); }
void keep(const char* field, double value, Angle) { require(field, value, value >= 0 && value <= 180, "in [0, 180]"); }
void keep(const char* field, double value, UpTo rule) {
  check(value >= 0 && value <= rule.high, ErrorKind::kValue, "train config", field, " must be in [0, ", rule.high, "]: it is ",
        value, ".");
}
template <class T>
void keep(const char*, const T&, Choice) {}

void keep_one_of(const char* field, const std::string& value, std::initializer_list<const char*> choices) {
  std::string list;
  for (const char* choice : choices) {
    if (value == choice) return;
    list += cat(list.empty() ? "" : " or ", choice);
  }
  fail(ErrorKind::kValue, "train config", field, " must be ", list, ": it is ", quote(value), ".");
}

constexpr const char* kOptimizers[] = {"adamw", "adam", "sgd", "lion", "rmsprop", "muon", "lamb", "lars"};

}  // namespace

void validate(const TrainConfig& c) {
  for_each_field(c, [](const char* key, const auto& value, auto rule, auto&&...) { keep(key, value, rule); });
  precision_from_name(c.precision);
  augment::policy_from_name(c.augment);
  const bool known = std::find(std::begin(kOptimizers), std::end(kOptimizers), c.optimizer) != std::end(kOptimizers);
  check(known, ErrorKind::kValue, "train config", "unknown optimizer: it is ", quote(c.optimizer),
        ". Hint: one of adamw, adam, sgd, lion, rmsprop, muon, lamb, lars.");
  check(!c.nesterov || c.momentum > 0 || c.optimizer != "sgd", ErrorKind::kValue, "train config",
        "nesterov needs momentum > 0: momentum is 0.");
  keep_one_of("lr_scaling", c.lr_scaling, {"none", "linear", "sqrt"});
  keep_one_of("sampling", c.sampling, {"shuffled", "balanced"});
  named_class_weights(c.class_weights);
  keep_one_of("distillation", c.distillation, {"none", "soft", "hard"});
  check(c.distillation_temperature > 0, ErrorKind::kValue, "train config",
        "distillation_temperature must be in (0, 1000]: it is ", c.distillation_temperature, ".");
  validate_trained_part(c);
  validate(make_schedule(c, 1, 1));  // the kind, gamma, power, the order of the milestones
}

TrainConfig recipe_for(const DatasetInfo& info) {
  TrainConfig config;
  // What the program draws itself is shifted and turned already, and endless.
  const bool drawn = is_drawn(info.name);
  config.crop_padding = drawn ? 0 : info.width <= 28 ? 2 : info.width / 8;
  config.mirror = info.mirror_keeps_class && !drawn;
  // Small grey images, small models: they bear a higher rate and need fewer epochs (docs/results.md).
  if (info.channels == 1) config.lr = 2e-3, config.epochs = 8;
  return config;
}

double scaled_lr(const TrainConfig& c) {
  const double times = static_cast<double>(c.batch_size) / static_cast<double>(c.base_batch);
  return c.lr_scaling == "linear" ? c.lr * times : c.lr_scaling == "sqrt" ? c.lr * std::sqrt(times) : c.lr;
}

std::string scaling_note(const TrainConfig& c) {
  if (c.lr_scaling == "none") return "";
  const bool linear = c.lr_scaling == "linear";
  const std::string times = cat(c.batch_size, " / ", c.base_batch);
  return cat("learning rate ", c.lr, " x ", linear ? times : cat("sqrt(", times, ")"), " = ", scaled_lr(c), " (",
             linear ? "linear" : "square root", " scaling)");
}

std::unique_ptr<Optimizer> make_optimizer(const TrainConfig& c, nn::Module& module) {
  if (c.optimizer == "muon")
    return std::make_unique<Muon>(scaled_by_layer(make_muon_groups(module, c.weight_decay), c.layer_decay, c.head_lr),
                                  MuonOptions{c.momentum, c.nesterov, {c.beta1, c.beta2}});
  std::vector<ParamGroup> groups = scaled_by_layer(make_param_groups(module, c.weight_decay), c.layer_decay, c.head_lr);
  if (c.optimizer == "adamw") return std::make_unique<AdamW>(std::move(groups), AdamOptions{c.beta1, c.beta2});
  if (c.optimizer == "adam") return std::make_unique<Adam>(std::move(groups), AdamOptions{c.beta1, c.beta2});
  if (c.optimizer == "lion") return std::make_unique<Lion>(std::move(groups), LionOptions{c.beta1, c.beta2});
  if (c.optimizer == "rmsprop") return std::make_unique<Rmsprop>(std::move(groups), RmspropOptions{.momentum = c.momentum});
  if (c.optimizer == "lamb") return std::make_unique<Lamb>(std::move(groups), LambOptions{c.beta1, c.beta2});
  if (c.optimizer == "lars") return std::make_unique<Lars>(std::move(groups), LarsOptions{.momentum = c.momentum});
  check(c.optimizer == "sgd", ErrorKind::kValue, "train config", "unknown optimizer: it is ", quote(c.optimizer), ".");
  return std::make_unique<Sgd>(std::move(groups), SgdOptions{.momentum = c.momentum, .nesterov = c.nesterov});
}

void use_grad_checkpointing(nn::Module& module) {
  auto* classifier = dynamic_cast<models::Classifier*>(&module);
  check(classifier != nullptr && classifier->set_grad_checkpointing(true), ErrorKind::kValue, "train config",
        "grad_checkpointing needs a model with Transformer blocks. Hint: leave it out; --groups needs less memory too.");
}

Schedule make_schedule(const TrainConfig& c, int64_t total_steps, int64_t steps_per_epoch) {
  Schedule schedule;
  schedule.kind = schedule_kind(c.schedule);
  const double lr = scaled_lr(c);
  schedule.base_lr = lr;
  schedule.min_lr = std::min(c.min_lr, lr);
  // The epochs of the head alone come before the schedule: the rest of the model starts with a warm-up of its own.
  schedule.head_steps = std::min(c.head_epochs * steps_per_epoch, total_steps - 1);
  schedule.head_lr = lr * c.head_alone_lr;
  schedule.total_steps = total_steps - schedule.head_steps;
  const double warmup_steps = c.warmup_epochs > 0 ? c.warmup_epochs * static_cast<double>(steps_per_epoch)
                                                  : c.warmup * static_cast<double>(schedule.total_steps);
  schedule.warmup_steps = std::llround(warmup_steps);
  schedule.step_size = c.step_epochs * steps_per_epoch;
  for (int64_t epoch : c.milestones) schedule.milestones.push_back(epoch * steps_per_epoch);
  schedule.gamma = c.gamma;
  schedule.power = c.power;
  return schedule;
}

}  // namespace vitrail
