#include "data/sets/registry.h"

#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

std::string spec_refusal(const std::string& spec, ErrorKind kind = ErrorKind::kValue, const DatasetOptions& options = {}) {
  return refusal(kind, [&] { open_dataset(spec, Split::kTrain, options); });
}

}  // namespace

TEST_CASE("an unknown data set is answered with the nearest known one, or else with all") {
  CHECK_SAYS(spec_refusal("fashon-mnist:x"), "no such path or data set: \"fashon-mnist\". Hint: did you mean fashion-mnist?");
  const std::string message = spec_refusal("photographs");
  CHECK_SAYS(message, "Hint: a folder, a list, or NAME:PATH with mnist, fashion-mnist, kmnist, qmnist, emnist-balanced");
  CHECK_SAYS(message, "cifar10, cifar100, folder, list, glyphs, drawn-digits, drawn-letters, scenes.");
  CHECK_SAYS(spec_refusal(""), "no such path or data set: \"\"");
}

TEST_CASE("a folder is asked for where files are read, and refused where the program draws") {
  CHECK_SAYS(spec_refusal("mnist"), "say where they are, as in mnist:DIR");
  CHECK_SAYS(spec_refusal("cifar10:"), "as in cifar10:DIR");
  CHECK_SAYS(spec_refusal("glyphs:there"), "glyphs is drawn by the program and takes no folder");
  CHECK_SAYS(spec_refusal("cifar100:/no/such/folder", ErrorKind::kIo), "/no/such/folder: there is no such folder");
}

TEST_CASE("options reach the drawn sets") {
  CHECK(open_dataset("glyphs", Split::kTrain)->size() == 20000);
  CHECK(open_dataset("glyphs", Split::kTest, {.test_size = 50})->size() == 50);
  CHECK(open_dataset("scenes", Split::kTrain, {.image_size = 96})->height() == 96);
  CHECK(open_dataset("glyphs", Split::kTrain, {.limit = 7})->size() == 7);
  CHECK(open_dataset("drawn-letters", Split::kTest, {.test_size = 50})->size() == 50);
  CHECK((is_drawn("drawn-digits") && is_drawn("scenes") && !is_drawn("mnist") && !is_drawn("photographs")));
  CHECK_SAYS(spec_refusal("scenes", ErrorKind::kValue, {.image_size = 16}), "image_size must be in [32, 224]: it is 16");
  CHECK_SAYS(spec_refusal("glyphs", ErrorKind::kValue, {.train_size = -1}), "must be in [0, 1000000000]");
  CHECK_SAYS(spec_refusal("glyphs", ErrorKind::kValue, {.test_size = int64_t{1} << 60}), "must be in [0, 1000000000]");
  CHECK_SAYS(spec_refusal("glyphs", ErrorKind::kValue, {.limit = -1}), "limit must not be negative: it is -1");
}
