#include "train/average.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/json_writer.h"
#include "base/text.h"
#include "models/presets.h"
#include "tensor/ops.h"

namespace vitrail {

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Every field of a configuration as text.
class Texts final : public models::FieldVisitor {
 public:
  void operator()(const char* key, int64_t& value) override { put(key, value); }
  void operator()(const char* key, double& value) override { put(key, value); }
  void operator()(const char* key, bool& value) override { put(key, value); }
  void operator()(const char* key, std::string& value) override { put(key, value); }
  void operator()(const char* key, std::vector<int64_t>& value) override { put(key, value); }
  void operator()(const char* key, models::Size2d& value) override { fields.emplace_back(key, cat(value.h, " x ", value.w)); }
  void operator()(const char* key, std::optional<double>& value) override { value ? put(key, *value) : none(key); }
  void operator()(const char* key, std::optional<bool>& value) override { value ? put(key, *value) : none(key); }

  Fields fields;

 private:
  template <class T>
  void put(const char* key, const T& value) {
    fields.emplace_back(key, JsonWriter().value(value).text());
  }
  void none(const char* key) { fields.emplace_back(key, "none"); }
};

Fields fields_of(const SavedModel& saved) {
  models::ModelConfig config = models::config_from_json(saved.architecture, saved.file);
  Texts texts;
  std::visit(
      [&](auto& c) {
        texts.fields.emplace_back("architecture", std::decay_t<decltype(c)>::kArchitecture);
        visit_fields(c, texts);
      },
      config);
  // What only training reads.
  std::erase_if(texts.fields,
                [](const auto& field) { return field.first.ends_with("drop_rate") || field.first == "drop_path_rate"; });
  return texts.fields;
}

void compare_fields(const Fields& a, const Fields& b, std::vector<std::string>& found) {
  if (a.front() != b.front()) {
    found.push_back(cat("architecture is ", b.front().second, ", not ", a.front().second));
    return;  // two architectures have other fields altogether
  }
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].second != b[i].second) found.push_back(cat(a[i].first, " is ", b[i].second, ", not ", a[i].second));
}

void compare_classes(const std::vector<std::string>& a, const std::vector<std::string>& b, std::vector<std::string>& found) {
  if (a == b) return;
  const auto without = [](const std::vector<std::string>& names, const std::vector<std::string>& others) {
    std::vector<std::string> left;
    for (const std::string& name : names)
      if (std::find(others.begin(), others.end(), name) == others.end()) left.push_back(name);
    return left;
  };
  const std::vector<std::string> missing = without(a, b), added = without(b, a);
  if (!missing.empty()) found.push_back(cat("it has no class ", listed(missing, 5)));
  if (!added.empty()) found.push_back(cat("it has the class ", listed(added, 5), " besides"));
  const auto [mine, theirs] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (missing.empty() && added.empty() && mine != a.end() && theirs != b.end())
    found.push_back(cat("class ", mine - a.begin(), " is ", quote(*theirs), ", not ", quote(*mine)));
}

void compare_tensors(const nn::StateDict& a, const nn::StateDict& b, std::vector<std::string>& found) {
  const auto in = [](const nn::StateDict& state, const std::string& name) {
    return std::find_if(state.begin(), state.end(), [&](const auto& entry) { return entry.first == name; });
  };
  std::vector<std::string> different;
  for (const auto& [name, tensor] : a) {
    const auto other = in(b, name);
    if (other == b.end())
      different.push_back(cat(escaped(name), " is missing"));
    else if (other->second.shape() != tensor.shape() || other->second.dtype() != tensor.dtype())
      different.push_back(cat(escaped(name), " is ", name_of(other->second.dtype()), " ", other->second.shape(), ", not ",
                              name_of(tensor.dtype()), " ", tensor.shape()));
  }
  for (const auto& entry : b)
    if (in(a, entry.first) == a.end()) different.push_back(cat(escaped(entry.first), " is new"));
  if (!different.empty()) found.push_back(cat("tensors: ", listed(different, 5, 200)));
}

// a is at least as good as b, by the first score.
bool not_worse(const Scores& a, const Scores& b) {
  return a.front().larger_is_better ? a.front().value >= b.front().value : a.front().value <= b.front().value;
}

std::vector<size_t> sorted(const std::vector<Ingredient>& models, const std::function<bool(size_t, size_t)>& before) {
  std::vector<size_t> order(models.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), before);
  return order;
}

AverageResult uniform_average(const std::vector<Ingredient>& models, const std::function<nn::StateDict(size_t)>& read,
                              const std::function<Scores(const nn::StateDict&)>& judge) {
  WeightSum sum;
  for (const size_t i : sorted(models, [&](size_t a, size_t b) { return models[a].hash < models[b].hash; })) sum.add(read(i));
  AverageResult result;
  result.weights = sum.mean();
  result.uniform = result.scores = judge(result.weights);
  return result;
}

}  // namespace

std::vector<std::string> average_obstacles(const SavedModel& first, const SavedModel& other) {
  std::vector<std::string> found;
  if (first.card.task != other.card.task) found.push_back(cat("the task is ", other.card.task, ", not ", first.card.task));
  compare_fields(fields_of(first), fields_of(other), found);
  compare_classes(first.card.class_names, other.card.class_names, found);
  if (first.card.preprocessing != other.card.preprocessing) found.emplace_back("its pictures are preprocessed in another way");
  // Other tensors follow from another architecture.
  if (found.empty()) compare_tensors(first.weights, other.weights, found);
  return found;
}

void WeightSum::add(const nn::StateDict& weights) {
  if (count_++ == 0) {
    for (const auto& [name, tensor] : weights) {
      sums_.emplace_back(name, clone(is_float(tensor.dtype()) ? to(tensor, Dtype::f64) : tensor));
      kinds_.emplace_back(name, zeros({0}, tensor.dtype()));
    }
    return;
  }
  for (size_t i = 0; i < sums_.size(); ++i) {
    const auto& [name, tensor] = weights.at(i);
    check(name == sums_[i].first, ErrorKind::kValue, "average", "tensor ", escaped(name), " stands where ",
          escaped(sums_[i].first), " was.");
    if (is_float(tensor.dtype())) {
      add_(sums_[i].second, to(tensor, Dtype::f64));
      continue;
    }
    check(bit_equal(tensor, sums_[i].second), ErrorKind::kValue, "average", "tensor ", escaped(name),
          " is not a float and differs: it has no mean.");
  }
}

nn::StateDict WeightSum::mean_with(const nn::StateDict& weights) const {
  WeightSum longer;
  longer.kinds_ = kinds_, longer.count_ = count_;
  for (const auto& [name, tensor] : sums_) longer.sums_.emplace_back(name, clone(tensor));
  longer.add(weights);
  return longer.mean();
}

nn::StateDict WeightSum::mean() const {
  check(count_ > 0, ErrorKind::kValue, "average", "there are no models.");
  nn::StateDict result;
  for (size_t i = 0; i < sums_.size(); ++i) {
    const auto& [name, tensor] = sums_[i];
    const Dtype kind = kinds_[i].second.dtype();
    result.emplace_back(name, is_float(kind) ? to(div(tensor, static_cast<double>(count_)), kind) : tensor);
  }
  return result;
}

AverageResult average_models(std::vector<Ingredient>& models, bool greedy, const std::function<nn::StateDict(size_t)>& read,
                             const std::function<Scores(const nn::StateDict&)>& judge) {
  for (size_t i = 0; i < models.size(); ++i) models[i].scores = judge(read(i));
  AverageResult result = uniform_average(models, read, judge);
  if (!greedy) return result;
  WeightSum kept;
  for (const size_t i : sorted(models, [&](size_t a, size_t b) {
         const Scores &x = models[a].scores, &y = models[b].scores;
         return x.front().value == y.front().value ? models[a].hash < models[b].hash : not_worse(x, y);
       })) {
    const nn::StateDict weights = read(i);
    const bool first = kept.count() == 0;
    const Scores with = first ? models[i].scores : judge(kept.mean_with(weights));
    models[i].kept = first || not_worse(with, result.scores);
    if (!models[i].kept) continue;
    kept.add(weights);
    result.scores = with;
  }
  result.weights = kept.mean();
  result.greedy = result.scores;
  return result;
}

}  // namespace vitrail
