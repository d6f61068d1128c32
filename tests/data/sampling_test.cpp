// Balanced sampling: exact counts of classes and of samples, over one epoch and over many.
#include "data/sampling.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "data/loader.h"
#include "tests/support/data_test.h"

using namespace vitrail;

namespace {

// Class c has sizes[c] samples, in turn as long as they last.
std::vector<int64_t> labels_of(std::vector<int64_t> sizes) {
  std::vector<int64_t> labels;
  for (bool more = true; more;) {
    more = false;
    for (size_t c = 0; c < sizes.size(); ++c)
      if (sizes[c]-- > 0) labels.push_back(static_cast<int64_t>(c)), more = true;
  }
  return labels;
}

std::map<int64_t, int64_t> counted(const std::vector<int64_t>& values) {
  std::map<int64_t, int64_t> counts;
  for (const int64_t value : values) ++counts[value];
  return counts;
}

// Pictures of 2 x 2 pixels, all of the value of their index.
DatasetPtr pictures(const std::vector<int64_t>& labels) {
  const auto n = static_cast<int64_t>(labels.size());
  Tensor images = empty({n, 1, 2, 2}, Dtype::u8), classes = empty({n}, Dtype::i64);
  for (int64_t i = 0; i < n; ++i) std::fill_n(images.mutable_data<uint8_t>() + 4 * i, 4, static_cast<uint8_t>(100 + i));
  std::copy(labels.begin(), labels.end(), classes.mutable_data<int64_t>());
  return std::make_shared<MemoryDataset>(
      DatasetInfo{.name = "marked", .channels = 1, .height = 2, .width = 2, .class_names = {"a", "b", "c"}, .mean = {0}, .std = {1}},
      images, classes);
}

}  // namespace

TEST_CASE("balanced: an epoch has as many samples as the set, of each class equally many") {
  const std::vector<int64_t> labels = labels_of({60, 25, 5});
  const BalancedSampling sampling(labels, 3);
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    const SampleOrder order = sampling.order(epoch);
    REQUIRE(order.samples.size() == 90);
    std::vector<int64_t> classes;
    for (const int64_t sample : order.samples) classes.push_back(labels[sample]);
    for (const auto& entry : counted(classes)) CHECK(entry.second == 30);
  }
}

TEST_CASE("balanced: within a class each sample is shown as often as any other, or once more, over any number of epochs") {
  const std::vector<int64_t> labels = labels_of({60, 25, 5});
  const BalancedSampling sampling(labels, 3);
  std::vector<int64_t> all;
  for (int64_t epoch = 0; epoch < 7; ++epoch) {
    const SampleOrder order = sampling.order(epoch);
    all.insert(all.end(), order.samples.begin(), order.samples.end());
    const std::map<int64_t, int64_t> shown = counted(all);
    for (int64_t c = 0; c < 3; ++c) {
      std::set<int64_t> times;
      for (size_t i = 0; i < labels.size(); ++i)
        if (labels[i] == c) times.insert(shown.contains(static_cast<int64_t>(i)) ? shown.at(static_cast<int64_t>(i)) : 0);
      CHECK(*times.rbegin() - *times.begin() <= 1);
    }
  }
}

TEST_CASE("balanced: where the classes do not divide the samples, each has its turn to be shown once more") {
  const std::vector<int64_t> labels = labels_of({7, 2, 1});  // 10 samples, 3 classes
  const BalancedSampling sampling(labels, 0);
  std::map<int64_t, int64_t> total;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<int64_t> classes;
    for (const int64_t sample : sampling.order(epoch).samples) classes.push_back(labels[sample]);
    for (const auto& [c, n] : counted(classes)) {
      CHECK((n == 3 || n == 4));
      total[c] += n;
    }
  }
  for (const auto& entry : total) CHECK(entry.second == 10);
}

TEST_CASE("balanced: the order is a function of seed and epoch, and a class without samples is no matter") {
  const std::vector<int64_t> labels{0, 0, 0, 0, 2, 2};
  const BalancedSampling a(labels, 1), again(labels, 1), other(labels, 2);
  CHECK(a.order(4).samples == again.order(4).samples);
  CHECK(a.order(4).samples != a.order(5).samples);
  CHECK(a.order(4).samples != other.order(4).samples);
  CHECK(counted(a.order(0).samples).contains(4));
  CHECK_THROWS_WITH_AS(BalancedSampling({0, -1}, 0), doctest::Contains("every sample needs a class: sample 1 has none"), Error);
}

TEST_CASE("balanced: the showings of a sample have numbers of their own") {
  const SampleOrder order = BalancedSampling(labels_of({9, 1}), 0).order(0);
  std::set<std::pair<int64_t, int64_t>> seen;
  for (size_t i = 0; i < order.samples.size(); ++i) seen.insert({order.samples[i], order.showings[i]});
  CHECK(seen.size() == order.samples.size());
  CHECK(*std::max_element(order.showings.begin(), order.showings.end()) == 4);  // the one sample of the second class, five times
}

TEST_CASE("balanced: the loader shows the classes alike, augments each showing anew, and gives the same bits with workers") {
  const std::vector<int64_t> labels = labels_of({40, 19, 1});
  Preprocessing preprocessing;
  preprocessing.channels = 1, preprocessing.height = preprocessing.width = 2;
  preprocessing.mean = {0}, preprocessing.std = {1};
  Augmentation augmentation;
  augmentation.jitter = 0.5;
  LoaderOptions options{.batch_size = 20, .seed = 5, .balanced = true};
  Loader loader(pictures(labels), Transform{preprocessing, augmentation}, options);
  options.workers = 2;
  Loader ahead(pictures(labels), Transform{preprocessing, augmentation}, options);
  std::vector<int64_t> classes;
  std::set<float> of_the_rare;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    CHECK(bit_equal(batch.images, ahead.batch(0, i).images));
    for (int64_t j = 0; j < batch.size(); ++j) {
      classes.push_back(labels[batch.indices[j]]);
      if (classes.back() == 2) of_the_rare.insert(static_cast<float>(batch.images.at({j, 0, 0, 0})));
    }
  }
  for (const auto& entry : counted(classes)) CHECK(entry.second == 20);
  CHECK(of_the_rare.size() > 12);  // twenty showings of one picture, in as many brightnesses
  options.balanced = false, options.workers = 0;
  Loader shuffled(pictures(labels), Transform{preprocessing, augmentation}, options);
  std::set<int64_t> once;
  for (int64_t i = 0; i < shuffled.batches(); ++i)
    for (const int64_t index : shuffled.batch(0, i).indices) once.insert(index);
  CHECK(once.size() == labels.size());
}
