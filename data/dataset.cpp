#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.h"
#include "tensor/rng.h"
#include "tensor/view.h"

namespace vitrail {

namespace {

constexpr uint64_t kSampleStream = 22;  // of the seed, for stratified_n

}  // namespace

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

std::vector<int64_t> Dataset::labels(int64_t index) const {
  const int64_t one = label(index);
  return one < 0 ? std::vector<int64_t>{} : std::vector<int64_t>{one};
}

std::vector<std::vector<int64_t>> strata(const Dataset& data) {
  const int64_t classes = data.num_classes();
  std::vector<std::vector<int64_t>> groups(static_cast<size_t>(classes) + (data.info().multi_label ? 1 : 0));
  if (!data.info().multi_label) {
    for (int64_t i = 0; i < data.size(); ++i) groups[static_cast<size_t>(data.label(i))].push_back(i);
    return groups;
  }
  std::vector<int64_t> counts(static_cast<size_t>(classes), 0);
  for (int64_t i = 0; i < data.size(); ++i)
    for (const int64_t c : data.labels(i)) ++counts[static_cast<size_t>(c)];
  for (int64_t i = 0; i < data.size(); ++i) {
    const std::vector<int64_t> labels = data.labels(i);
    const auto rarest =
        std::min_element(labels.begin(), labels.end(), [&](int64_t a, int64_t b) { return counts[a] < counts[b]; });
    groups[static_cast<size_t>(rarest == labels.end() ? classes : *rarest)].push_back(i);
  }
  return groups;
}

Target several(const std::vector<int64_t>& labels, int64_t classes) {
  Target target;
  target.classes = zeros({classes});
  for (const int64_t c : labels) target.classes.mutable_data<float>()[c] = 1;
  return target;
}

void require_one_label(const Dataset& data, const char* op) {
  check(!data.info().multi_label, ErrorKind::kValue, op, escaped(data.name()),
        " has any number of labels per picture, and this needs one. Hint: train, finetune, eval and predict take such data.");
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

std::vector<int64_t> SubsetDataset::labels(int64_t index) const {
  check_index(index);
  return whole_->labels(indices_[index]);
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

namespace {

// How many of each group of these sizes make n of all: in proportion, rounded by largest remainders; from each group that has
// any at least one, as far as n reaches.
std::vector<int64_t> proportional(const std::vector<int64_t>& sizes, int64_t n) {
  const int64_t all = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  std::vector<int64_t> parts;
  std::vector<std::pair<double, size_t>> rest;
  for (size_t c = 0; c < sizes.size(); ++c) {
    const double exact = static_cast<double>(n) * static_cast<double>(sizes[c]) / static_cast<double>(all);
    parts.push_back(std::min(sizes[c], static_cast<int64_t>(exact)));
    rest.emplace_back(exact - std::floor(exact), c);
  }
  std::stable_sort(rest.begin(), rest.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  int64_t open = n - std::accumulate(parts.begin(), parts.end(), int64_t{0});
  for (size_t i = 0; open > 0; i = (i + 1) % rest.size())
    if (parts[rest[i].second] < sizes[rest[i].second]) ++parts[rest[i].second], --open;
  for (size_t c = 0; c < sizes.size(); ++c) {
    const auto most = std::max_element(parts.begin(), parts.end());
    if (sizes[c] > 0 && parts[c] == 0 && *most > 1) ++parts[c], --*most;
  }
  return parts;
}

}  // namespace

DatasetPtr stratified_n(DatasetPtr whole, int64_t n, uint64_t seed) {
  check(n >= 1, ErrorKind::kValue, "stratified_n", "n must be at least 1: it is ", n);
  if (n >= given(whole, "stratified_n").size()) return whole;
  const std::vector<std::vector<int64_t>> groups = strata(*whole);
  std::vector<int64_t> sizes;
  for (const auto& members : groups) sizes.push_back(static_cast<int64_t>(members.size()));
  const std::vector<int64_t> parts = proportional(sizes, n);
  std::vector<int64_t> indices;
  const Rng rng(seed, kSampleStream);
  for (size_t c = 0; c < groups.size(); ++c) {
    const auto order = to_vector<int64_t>(rand_permutation(sizes[c], rng.at(c)));
    for (int64_t k = 0; k < parts[c]; ++k) indices.push_back(groups[c][static_cast<size_t>(order[static_cast<size_t>(k)])]);
  }
  std::sort(indices.begin(), indices.end());
  return std::make_shared<SubsetDataset>(std::move(whole), std::move(indices));
}

std::pair<DatasetPtr, DatasetPtr> stratified_split(const DatasetPtr& whole, double fraction, uint64_t seed) {
  given(whole, "stratified_split");
  check(fraction >= 0 && fraction <= 1, ErrorKind::kValue, "stratified_split", "fraction must lie in [0, 1]: it is ", fraction);
  const std::vector<std::vector<int64_t>> by_class = strata(*whole);
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
