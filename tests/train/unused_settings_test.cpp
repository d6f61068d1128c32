// Flags that change nothing.
#include "train/unused_settings.h"

#include <doctest/doctest.h>

using namespace vitrail;

namespace {

TrainConfig with(void (*change)(TrainConfig&)) {
  TrainConfig config;
  change(config);
  return config;
}

}  // namespace

TEST_CASE("a setting without effect is named with what it goes with, and only if it was given") {
  struct Case {
    const char *key, *flag, *goes_with;
    TrainConfig without, effective;
  };
  const TrainConfig usual;
  const std::vector<Case> cases{
      {"magnitude", "--magnitude", "--augment randaugment", usual, with([](TrainConfig& c) { c.augment = "randaugment"; })},
      {"magnitude_std", "--magnitude-std", "--augment randaugment", usual,
       with([](TrainConfig& c) { c.augment = "randaugment"; })},
      {"beta1", "--beta1", "--optimizer adamw", with([](TrainConfig& c) { c.optimizer = "sgd"; }), usual},
      {"beta2", "--beta2", "--optimizer adamw", with([](TrainConfig& c) { c.optimizer = "rmsprop"; }), usual},
      {"beta1", "--beta1", "--optimizer adamw", with([](TrainConfig& c) { c.optimizer = "lars"; }),
       with([](TrainConfig& c) { c.optimizer = "lamb"; })},
      {"momentum", "--momentum", "--optimizer sgd, rmsprop, muon or lars", with([](TrainConfig& c) { c.optimizer = "lamb"; }),
       with([](TrainConfig& c) { c.optimizer = "lars"; })},
      {"base_batch", "--base-batch", "--lr-scaling linear or sqrt", usual, with([](TrainConfig& c) { c.lr_scaling = "sqrt"; })},
      {"warmup", "--warmup", "--warmup-epochs 0", with([](TrainConfig& c) { c.warmup_epochs = 2; }), usual},
      {"momentum", "--momentum", "--optimizer sgd", usual, with([](TrainConfig& c) { c.optimizer = "rmsprop"; })},
      {"nesterov", "--nesterov", "--optimizer sgd or muon", usual, with([](TrainConfig& c) { c.optimizer = "muon"; })},
      {"milestones", "--milestones", "--schedule multistep", usual, with([](TrainConfig& c) { c.schedule = "multistep"; })},
      {"step_epochs", "--step-epochs", "--schedule step", usual, with([](TrainConfig& c) { c.schedule = "step"; })},
      {"gamma", "--gamma", "--schedule step or multistep", usual, with([](TrainConfig& c) { c.schedule = "multistep"; })},
      {"power", "--power", "--schedule polynomial", usual, with([](TrainConfig& c) { c.schedule = "polynomial"; })},
      {"min_lr", "--min-lr", "--schedule linear", with([](TrainConfig& c) { c.schedule = "constant"; }), usual},
      {"crop_padding", "--crop-padding", "--crop-scale 0", with([](TrainConfig& c) { c.crop_scale = 0.3; }), usual},
      {"mix_switch", "--mix-switch", "--mixup and --cutmix", with([](TrainConfig& c) { c.mixup = 1; }),
       with([](TrainConfig& c) { c.mixup = c.cutmix = 1; })},
      {"mixup_off_epoch", "--mixup-off-epoch", "--mixup or --cutmix", usual, with([](TrainConfig& c) { c.cutmix = 1; })},
      {"layer_decay", "--layer-decay", "more than the head being trained", with([](TrainConfig& c) { c.trainable = "head"; }),
       usual},
      {"trainable_blocks", "--trainable-blocks", "--trainable partial", usual,
       with([](TrainConfig& c) { c.trainable = "partial"; })},
      {"head_alone_lr", "--head-alone-lr", "--head-epochs", usual, with([](TrainConfig& c) { c.head_epochs = 1; })},
      {"lora_rank", "--lora-rank", "--trainable lora", usual, with([](TrainConfig& c) { c.trainable = "lora"; })},
      {"min_delta", "--min-delta", "--patience", usual, with([](TrainConfig& c) { c.patience = 3; })},
      {"stop_metric", "--stop-metric", "--patience", usual, with([](TrainConfig& c) { c.patience = 3; })},
  };
  for (const Case& one : cases) {
    CAPTURE(one.key);
    const std::vector<std::string> notes = settings_without_effect(one.without, {one.key, "lr"});
    REQUIRE(notes.size() == 1);
    CHECK(notes.front().starts_with(std::string(one.flag) + " has no effect in this run: it goes with " + one.goes_with));
    CHECK(settings_without_effect(one.effective, {one.key}).empty());
    CHECK(settings_without_effect(one.without, {}).empty());
  }
}
