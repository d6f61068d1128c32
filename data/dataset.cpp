#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/rng.h"
#include "tensor/view.h"

namespace vitrail {

const char* name_of(Split split) { return split == Split::kTrain ? "train" : split == Split::kValidation ? "val" : "test"; }

const char* result_name(const DatasetInfo& info) {
  return info.part.value_or(Split::kTest) == Split::kTest ? "test" : "validation";
}

Dataset::Dataset(DatasetInfo info) : info_(std::move(info)) {
  const auto& i = info_;
  check(i.channels >= 1 && i.height >= 1 && i.width >= 1, ErrorKind::kValue, "dataset", i.name,
        ": images need positive extents: they are [", i.channels, ", ", i.height, ", ", i.width, "]");
  check(!i.class_names.empty(), ErrorKind::kValue, "dataset", i.name, ": there are no class names");
  const auto channels = static_cast<size_t>(i.channels);
  check(i.mean.size() == channels && i.std.size() == channels, ErrorKind::kValue, "dataset", i.name,
        ": one mean and one std per channel: there are ", i.mean.size(), " and ", i.std.size(), " for ", channels, " channels");
  for (double s : i.std) check(s > 0, ErrorKind::kValue, "dataset", i.name, ": std must be positive: it is ", s);
}

void Dataset::check_index(int64_t index) const {
  check(index >= 0 && index < size(), ErrorKind::kValue, "dataset", info_.name, ": there is no sample ", index, ": there are ",
        size());
}

std::string Dataset::sample_name(int64_t index) const {
  check_index(index);
  return cat(name(), " ", index);
}

const Dataset& given(const DatasetPtr& dataset, const char* op) {
  check(dataset != nullptr, ErrorKind::kValue, op, "there is no data set: the pointer is null");
  return *dataset;
}

MemoryDataset::MemoryDataset(DatasetInfo info, Tensor images, Tensor labels)
    : Dataset(std::move(info)), images_(contiguous(images)), labels_(contiguous(labels)) {
  const Shape& s = images_.shape();
  check(images_.dtype() == Dtype::u8 && labels_.dtype() == Dtype::i64, ErrorKind::kValue, "dataset", name(),
        ": images must be u8 and labels i64: they are ", name_of(images_.dtype()), " and ", name_of(labels_.dtype()));
  check(s.size() == 4 && s[1] == channels() && s[2] == height() && s[3] == width(), ErrorKind::kShape, "dataset", name(),
        ": images must be [N, ", channels(), ", ", height(), ", ", width(), "]: they are ", s);
  check(labels_.dim() == 1 && labels_.numel() == s[0], ErrorKind::kShape, "dataset", name(),
        ": one label per image: labels are ", labels_.shape(), " for ", s[0], " images");
  const int64_t* label = labels_.data<int64_t>();
  for (int64_t i = 0; i < labels_.numel(); ++i) {
    check(label[i] >= 0 && label[i] < num_classes(), ErrorKind::kData, "dataset", name(), ": label ", label[i], " of sample ",
          i, " is out of range: there are ", num_classes(), " classes (0 to ", num_classes() - 1, ")");
  }
}

Sample MemoryDataset::sample(int64_t index) const {
  check_index(index);
  return {select(images_, 0, index), label(index)};
}

int64_t MemoryDataset::label(int64_t index) const {
  check_index(index);
  return labels_.data<int64_t>()[index];
}

SubsetDataset::SubsetDataset(DatasetPtr whole, std::vector<int64_t> indices)
    : Dataset(given(whole, "subset").info()), whole_(std::move(whole)), indices_(std::move(indices)) {
  for (int64_t index : indices_) {
    check(index >= 0 && index < whole_->size(), ErrorKind::kValue, "subset", name(), ": there is no sample ", index,
          ": there are ", whole_->size());
  }
}

Sample SubsetDataset::sample(int64_t index) const {
  check_index(index);
  return whole_->sample(indices_[index]);
}

int64_t SubsetDataset::label(int64_t index) const {
  check_index(index);
  return whole_->label(indices_[index]);
}

std::string SubsetDataset::sample_name(int64_t index) const {
  check_index(index);
  return whole_->sample_name(indices_[index]);
}

DatasetPtr first_n(DatasetPtr whole, int64_t n) {
  check(n >= 1, ErrorKind::kValue, "first_n", "n must be at least 1: it is ", n);
  if (n >= given(whole, "first_n").size()) return whole;
  std::vector<int64_t> indices(n);
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return std::make_shared<SubsetDataset>(std::move(whole), std::move(indices));
}

DatasetPtr spread_n(DatasetPtr whole, int64_t n) {
  check(n >= 1, ErrorKind::kValue, "spread_n", "n must be at least 1: it is ", n);
  const int64_t size = given(whole, "spread_n").size();
  if (n >= size) return whole;
  std::vector<int64_t> indices(n);
  for (int64_t i = 0; i < n; ++i) indices[i] = i * (size / n) + i * (size % n) / n;  // i size / n, without its overflow
  return std::make_shared<SubsetDataset>(std::move(whole), std::move(indices));
}

std::pair<DatasetPtr, DatasetPtr> stratified_split(const DatasetPtr& whole, double fraction, uint64_t seed) {
  given(whole, "stratified_split");
  check(fraction >= 0 && fraction <= 1, ErrorKind::kValue, "stratified_split", "fraction must lie in [0, 1]: it is ", fraction);
  std::vector<std::vector<int64_t>> by_class(whole->num_classes());
  for (int64_t i = 0; i < whole->size(); ++i) by_class[whole->label(i)].push_back(i);

  std::vector<bool> held_out(whole->size(), false);
  const Rng rng(seed);
  for (size_t c = 0; c < by_class.size(); ++c) {
    const auto& members = by_class[c];
    const auto count = static_cast<int64_t>(members.size());
    const auto order = to_vector<int64_t>(rand_permutation(count, rng.at(c)));
    const int64_t taken = std::llround(fraction * static_cast<double>(count));
    for (int64_t k = 0; k < taken; ++k) held_out[members[order[k]]] = true;
  }
  std::vector<int64_t> first, second;
  for (int64_t i = 0; i < whole->size(); ++i) (held_out[i] ? second : first).push_back(i);
  return {std::make_shared<SubsetDataset>(whole, std::move(first)), std::make_shared<SubsetDataset>(whole, std::move(second))};
}

}  // namespace vitrail
