// What a configuration trains: which parameters move, what the others cost, epochs of the head alone, what is refused.
#include "train/finetune/trained_part.h"

#include <doctest/doctest.h>

#include <set>

#include "autograd/ops.h"
#include "base/error.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/model_test.h"
#include "train/finetune/modes.h"
#include "train/memory.h"
#include "train/recipes.h"
#include "train/task/classification.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

TrainConfig training(const std::string& trainable) {
  TrainConfig c = quick(2, 10);
  c.trainable = trainable;
  return c;
}

// The model's parameters that a run moves.
std::set<std::string> moved(const TrainConfig& config, const DatasetPtr& data) {
  const auto model = tiny_vit(data->info(), 1, 0.1), before = tiny_vit(data->info(), 1, 0.1);
  train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, {.quiet = true});
  std::set<std::string> names;
  for (const auto& [key, value] : model->state_dict()) {
    bool same = false;
    for (const auto& [name, old] : before->state_dict()) same = same || (name == key && bit_equal(value, old));
    if (!same) names.insert(key);
  }
  return names;
}

std::set<std::string> named(const std::function<bool(const std::string&)>& rule) {
  std::set<std::string> names;
  for (const nn::NamedParameter& p : tiny_vit(glyphs(10)->info())->named_parameters())
    if (rule(p.name)) names.insert(p.name);
  return names;
}

bool starts(const std::string& path, const char* with) { return path.starts_with(with); }

std::string refusal(const TrainConfig& config) {
  return message_of([&] {
    validate(config);
    choose_trained(*tiny_vit(glyphs(10)->info()), config);
  });
}

}  // namespace

TEST_CASE("trained part: each choice moves its own parameters, and no other by a bit") {
  const DatasetPtr data = glyphs(40);
  CHECK(moved(training("all"), data) == named([](const auto&) { return true; }));
  CHECK(moved(training("head"), data) == named([](const auto& p) { return starts(p, "head."); }));
  TrainConfig partial = training("partial");
  partial.trainable_blocks = 1;
  const auto last = [](const auto& p) { return starts(p, "blocks.1.") || starts(p, "norm.") || starts(p, "head."); };
  CHECK(moved(partial, data) == named(last));
  CHECK(moved(training("bitfit"), data) ==
        named([](const auto& p) { return p.ends_with(".bias") || p.find("norm") != std::string::npos || starts(p, "head."); }));
  TrainConfig pattern = training("pattern");
  pattern.trainable_pattern = "pos_embed, blocks.*.mlp.fc1";
  CHECK(moved(pattern, data) == named([](const auto& p) { return p == "pos_embed" || p.find("fc1") != std::string::npos; }));
}

TEST_CASE("trained part: freeze and freeze_until hold parts of every choice, with decay and averages too") {
  const DatasetPtr data = glyphs(40);
  TrainConfig config = training("all");
  config.freeze = "patch_embed.*,pos_embed,blocks.0-0.attn", config.ema_decay = 0.5, config.weight_decay = 0.5;
  CHECK(moved(config, data) ==
        named([](const auto& p) { return !starts(p, "patch_embed.") && p != "pos_embed" && !starts(p, "blocks.0.attn."); }));
  TrainConfig until = training("bitfit");
  until.freeze_until = 1, until.ema_decay = 0.5;
  CHECK(moved(until, data) == named([](const auto& p) {
          return (starts(p, "blocks.1.") || starts(p, "norm.") || starts(p, "head.")) &&
                 (p.ends_with(".bias") || p.find("norm") != std::string::npos || starts(p, "head."));
        }));
}

TEST_CASE("trained part: lora moves its updates and the head; the base keeps its bits") {
  const DatasetPtr data = glyphs(40);
  for (const bool dora : {false, true}) {
    TrainConfig config = training("lora");
    config.lora_targets = "attn.q,attn.v,mlp.fc1", config.lora_dropout = 0.1, config.lora_dora = dora,
    config.weight_decay = 0.1;
    std::set<std::string> expected{"head.weight", "head.bias"};
    for (const char* layer : {"blocks.0.attn.qkv.lora_q.", "blocks.0.attn.qkv.lora_v.", "blocks.0.mlp.fc1.lora.",
                              "blocks.1.attn.qkv.lora_q.", "blocks.1.attn.qkv.lora_v.", "blocks.1.mlp.fc1.lora."}) {
      for (const char* name : {"A", "B"}) expected.insert(std::string(layer) + name);
      if (dora) expected.insert(std::string(layer) + "magnitude");
    }
    CHECK(moved(config, data) == expected);
  }
}

TEST_CASE("trained part: what is frozen has no state in the optimiser and costs no memory") {
  const DatasetPtr data = glyphs(40);
  const auto estimate = [&](const TrainConfig& config) {
    const auto model = tiny_vit(data->info());
    ClassificationTask task(*model,
                            classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
    const MemoryEstimate e = estimate_memory(task, data, config);
    Trainer trainer(task, data, nullptr, config, {.quiet = true});
    trainer.step();
    for (const auto& [key, tensor] : trainer.view().optimizer) {
      CAPTURE(key);
      const bool own = config.trainable == "all" || key == "step" || key.find("head.") != std::string::npos ||
                       key.find(".lora.") != std::string::npos;
      CHECK(own);
    }
    return e.total();
  };
  const int64_t all = estimate(training("all")), lora = estimate(training("lora")), head = estimate(training("head"));
  CHECK(lora < all);
  CHECK(head < lora / 2);
}

TEST_CASE("trained part: the head alone at first, then the rest; a resumed run has the same bits") {
  const DatasetPtr data = glyphs(40);
  for (const char* trainable : {"all", "lora", "partial"}) {
    CAPTURE(trainable);
    TrainConfig config = quick(3, 10);
    config.trainable = trainable, config.head_epochs = 1, config.trainable_blocks = 1, config.ema_decay = 0.5,
    config.lora_dropout = 0.2;
    const auto run = [&](int64_t stop_after) {
      const auto model = tiny_vit(data->info(), 1, 0.1);
      ClassificationTask task(*model,
                              classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
      Trainer trainer(task, data, nullptr, config, {.quiet = true});
      for (int64_t i = 0; i < stop_after; ++i) trainer.step();
      return trainer.state();
    };
    const RunState start = run(0), head = run(4), whole = run(12);
    size_t changed_in_head = 0, changed = 0;
    for (size_t i = 0; i < start.weights.size(); ++i) {
      const bool moved_at_first = !bit_equal(start.weights[i].second, head.weights[i].second);
      CHECK(moved_at_first == start.weights[i].first.starts_with("head."));
      changed_in_head += moved_at_first;
      changed += !bit_equal(start.weights[i].second, whole.weights[i].second);
    }
    CHECK(changed_in_head == 2);
    CHECK(changed > 4);
    for (const int64_t cut : {2, 4, 7}) {
      CAPTURE(cut);
      const RunState from = run(cut);
      const auto model = tiny_vit(data->info(), 99, 0.1);
      ClassificationTask task(*model,
                              classification_options(config, preprocessing_for(*model, data->info()), data->class_names()));
      Trainer trainer(task, data, nullptr, config, {.quiet = true});
      trainer.restore(from);
      while (trainer.step()) {
      }
      const RunState end = trainer.state();
      for (size_t i = 0; i < whole.weights.size(); ++i) CHECK(bit_equal(end.weights[i].second, whole.weights[i].second));
      for (size_t i = 0; i < whole.average.size(); ++i) CHECK(bit_equal(end.average[i].second, whole.average[i].second));
      REQUIRE(end.optimizer.size() == whole.optimizer.size());
    }
  }
}

TEST_CASE("trained part: with lora, groups of a batch and recomputed blocks change nothing but rounding") {
  const DatasetPtr data = glyphs(40);
  TrainConfig config = training("lora");
  config.lora_targets = "attn.*,mlp.*";
  const auto losses = [&](const TrainConfig& c) {
    const auto model = tiny_vit(data->info(), 1);
    return train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), c, {.quiet = true})
        .history.back()
        .train_loss;
  };
  const double plain = losses(config);
  TrainConfig groups = config, recomputed = config;
  groups.groups = 2, recomputed.grad_checkpointing = true;
  CHECK(losses(groups) == doctest::Approx(plain).epsilon(1e-4));
  CHECK(losses(recomputed) == plain);
}

TEST_CASE("trained part: lora learns where the head alone cannot") {
  const DatasetPtr data = glyphs(60);
  const auto loss = [&](const char* trainable) {
    TrainConfig config = quick(40, 20);
    config.trainable = trainable, config.lr = 5e-3, config.lora_targets = "attn.*,mlp.*";
    const auto model = tiny_vit(data->info(), 1);
    return train_model(*model, data, nullptr, preprocessing_for(*model, data->info()), config, {.quiet = true})
        .history.back()
        .train_loss;
  };
  CHECK(loss("lora") < 0.8 * loss("head"));
}

TEST_CASE("trained part: the summary counts what is trained") {
  const auto model = tiny_vit(glyphs(10)->info());
  choose_trained(*model, training("head"));
  CHECK(contains(trained_summary(*model), "0.0007 M of 0.02 M parameters are trained"));
}

TEST_CASE("trained part: settings that contradict each other or the model are refused") {
  TrainConfig c = training("tail");
  CHECK(contains(refusal(c), "trainable must be all or head or lora or partial or bitfit or pattern: it is \"tail\""));
  c = training("all"), c.freeze = "patch_embd.*";
  CHECK(contains(refusal(c), "freeze names no parameter of the model: it is \"patch_embd.*\". Hint: there are cls_token, "));
  c = training("all"), c.freeze = "*";
  CHECK(contains(refusal(c), "nothing is left to train"));
  c = training("all"), c.freeze_until = 3;
  CHECK(contains(refusal(c), "freeze_until counts blocks, and the model has 2: it is 3"));
  c = training("partial"), c.trainable_blocks = 3;
  CHECK(contains(refusal(c), "trainable_blocks is more than the model has: it is 3 of 2"));
  c = training("pattern");
  CHECK(contains(refusal(c), "trainable pattern and trainable_pattern go together"));
  c = training("all"), c.trainable_pattern = "head.*";
  CHECK(contains(refusal(c), "trainable pattern and trainable_pattern go together: trainable is all"));
  c = training("head"), c.head_epochs = 1;
  CHECK(contains(refusal(c), "with trainable head every epoch is one of the head alone"));
  c = training("all"), c.head_epochs = 2;
  CHECK(contains(refusal(c), "head_epochs must be below epochs: it is 2 of 2"));
  c = training("lora"), c.lora_scaling = "root";
  CHECK(contains(refusal(c), "lora_scaling must be standard or rslora: it is \"root\""));
  c = training("lora"), c.lora_targets = "query";
  CHECK(contains(refusal(c), "no linear layer is named by \"query\""));
  c = training("lora"), c.lora_alpha = 0;
  CHECK(contains(refusal(c), "alpha must be a finite number above 0"));
  Rng rng(1);
  const auto mlp = models::make_model("mlp", rng, {1, 28, 28, 5});
  CHECK(contains(message_of([&] { choose_trained(*mlp, training("head")); }), "no head that could be trained alone"));
  CHECK(contains(message_of([&] { choose_trained(*mlp, training("partial")); }), "needs a model with blocks"));
  const auto model = tiny_vit(glyphs(10)->info());
  choose_trained(*model, training("lora"));
  choose_trained(*model, training("lora"));  // again: nothing new
  c = training("lora"), c.lora_rank = 3;
  CHECK(contains(message_of([&] { choose_trained(*model, c); }),
                 "low-rank updates of other options: their rank is 8, lora_rank is 3"));
}

TEST_CASE("fine-tuning modes lead to recipes that start from a model, and a wrong name is answered") {
  for (const FinetuneMode& mode : finetune_modes()) {
    const Recipe& recipe = find_recipe(mode.recipe);
    CHECK(recipe.from_model);
    validate(recipe.config({example_pictures(), 5'000'000}));
    CHECK(find_mode(mode.name).recipe == mode.recipe);
  }
  CHECK(find_recipe("lora").config({example_pictures(), 5'000'000}).trainable == "lora");
  CHECK_THROWS_WITH_AS(find_mode("lorra"),
                       doctest::Contains("[finetune] no mode has this name: it is \"lorra\". Hint: did you mean lora?"), Error);
}
