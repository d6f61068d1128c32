#include "train/finetune/trained_part.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <set>

#include "base/path_pattern.h"
#include "base/text.h"
#include "nn/norm.h"
#include "train/optim/layer_decay.h"

namespace vitrail {

namespace {

using Paths = std::function<bool(const std::string&)>;

template <class... Parts>
void require(bool rule, const Parts&... parts) {
  check(rule, ErrorKind::kValue, "train config", parts...);
}

std::vector<std::string> paths_of(nn::Module& module) {
  std::vector<std::string> paths;
  for (const nn::NamedParameter& p : module.named_parameters()) paths.push_back(p.name);
  return paths;
}

// Whether one of the patterns names the path. Error if one names no path of the module.
Paths named_by(const std::string& field, const std::string& list, nn::Module& module) {
  const std::vector<PathPattern> patterns = path_patterns(list, "train config");
  const std::vector<std::string> paths = paths_of(module);
  for (const PathPattern& pattern : patterns)
    require(std::any_of(paths.begin(), paths.end(), [&](const auto& path) { return pattern.matches_from_start(path); }), field,
            " names no parameter of the model: it is ", quote(pattern.text()), ". Hint: there are ", listed(paths, 5), ".");
  return [patterns](const std::string& path) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return pattern.matches_from_start(path); });
  };
}

// Biases, and all of the norms.
Paths biases_and_norms(nn::Module& module) {
  std::set<std::string> norms;
  for (const auto& [path, part] : module.named_modules()) {
    const bool norm = dynamic_cast<nn::LayerNorm*>(part) || dynamic_cast<nn::RMSNorm*>(part) ||
                      dynamic_cast<nn::BatchNorm2d*>(part) || dynamic_cast<nn::GroupNorm*>(part);
    if (norm) norms.insert(path);
  }
  return [norms](const std::string& path) {
    const size_t dot = path.rfind('.');
    return path.substr(dot == std::string::npos ? 0 : dot + 1) == "bias" ||
           (dot != std::string::npos && norms.count(path.substr(0, dot)));
  };
}

// The paths that `trainable` names, before freeze and freeze_until.
Paths chosen(nn::Module& module, const TrainConfig& c) {
  const int64_t blocks = count_blocks(paths_of(module));
  if (c.trainable == "all") return [](const std::string&) { return true; };
  if (c.trainable == "head") return is_head;
  if (c.trainable == "lora") return [](const std::string& path) { return nn::is_lora(path) || is_head(path); };
  if (c.trainable == "pattern") return named_by("trainable_pattern", c.trainable_pattern, module);
  if (c.trainable == "bitfit")
    return [named = biases_and_norms(module)](const std::string& path) { return named(path) || is_head(path); };
  require(blocks > 0, "trainable partial needs a model with blocks. Hint: trainable pattern, with trainable_pattern.");
  require(c.trainable_blocks <= blocks, "trainable_blocks is more than the model has: it is ", c.trainable_blocks, " of ",
          blocks, ".");
  return [blocks, first = blocks - c.trainable_blocks](const std::string& path) { return layer_of(path, blocks) > first; };
}

void add_updates(nn::Module& module, const TrainConfig& c) {
  const nn::LoraOptions options = lora_options(c);
  if (const std::optional<nn::LoraOptions> present = nn::lora_of(module)) {
    require(*present == options, "the model has low-rank updates of other options: their rank is ", present->rank,
            ", lora_rank is ", options.rank, ". Hint: merge them first, or train with the same options.");
    return;
  }
  Rng rng = Rng(c.seed).at(~uint64_t{0});  // streams below belong to the updates of the weights
  nn::add_lora(module, options, rng);
}

std::string millions(int64_t count) {
  char text[32];
  std::snprintf(text, sizeof text, count < 10000 ? "%.4f M" : "%.2f M", static_cast<double>(count) / 1e6);
  return text;
}

}  // namespace

const std::vector<Trainable>& trainables() {
  static const std::vector<Trainable> all{
      {"all", "every parameter"},
      {"head", "the head alone"},
      {"lora", "low-rank updates of chosen layers, and the head"},
      {"partial", "the last blocks, what follows them, and the head"},
      {"bitfit", "biases, norms, and the head"},
      {"pattern", "what trainable_pattern names"},
  };
  return all;
}

nn::LoraOptions lora_options(const TrainConfig& c) {
  return {c.lora_rank, c.lora_alpha, c.lora_dropout, c.lora_scaling == "rslora", c.lora_dora, c.lora_targets};
}

void validate_trained_part(const TrainConfig& c) {
  std::string names;
  bool known = false;
  for (const Trainable& entry : trainables()) {
    known = known || entry.name == c.trainable;
    names += cat(names.empty() ? "" : " or ", entry.name);
  }
  require(known, "trainable must be ", names, ": it is ", quote(c.trainable), ".");
  require(c.lora_scaling == "standard" || c.lora_scaling == "rslora", "lora_scaling must be standard or rslora: it is ",
          quote(c.lora_scaling), ".");
  if (c.trainable == "lora") nn::validate(lora_options(c));
  require((c.trainable == "pattern") == !path_patterns(c.trainable_pattern, "train config").empty(),
          "trainable pattern and trainable_pattern go together: trainable is ", c.trainable, ", trainable_pattern is ",
          quote(c.trainable_pattern), ".");
  path_patterns(c.freeze, "train config");
  require(c.head_epochs == 0 || c.trainable != "head",
          "with trainable head every epoch is one of the head alone: head_epochs is ", c.head_epochs, ". Hint: head_epochs 0.");
  require(c.head_epochs < c.epochs || c.head_epochs == 0, "head_epochs must be below epochs: it is ", c.head_epochs, " of ",
          c.epochs, ". Hint: trainable head trains the head alone.");
}

bool trains_part(const TrainConfig& c) {
  return c.trainable != "all" || !path_patterns(c.freeze, "train config").empty() || c.freeze_until > 0;
}

void choose_trained(nn::Module& module, const TrainConfig& c) {
  if (!trains_part(c) && c.head_epochs == 0) return;
  const std::vector<std::string> paths = paths_of(module);
  const bool needs_head = c.head_epochs > 0 || c.trainable == "head";
  require(!needs_head || std::any_of(paths.begin(), paths.end(), is_head),
          "the model has no head that could be trained alone. Hint: trainable all.");
  if (!trains_part(c)) return;
  if (c.trainable == "lora") add_updates(module, c);
  const int64_t blocks = count_blocks(paths);
  require(c.freeze_until <= blocks, "freeze_until counts blocks, and the model has ", blocks, ": it is ", c.freeze_until, ".");
  const Paths trained = chosen(module, c), frozen = named_by("freeze", c.freeze, module);
  const int64_t left = nn::freeze_all_but(module, [&](const std::string& path) {
    return trained(path) && !frozen(path) && (c.freeze_until == 0 || layer_of(path, blocks) > c.freeze_until);
  });
  require(left > 0, "nothing is left to train: trainable is ", c.trainable, ", freeze is ", quote(c.freeze),
          ", freeze_until is ", c.freeze_until, ".");
}

std::string trained_summary(nn::Module& module) {
  int64_t all = 0, trained = 0;
  for (const nn::NamedParameter& p : module.named_parameters())
    all += p.parameter->numel(), trained += p.parameter->requires_grad() ? p.parameter->numel() : 0;
  char part[32];
  std::snprintf(part, sizeof part, "%.2g",
                100.0 * static_cast<double>(trained) / static_cast<double>(std::max<int64_t>(1, all)));
  return cat(millions(trained), " of ", millions(all), " parameters are trained (", part, " %)");
}

TrainedPart::TrainedPart(nn::Module& module, const TrainConfig& config)
    : module_(module), head_epochs_(config.head_epochs), head_rate_(scaled_lr(config) * config.head_lr * config.head_alone_lr) {
  choose_trained(module, config);
}

std::string TrainedPart::start_epoch(int64_t epoch) {
  const bool head_alone = epoch < head_epochs_;
  if (head_alone == later_.has_value()) return "";
  if (head_alone) {
    later_.emplace(module_);
    nn::freeze_all_but(module_, is_head);
    return cat("the head alone for ", head_epochs_, head_epochs_ == 1 ? " epoch" : " epochs", " at a rate of ", head_rate_,
               ": ", trained_summary(module_));
  }
  later_->restore();
  later_.reset();
  return cat("from here on ", trained_summary(module_));
}

}  // namespace vitrail
