#include "train/class_balance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/json.h"
#include "base/number.h"
#include "base/text.h"

namespace vitrail {

std::vector<int64_t> class_counts(const Dataset& data) {
  std::vector<int64_t> counts(static_cast<size_t>(data.num_classes()), 0);
  for (int64_t i = 0; data.info().multi_label && i < data.size(); ++i)
    for (const int64_t c : data.labels(i)) ++counts[static_cast<size_t>(c)];
  if (data.info().multi_label) return counts;
  for (int64_t i = 0; i < data.size(); ++i) {
    const int64_t label = data.label(i);
    check(label >= 0 && label < data.num_classes(), ErrorKind::kData, "classes", "image ", i, " of ", data.name(), " has the label ",
          label, ", the set has ", data.num_classes(), " classes.");
    ++counts[label];
  }
  return counts;
}

std::vector<double> balanced_class_weights(const std::vector<int64_t>& counts) {
  const auto images = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  const auto occurring = static_cast<double>(std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; }));
  std::vector<double> weights;
  for (const int64_t n : counts) weights.push_back(n > 0 ? images / (occurring * static_cast<double>(n)) : 0);
  return weights;
}

namespace {

// The parts between commas that no backslash precedes; backslashes are taken away.
std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts{""};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') {
      parts.emplace_back();
    } else {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      parts.back() += text[i];
    }
  }
  return parts;
}

}  // namespace

bool is_balanced(const std::string& class_weights) { return class_weights == "balanced" || class_weights == "auto"; }

std::vector<std::pair<std::string, double>> named_class_weights(const std::string& class_weights) {
  std::vector<std::pair<std::string, double>> weights;
  if (class_weights == "none" || is_balanced(class_weights)) return weights;
  for (const std::string& part : parts_of(class_weights)) {
    const size_t equals = part.rfind('=');
    check(equals != std::string::npos && equals > 0, ErrorKind::kValue, "train config",
          "class_weights must be none, balanced, auto, or NAME=WEIGHT,...: it is ", quote(class_weights), ".");
    const std::string name = part.substr(0, equals);
    const double weight = parse_number("train", cat("class weight of ", quote(name)), part.substr(equals + 1));
    check(std::isfinite(weight) && weight >= 0, ErrorKind::kValue, "train config",
          "a class weight must be a finite number of at least 0: that of ", quote(name), " is ", weight, ".");
    check(std::none_of(weights.begin(), weights.end(), [&](const auto& entry) { return entry.first == name; }),
          ErrorKind::kValue, "train config", "class_weights names a class twice: it is ", quote(name), ".");
    weights.emplace_back(name, weight);
  }
  return weights;
}

std::vector<double> class_weights_of(const std::string& class_weights, const std::vector<std::string>& names,
                                     const std::vector<int64_t>& counts) {
  if (is_balanced(class_weights)) return balanced_class_weights(counts);
  std::vector<double> weights(names.size(), 1);
  if (class_weights == "none") return weights;
  for (const auto& [name, weight] : named_class_weights(class_weights)) {
    const auto found = std::find(names.begin(), names.end(), name);
    const std::string near = found == names.end() ? nearest(name, names) : "";
    check(found != names.end(), ErrorKind::kValue, "train", "class_weights: no class has the name ", quote(name),
          ". Hint: ", near.empty() ? "" : cat("did you mean ", quote(near), "? "), "The classes are ", listed(names, 5), ".");
    weights[static_cast<size_t>(found - names.begin())] = weight;
  }
  double total = 0;
  for (size_t c = 0; c < counts.size(); ++c) total += static_cast<double>(counts[c]) * weights[c];
  check(total > 0, ErrorKind::kValue, "train", "class_weights leaves no class of the training images a weight: it is ",
        quote(class_weights), ".");
  return weights;
}

double constant_loss(const std::vector<double>& parts, const std::vector<double>& weights, double label_smoothing) {
  double total = 0, entropy = 0;
  for (size_t c = 0; c < parts.size(); ++c) total += parts[c] * weights[c];
  if (total <= 0) return 0;
  for (size_t c = 0; c < parts.size(); ++c) {
    const double p =
        (1 - label_smoothing) * parts[c] * weights[c] / total + label_smoothing / static_cast<double>(parts.size());
    if (p > 0) entropy -= p * std::log(p);
  }
  return total * entropy;
}

}  // namespace vitrail
