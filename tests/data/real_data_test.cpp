// The real files, where they are at hand ($VITRAIL_DATA, else ../shared/data).
#include <cmath>

#include "data/sets/registry.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// The set `name` of the real data, or nothing with a message.
DatasetPtr real_set(const std::string& name, Split split) {
  const std::string folder = real_data(name);
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("skipped: ", folder, " is not there");
    return nullptr;
  }
  return open_dataset(name + ":" + folder, split);
}

std::vector<int64_t> class_counts(const Dataset& data) {
  std::vector<int64_t> counts(data.num_classes());
  for (int64_t i = 0; i < data.size(); ++i) ++counts[data.label(i)];
  return counts;
}

}  // namespace

TEST_CASE("Fashion-MNIST is complete, balanced, and has the mean and deviation that are written down for it") {
  const DatasetPtr data = real_set("fashion-mnist", Split::kTrain);
  if (data == nullptr) return;
  CHECK(data->size() == 60000);
  CHECK(class_counts(*data) == std::vector<int64_t>(10, 6000));
  CHECK(data->class_names()[9] == "Ankle boot");
  const auto pixels = to_vector<uint8_t>(dynamic_cast<const MemoryDataset&>(*data).images());
  double sum = 0, squares = 0;
  for (uint8_t p : pixels) sum += p, squares += double{1} * p * p;
  const auto n = static_cast<double>(pixels.size());
  const double mean = sum / n;
  CHECK(mean / 255 == doctest::Approx(data->info().mean[0]).epsilon(2e-4));
  CHECK(std::sqrt(squares / n - mean * mean) / 255 == doctest::Approx(data->info().std[0]).epsilon(2e-4));
}

TEST_CASE("the test parts have ten thousand images") {
  for (const char* name : {"mnist", "fashion-mnist"}) {
    const DatasetPtr data = real_set(name, Split::kTest);
    if (data != nullptr) CHECK(data->size() == 10000);
  }
}

TEST_CASE("MNIST begins with the digits 5 0 4 1 9 and has 6742 ones") {
  const DatasetPtr data = real_set("mnist", Split::kTrain);
  if (data == nullptr) return;
  CHECK(data->size() == 60000);
  const std::vector<int64_t> first = {data->label(0), data->label(1), data->label(2), data->label(3), data->label(4)};
  CHECK(first == std::vector<int64_t>{5, 0, 4, 1, 9});
  CHECK(class_counts(*data)[1] == 6742);
}
