#include "data/relabelled.h"

#include <algorithm>

#include "base/text.h"

namespace vitrail {
namespace {

DatasetInfo renamed(DatasetInfo info, const std::vector<std::string>& names) {
  info.class_names = names;
  return info;
}

class RelabelledDataset final : public Dataset {
 public:
  RelabelledDataset(DatasetPtr whole, const std::vector<std::string>& names, std::vector<int64_t> places)
      : Dataset(renamed(whole->info(), names)), whole_(std::move(whole)), places_(std::move(places)) {}

  int64_t size() const override { return whole_->size(); }
  Sample sample(int64_t index) const override {
    Sample sample = whole_->sample(index);
    if (info().multi_label)
      sample.target = several(labels(index), num_classes());
    else
      sample.target.label = places_[sample.target.label];
    return sample;
  }
  int64_t label(int64_t index) const override {
    const int64_t own = whole_->label(index);
    return own < 0 ? own : places_[own];
  }
  std::vector<int64_t> labels(int64_t index) const override {
    std::vector<int64_t> result;
    for (const int64_t own : whole_->labels(index))
      if (places_[own] >= 0) result.push_back(places_[own]);
    std::sort(result.begin(), result.end());
    return result;
  }
  std::string sample_name(int64_t index) const override { return whole_->sample_name(index); }
  bool reads_files() const override { return whole_->reads_files(); }

 private:
  DatasetPtr whole_;
  std::vector<int64_t> places_;  // of the data set's classes in the names; -1: not there
};

}  // namespace

DatasetPtr with_classes(DatasetPtr data, const std::vector<std::string>& names) {
  const std::vector<std::string>& own = given(data, "classes").class_names();
  if (own == names) return data;
  std::vector<int64_t> places;
  std::vector<std::string> unknown;
  for (const std::string& name : own) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) unknown.push_back(name);
    places.push_back(found - names.begin());
  }
  check(unknown.empty(), ErrorKind::kValue, "classes", "model and data have different classes: ", escaped(data->name()),
        " has ", unknown.size(), " that the model does not know (", listed(unknown), "); the model knows ", listed(names),
        ". Hint: --by-index of eval compares them by number, --ignore-missing leaves the pictures of those out.");
  return std::make_shared<RelabelledDataset>(std::move(data), names, std::move(places));
}

KnownClasses with_known_classes(const DatasetPtr& data, const std::vector<std::string>& names) {
  const std::vector<std::string>& own = given(data, "classes").class_names();
  std::vector<int64_t> places, kept;
  KnownClasses result;
  for (const std::string& name : own) {
    const auto found = std::find(names.begin(), names.end(), name);
    const bool known = found != names.end();
    if (!known) result.unknown.push_back(name);
    places.push_back(known ? found - names.begin() : -1);
  }
  const bool several = data->info().multi_label;  // such pictures stay, without the labels that are not known
  for (int64_t i = 0; i < data->size(); ++i)
    if (several || places[static_cast<size_t>(data->label(i))] >= 0) kept.push_back(i);
  result.left_out = data->size() - static_cast<int64_t>(kept.size());
  const bool none = result.unknown.size() == own.size();
  check(!kept.empty() && !none, ErrorKind::kValue, "classes", "model and data have no class in common: ", escaped(data->name()),
        " has ", listed(own), "; the model knows ", listed(names), ".");
  result.data =
      std::make_shared<RelabelledDataset>(std::make_shared<SubsetDataset>(data, std::move(kept)), names, std::move(places));
  return result;
}

std::string about_order(const std::vector<std::string>& data, const std::vector<std::string>& names) {
  if (data == names) return "";
  std::vector<std::string> absent, moved;
  for (const std::string& name : names)
    if (std::find(data.begin(), data.end(), name) == data.end()) absent.push_back(name);
  for (size_t i = 0; i < data.size(); ++i)
    if (i >= names.size() || data[i] != names[i]) moved.push_back(data[i]);
  const bool all_known = std::all_of(data.begin(), data.end(), [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  });
  if (!all_known) return "";  // with_classes refuses them
  std::string text;
  if (!moved.empty())
    text = cat("classes are matched by name: ", moved.size(), " of ", data.size(), " have another number in the model (",
               listed(moved), ")");
  if (!absent.empty())
    text += cat(text.empty() ? "" : "; ", "the data has no class ", listed(absent), ", which the model knows");
  return text;
}

}  // namespace vitrail
