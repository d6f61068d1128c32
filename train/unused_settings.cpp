#include "train/unused_settings.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>

#include "base/text.h"

namespace vitrail {

namespace {

// A field, what gives it an effect, in words, and whether that is so.
struct Rule {
  const char* key;
  const char* belongs_to;
  bool (*used)(const TrainConfig&);
};

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
bool adam_like(const TrainConfig& c) { return !is_one_of(c.optimizer, {"sgd", "rmsprop", "lars"}); }
bool with_momentum(const TrainConfig& c) { return is_one_of(c.optimizer, {"sgd", "rmsprop", "muon", "lars"}); }
bool ends_low(const TrainConfig& c) { return c.schedule == "linear" || c.schedule == "cosine" || c.schedule == "polynomial"; }
bool drops(const TrainConfig& c) { return c.schedule == "step" || c.schedule == "multistep"; }
bool rand_augment(const TrainConfig& c) { return c.augment == "randaugment"; }
bool low_rank(const TrainConfig& c) { return c.trainable == "lora"; }
bool stops_early(const TrainConfig& c) { return c.patience > 0; }

constexpr Rule kRules[] = {
    {"base_batch", "--lr-scaling linear or sqrt", [](const TrainConfig& c) { return c.lr_scaling != "none"; }},
    {"beta1", "--optimizer adamw, adam, lion, muon or lamb", adam_like},
    {"beta2", "--optimizer adamw, adam, lion, muon or lamb", adam_like},
    {"momentum", "--optimizer sgd, rmsprop, muon or lars", with_momentum},
    {"nesterov", "--optimizer sgd or muon",
     [](const TrainConfig& c) {
       return is_one_of(c.optimizer, {"sgd", "muon"});
     }},
    {"warmup", "--warmup-epochs 0", [](const TrainConfig& c) { return c.warmup_epochs == 0; }},
    {"min_lr", "--schedule linear, cosine or polynomial", ends_low},
    {"step_epochs", "--schedule step", [](const TrainConfig& c) { return c.schedule == "step"; }},
    {"milestones", "--schedule multistep", [](const TrainConfig& c) { return c.schedule == "multistep"; }},
    {"gamma", "--schedule step or multistep", drops},
    {"power", "--schedule polynomial", [](const TrainConfig& c) { return c.schedule == "polynomial"; }},
    {"crop_padding", "--crop-scale 0", [](const TrainConfig& c) { return c.crop_scale == 0; }},
    {"magnitude", "--augment randaugment", rand_augment},
    {"magnitude_std", "--augment randaugment", rand_augment},
    {"distillation_alpha", "--distillation soft or hard", [](const TrainConfig& c) { return c.distillation != "none"; }},
    {"distillation_temperature", "--distillation soft", [](const TrainConfig& c) { return c.distillation == "soft"; }},
    {"mix_switch", "--mixup and --cutmix together", [](const TrainConfig& c) { return c.mixup > 0 && c.cutmix > 0; }},
    {"mixup_off_epoch", "--mixup or --cutmix", [](const TrainConfig& c) { return c.mixup > 0 || c.cutmix > 0; }},
    {"trainable_blocks", "--trainable partial", [](const TrainConfig& c) { return c.trainable == "partial"; }},
    {"trainable_pattern", "--trainable pattern", [](const TrainConfig& c) { return c.trainable == "pattern"; }},
    {"head_alone_lr", "--head-epochs", [](const TrainConfig& c) { return c.head_epochs > 0; }},
    {"lora_rank", "--trainable lora", low_rank},
    {"lora_alpha", "--trainable lora", low_rank},
    {"lora_dropout", "--trainable lora", low_rank},
    {"lora_targets", "--trainable lora", low_rank},
    {"lora_scaling", "--trainable lora", low_rank},
    {"lora_dora", "--trainable lora", low_rank},
    {"layer_decay", "more than the head being trained (--trainable)",
     [](const TrainConfig& c) { return c.trainable != "head"; }},
    {"min_delta", "--patience", stops_early},
    {"stop_metric", "--patience", stops_early},
};

}  // namespace

std::vector<std::string> settings_without_effect(const TrainConfig& config, const std::set<std::string>& given) {
  std::vector<std::string> notes;
  for (const ConfigFlag& flag : config_flags(config)) {
    const auto* rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return flag.key == r.key; });
    if (rule == std::end(kRules) || !given.contains(flag.key) || rule->used(config)) continue;
    notes.push_back(cat(flag.flag, " has no effect in this run: it goes with ", rule->belongs_to, "."));
  }
  return notes;
}

}  // namespace vitrail
