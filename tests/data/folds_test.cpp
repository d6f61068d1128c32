// Cross-validation cuts a data set so that every sample is left out once, and every part looks like the whole.
#include "data/folds.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>

#include "tensor/rng.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A sample's picture is its number; its label is drawn, so that classes are of unequal size and mixed.
DatasetPtr numbered(int64_t size, int64_t classes) {
  DatasetInfo info;
  info.name = "numbered";
  info.height = 1, info.width = 2;
  for (int64_t c = 0; c < classes; ++c) info.class_names.push_back(std::to_string(c));
  info.mean = {0.5}, info.std = {0.5};
  Tensor images = zeros({size, 1, 1, 2}, Dtype::u8), labels = zeros({size}, Dtype::i64);
  for (int64_t i = 0; i < size; ++i) {
    images.mutable_data<uint8_t>()[2 * i] = static_cast<uint8_t>(i / 256);
    images.mutable_data<uint8_t>()[2 * i + 1] = static_cast<uint8_t>(i % 256);
    // The product of two draws: small classes are rare.
    const double u = Rng(4).uniform(static_cast<uint64_t>(2 * i)) * Rng(4).uniform(static_cast<uint64_t>(2 * i + 1));
    labels.mutable_data<int64_t>()[i] = static_cast<int64_t>(u * static_cast<double>(classes));
  }
  return std::make_shared<MemoryDataset>(info, images, labels);
}

std::vector<int64_t> numbers(const Dataset& data) {
  std::vector<int64_t> result;
  for (int64_t i = 0; i < data.size(); ++i) {
    const Tensor image = data.sample(i).image;
    result.push_back(256 * int64_t{image.data<uint8_t>()[0]} + int64_t{image.data<uint8_t>()[1]});
  }
  return result;
}

std::vector<int64_t> class_sizes(const Dataset& data) {
  std::vector<int64_t> result(static_cast<size_t>(data.num_classes()), 0);
  for (int64_t i = 0; i < data.size(); ++i) ++result[static_cast<size_t>(data.label(i))];
  return result;
}

}  // namespace

TEST_CASE("folds are disjoint, together the whole, and keep its order") {
  const DatasetPtr whole = numbered(503, 7);
  std::set<int64_t> left_out;
  for (const Fold& fold : stratified_folds(whole, 5, 1)) {
    const std::vector<int64_t> test = numbers(*fold.test), train = numbers(*fold.train);
    CHECK(std::is_sorted(test.begin(), test.end()));
    CHECK(std::is_sorted(train.begin(), train.end()));
    std::set<int64_t> both(train.begin(), train.end());
    both.insert(test.begin(), test.end());
    CHECK(both.size() == 503);
    CHECK(train.size() + test.size() == 503);
    left_out.insert(test.begin(), test.end());
  }
  CHECK(left_out.size() == 503);
}

TEST_CASE("the sizes of a class, and of the folds, differ by at most one") {
  for (const int64_t k : {2, 3, 10}) {
    const std::vector<Fold> folds = stratified_folds(numbered(503, 7), k, 3);
    REQUIRE(static_cast<int64_t>(folds.size()) == k);
    std::vector<int64_t> least(7, 1000), most(7, 0);
    int64_t smallest = 1000, largest = 0;
    for (const Fold& fold : folds) {
      const std::vector<int64_t> sizes = class_sizes(*fold.test);
      for (size_t c = 0; c < 7; ++c) least[c] = std::min(least[c], sizes[c]), most[c] = std::max(most[c], sizes[c]);
      smallest = std::min(smallest, fold.test->size()), largest = std::max(largest, fold.test->size());
    }
    for (size_t c = 0; c < 7; ++c) CHECK(most[c] - least[c] <= 1);
    CHECK(largest - smallest <= 1);
  }
}

TEST_CASE("folds are a function of the seed") {
  const DatasetPtr whole = numbered(200, 4);
  const auto first = numbers(*stratified_folds(whole, 4, 1)[0].test);
  CHECK(first == numbers(*stratified_folds(whole, 4, 1)[0].test));
  CHECK(first != numbers(*stratified_folds(whole, 4, 2)[0].test));
}

TEST_CASE("one fold, or more folds than images, are refused") {
  for (const int64_t k : {1, 0, -3, 13}) {
    const std::string message = refusal(ErrorKind::kValue, [&] { stratified_folds(numbered(12, 3), k, 0); });
    CHECK_SAYS(message, "the number of folds must be from 2 to the number of images, 12");
  }
  CHECK(stratified_folds(numbered(12, 3), 12, 0).size() == 12);
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { stratified_folds(nullptr, 3, 0); }), "[k-fold] there is no data set");
}
