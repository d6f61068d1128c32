#include "train/start_from.h"

#include <algorithm>

#include "base/text.h"
#include "tensor/ops.h"
#include "train/optim/layer_decay.h"

namespace vitrail {

models::ModelConfig architecture_for(const SavedModel& saved, int64_t classes) {
  return models::adapted(models::config_from_json(saved.architecture, saved.file), {.num_classes = classes});
}

std::string start_from(models::Classifier& model, const SavedModel& saved, const std::vector<std::string>& class_names,
                       const std::string& task) {
  const bool same = saved.card.class_names == class_names && saved.card.task == task;
  if (!same) {
    const auto parameters = model.named_parameters();
    const bool has_head = std::any_of(parameters.begin(), parameters.end(), [](const auto& p) { return is_head(p.name); });
    check(has_head, ErrorKind::kValue, "train", "the model has no head that could be exchanged for other classes. Hint: the classes of ",
          escaped_path(saved.file), ".");
  }
  nn::LoadOptions options;
  if (!same) {
    options.rename = [](const std::string& key) { return is_head(key) ? std::string() : key; };
    options.allow_missing = true;
  }
  // With allow_missing a whole backbone could be missing: only the head may be.
  const nn::StateDict before = model.state_dict();
  const auto held = [&](const std::string& key) {
    return std::any_of(saved.weights.begin(), saved.weights.end(), [&](const auto& entry) { return entry.first == key; });
  };
  for (const auto& entry : before)
    check(is_head(entry.first) || held(entry.first), ErrorKind::kValue, "train", escaped_path(saved.file), " has no weights for ",
          escaped(entry.first), ". Hint: leave --model out: the architecture is that of --init.");
  try {
    model.load_state_dict(saved.weights, options);
  } catch (const nn::LoadError& error) {
    fail(ErrorKind::kValue, "train", "the weights of ", escaped_path(saved.file), " do not fit the model: ", nn::to_string(error.report, 1),
         ". Hint: leave --model out: the architecture is that of --init.");
  }
  if (same) return cat("starts from ", escaped_path(saved.file), ", its head included: the classes are the same");
  for (const nn::NamedParameter& entry : model.named_parameters())
    if (is_head(entry.name)) fill_(entry.parameter->value(), 0);
  return cat("starts from ", escaped_path(saved.file), " with a new head: ", saved.card.class_names.size(), " classes there, ",
             class_names.size(), " here");
}

}  // namespace vitrail
