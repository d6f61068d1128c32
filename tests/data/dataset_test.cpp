#include "data/dataset.h"

#include <algorithm>
#include <set>

#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

DatasetInfo info() {
  return {.name = "toy", .channels = 1, .height = 1, .width = 2, .class_names = {"a", "b"}, .mean = {0.5}, .std = {0.5}};
}

// Sample i has pixels i, i and label i % 2, but the last quarter is all zeros of class a.
DatasetPtr toy(int64_t n) {
  std::vector<uint8_t> pixels;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) {
    pixels.insert(pixels.end(), 2, static_cast<uint8_t>(i));
    labels.push_back(i < 3 * n / 4 ? i % 2 : 0);
  }
  return std::make_shared<MemoryDataset>(info(), from_vector(pixels, {n, 1, 1, 2}), from_vector(labels, {n}));
}

}  // namespace

TEST_CASE("a data set in memory hands out its images and labels") {
  const DatasetPtr data = toy(8);
  CHECK(data->size() == 8);
  CHECK(data->num_classes() == 2);
  CHECK(data->sample(3).image.shape() == Shape{1, 1, 2});
  CHECK(data->sample(3).image.at({0, 0, 1}) == 3);
  CHECK(data->sample(3).target.label == 1);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { data->sample(8); }), "there is no sample 8: there are 8");
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { data->label(-1); }), "there is no sample -1");
}

TEST_CASE("a data set in memory refuses tensors that do not fit") {
  const auto message = [](ErrorKind kind, const Tensor& images, const Tensor& labels) {
    return refusal(kind, [&] { MemoryDataset(info(), images, labels); });
  };
  const Tensor images = zeros({3, 1, 1, 2}, Dtype::u8), labels = zeros({3}, Dtype::i64);
  CHECK_SAYS(message(ErrorKind::kShape, zeros({3, 1, 2, 2}, Dtype::u8), labels), "must be [N, 1, 1, 2]: they are [3, 1, 2, 2]");
  CHECK_SAYS(message(ErrorKind::kShape, images, zeros({2}, Dtype::i64)), "labels are [2] for 3 images");
  CHECK_SAYS(message(ErrorKind::kValue, zeros({3, 1, 1, 2}), labels), "they are f32 and i64");
  CHECK_SAYS(message(ErrorKind::kData, images, full({3}, 2, Dtype::i64)), "label 2 of sample 0 is out of range");
}

TEST_CASE("a description without classes or with a std of zero is refused") {
  const auto message = [](DatasetInfo bad) {
    return refusal(ErrorKind::kValue, [&] { MemoryDataset(bad, zeros({1, 1, 1, 2}, Dtype::u8), zeros({1}, Dtype::i64)); });
  };
  DatasetInfo bad = info();
  bad.class_names.clear();
  CHECK_SAYS(message(bad), "there are no class names");
  bad = info();
  bad.std = {0};
  CHECK_SAYS(message(bad), "std must be positive");
  bad.std = {1, 1};
  CHECK_SAYS(message(bad), "there are 1 and 2 for 1 channels");
}

TEST_CASE("the first n samples are the first n, and more than there are is all") {
  CHECK(first_n(toy(8), 3)->size() == 3);
  CHECK(first_n(toy(8), 3)->sample(2).image.at({0, 0, 0}) == 2);
  CHECK(first_n(toy(8), 100)->size() == 8);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { first_n(toy(8), 0); }), "n must be at least 1: it is 0");
}

TEST_CASE("no data set is an error, not a crash") {
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { first_n(nullptr, 3); }), "there is no data set");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { SubsetDataset(nullptr, {}); }), "there is no data set");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { stratified_split(nullptr, 0.5, 1); }), "there is no data set");
}

TEST_CASE("a stratified split is a partition with the same share of each class") {
  const DatasetPtr whole = toy(80);  // 50 of class a, 30 of class b
  const auto [first, second] = stratified_split(whole, 0.2, 5);
  std::set<double> seen;
  std::vector<int> count(2);
  for (int64_t i = 0; i < first->size(); ++i) seen.insert(first->sample(i).image.at({0, 0, 0}));
  for (int64_t i = 0; i < second->size(); ++i) {
    seen.insert(second->sample(i).image.at({0, 0, 0}));
    ++count[second->label(i)];
  }
  CHECK(seen.size() == 80);
  CHECK(first->size() == 64);
  CHECK(count == std::vector<int>{10, 6});
}

TEST_CASE("another seed splits otherwise, the same seed the same way") {
  const auto firsts = [](uint64_t seed) {
    const auto part = stratified_split(toy(80), 0.5, seed).second;
    std::vector<double> values;
    for (int64_t i = 0; i < part->size(); ++i) values.push_back(part->sample(i).image.at({0, 0, 0}));
    return values;
  };
  CHECK(firsts(1) == firsts(1));
  CHECK(firsts(1) != firsts(2));
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { stratified_split(toy(8), 1.5, 0); }), "fraction must lie in [0, 1]: it is 1.5");
}

TEST_CASE("spread_n takes samples at even distances, all of them at most, and refuses none") {
  const DatasetPtr part = spread_n(toy(10), 4);
  REQUIRE(part->size() == 4);
  for (int64_t i = 0; i < 4; ++i) CHECK(part->sample(i).image.at({0, 0, 0}) == static_cast<double>(i * 10 / 4));
  CHECK(spread_n(toy(10), 10)->size() == 10);
  CHECK(spread_n(toy(10), 11)->size() == 10);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { spread_n(toy(8), 0); }), "n must be at least 1: it is 0");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { spread_n(nullptr, 3); }), "there is no data set");
}

TEST_CASE("a sample of a size: each class in proportion, exactly n, a function of the seed, in the order of the whole") {
  const DatasetPtr whole = toy(80);  // 50 of class a, 30 of class b
  const auto indices = [&](int64_t n, uint64_t seed) {
    std::vector<int64_t> pixels;
    const DatasetPtr part = stratified_n(whole, n, seed);
    for (int64_t i = 0; i < part->size(); ++i) pixels.push_back(static_cast<int64_t>(part->sample(i).image.at({0, 0, 0})));
    return pixels;
  };
  for (const int64_t n : {1, 2, 3, 10, 16, 33, 79}) {
    CAPTURE(n);
    const DatasetPtr part = stratified_n(whole, n, 3);
    REQUIRE(part->size() == n);
    int64_t b = 0;
    for (int64_t i = 0; i < n; ++i) b += part->label(i);
    CHECK(std::abs(static_cast<double>(b) - 30.0 / 80 * static_cast<double>(n)) <= 1);
    if (n >= 2) CHECK(b >= 1);
    const std::vector<int64_t> order = indices(n, 3);
    CHECK(std::is_sorted(order.begin(), order.end()));
    CHECK(std::set<int64_t>(order.begin(), order.end()).size() == order.size());
  }
  CHECK(indices(16, 3) == indices(16, 3));
  CHECK(indices(16, 3) != indices(16, 4));
  CHECK(stratified_n(whole, 80, 1) == whole);
  CHECK_SAYS(refusal(ErrorKind::kValue, [&] { stratified_n(whole, 0, 1); }), "n must be at least 1: it is 0");
  // A class of one sample beside a class of 99 keeps it in a sample of two.
  std::vector<int64_t> labels(100, 0);
  labels[42] = 1;
  const DatasetPtr rare = std::make_shared<MemoryDataset>(info(), zeros({100, 1, 1, 2}, Dtype::u8), from_vector(labels, {100}));
  const DatasetPtr two = stratified_n(rare, 2, 9);
  CHECK(two->label(0) + two->label(1) == 1);
}
