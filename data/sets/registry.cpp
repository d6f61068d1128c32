#include "data/sets/registry.h"

#include <algorithm>
#include <numeric>

#include "data/sets/cifar.h"
#include "data/sets/glyphs.h"
#include "data/sets/idx.h"
#include "data/sets/scenes.h"

namespace vitrail {
namespace {

constexpr int64_t kDefaultTrain = 20000, kDefaultTest = 4000;
const char* const kNames[] = {"mnist", "fashion-mnist", "cifar10", "cifar100", "glyphs", "scenes"};

// Steps of inserting, deleting or replacing one character that turn a into b (Levenshtein).
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

[[noreturn]] void unknown_name(const std::string& name) {
  const std::string start = name.substr(0, 64);
  const auto nearest = *std::min_element(std::begin(kNames), std::end(kNames), [&](const char* a, const char* b) {
    return edit_distance(start, a) < edit_distance(start, b);
  });
  std::string known;
  for (const auto& spec : dataset_specs()) known += cat(known.empty() ? "" : ", ", spec);
  fail(ErrorKind::kValue, "data", "unknown data set '", start, "': known are ", known, ". Hint: did you mean ", nearest, "?");
}

std::vector<std::string> numbered(const char* prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(cat(prefix, i));
  return names;
}

DatasetInfo mnist_info() {
  return {.name = "mnist",
          .channels = 1,
          .height = 28,
          .width = 28,
          .class_names = numbered("", 10),
          .mean = {0.1307},
          .std = {0.3081},
          .mirror_keeps_class = false};
}

DatasetInfo fashion_info() {
  return {
      .name = "fashion-mnist",
      .channels = 1,
      .height = 28,
      .width = 28,
      .class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
      .mean = {0.2860},
      .std = {0.3530},
      .mirror_keeps_class = true};
}

DatasetInfo cifar_info(CifarKind kind) {
  const bool ten = kind == CifarKind::k10;
  DatasetInfo info{.name = ten ? "cifar10" : "cifar100",
                   .channels = 3,
                   .height = 32,
                   .width = 32,
                   .class_names = {},
                   .mean = {0.4914, 0.4822, 0.4465},
                   .std = {0.2470, 0.2435, 0.2616},
                   .mirror_keeps_class = true};
  if (ten) {
    info.class_names = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  } else {
    info.class_names = numbered("class ", 100);
    info.mean = {0.5071, 0.4865, 0.4409};
    info.std = {0.2673, 0.2564, 0.2762};
  }
  return info;
}

DatasetPtr open_drawn(const std::string& name, bool train, const DatasetOptions& options) {
  check(options.train_size >= 0 && options.test_size >= 0, ErrorKind::kValue, "data",
        "train_size and test_size must not be negative: they are ", options.train_size, ", ", options.test_size);
  const int64_t wanted = train ? options.train_size : options.test_size;
  const int64_t size = wanted > 0 ? wanted : train ? kDefaultTrain : kDefaultTest;
  if (name == "glyphs") return std::make_shared<GlyphDataset>(options.seed, train, size);
  return std::make_shared<SceneDataset>(options.seed, train, size, options.image_size);
}

DatasetPtr open_folder(const std::string& name, const std::string& folder, bool train) {
  const char* split = train ? "train" : "t10k";
  if (name == "mnist") return read_mnist_folder(folder, split, mnist_info());
  if (name == "fashion-mnist") return read_mnist_folder(folder, split, fashion_info());
  const CifarKind kind = name == "cifar10" ? CifarKind::k10 : CifarKind::k100;
  return read_cifar_folder(folder, kind, train, cifar_info(kind));
}

}  // namespace

const std::vector<std::string>& dataset_specs() {
  static const std::vector<std::string> specs = {"mnist:DIR", "fashion-mnist:DIR", "cifar10:DIR", "cifar100:DIR", "glyphs",
                                                 "scenes"};
  return specs;
}

DatasetPtr open_dataset(const std::string& spec, Split split, const DatasetOptions& options) {
  const size_t colon = spec.find(':');
  const std::string name = spec.substr(0, colon);
  const std::string folder = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) unknown_name(name);
  const bool drawn = name == "glyphs" || name == "scenes", train = split == Split::kTrain;
  check(!drawn || colon == std::string::npos, ErrorKind::kValue, "data", name,
        " is drawn by the program and takes no folder: '", spec, "'");
  check(drawn || !folder.empty(), ErrorKind::kValue, "data", name, " is read from files. Hint: say where they are, as in ",
        name, ":DIR.");
  check(options.limit >= 0, ErrorKind::kValue, "data", "limit must not be negative: it is ", options.limit);
  DatasetPtr dataset = drawn ? open_drawn(name, train, options) : open_folder(name, folder, train);
  return options.limit > 0 ? first_n(std::move(dataset), options.limit) : dataset;
}

}  // namespace vitrail
