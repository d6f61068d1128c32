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
    sample.target.label = places_[sample.target.label];
    return sample;
  }
  int64_t label(int64_t index) const override { return places_[whole_->label(index)]; }
  std::string sample_name(int64_t index) const override { return whole_->sample_name(index); }
  bool reads_files() const override { return whole_->reads_files(); }

 private:
  DatasetPtr whole_;
  std::vector<int64_t> places_;  // of the data set's classes in the names
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
        ". Hint: --by-index compares them by number.");
  return std::make_shared<RelabelledDataset>(std::move(data), names, std::move(places));
}

}  // namespace vitrail
