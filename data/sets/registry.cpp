#include "data/sets/registry.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "data/sets/cifar.h"
#include "data/sets/glyphs.h"
#include "data/sets/mnist.h"
#include "data/sets/scenes.h"

namespace vitrail {
namespace {

constexpr int64_t kDefaultTrain = 20000, kDefaultTest = 4000;
constexpr int64_t kMostDrawn = 1'000'000'000;  // more than anyone sees; the order of an epoch is held in memory

// A data set that is read from a folder, or drawn.
bool is_drawn(const std::string& name) { return name == "glyphs" || name == "scenes"; }

std::vector<std::string> known_names() {
  std::vector<std::string> names;
  for (const std::string& spec : dataset_specs()) names.push_back(spec.substr(0, spec.find(':')));
  return names;
}

[[noreturn]] void unknown_name(const std::string& name, const std::vector<std::string>& known) {
  const std::string near = nearest(name, known);
  fail(ErrorKind::kValue, "data", "unknown data set: it is ", quote(name),
       ". Hint: ", near.empty() ? "known are " + listed(dataset_specs(), dataset_specs().size()) : "did you mean " + near,
       near.empty() ? "." : "?");
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

// Mean and std as measured on the training images of "balanced".
DatasetInfo emnist_info(const std::string& split) {
  DatasetInfo info = mnist_info();
  info.name = "emnist-" + split;
  info.class_names = emnist_classes(split);
  info.mean = {0.1751};
  info.std = {0.3332};
  return info;
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
  for (const int64_t size : {options.train_size, options.test_size}) {
    check(size >= 0 && size <= kMostDrawn, ErrorKind::kValue, "data", "train_size and test_size must be in [0, ", kMostDrawn,
          "]: they are ", options.train_size, ", ", options.test_size);
  }
  const int64_t wanted = train ? options.train_size : options.test_size;
  const int64_t size = wanted > 0 ? wanted : train ? kDefaultTrain : kDefaultTest;
  if (name == "glyphs") return std::make_shared<GlyphDataset>(options.seed, train, size);
  return std::make_shared<SceneDataset>(options.seed, train, size, options.image_size);
}

DatasetPtr open_folder(const std::string& name, const std::string& folder, bool train) {
  constexpr size_t kEmnist = 7;  // characters of "emnist-"
  const char* split = train ? "train" : "t10k";
  if (name.starts_with("emnist-"))
    return read_emnist_folder(folder, name.substr(kEmnist), train, emnist_info(name.substr(kEmnist)));
  if (name == "qmnist") {
    DatasetInfo info = mnist_info();
    info.name = name;
    return read_qmnist_folder(folder, train, std::move(info));
  }
  if (name == "mnist") return read_mnist_folder(folder, split, mnist_info());
  if (name == "fashion-mnist") return read_mnist_folder(folder, split, fashion_info());
  const CifarKind kind = name == "cifar10" ? CifarKind::k10 : CifarKind::k100;
  return read_cifar_folder(folder, kind, train, cifar_info(kind));
}

}  // namespace

const std::vector<std::string>& dataset_specs() {
  static const std::vector<std::string> specs = [] {
    std::vector<std::string> all = {"mnist:DIR", "fashion-mnist:DIR", "qmnist:DIR"};
    for (const std::string& split : emnist_names()) all.push_back("emnist-" + split + ":DIR");
    for (const char* other : {"cifar10:DIR", "cifar100:DIR", "glyphs", "scenes"}) all.emplace_back(other);
    return all;
  }();
  return specs;
}

DatasetPtr open_dataset(const std::string& spec, Split split, const DatasetOptions& options) {
  const size_t colon = spec.find(':');
  const std::string name = spec.substr(0, colon);
  const std::string folder = colon == std::string::npos ? "" : spec.substr(colon + 1);
  const std::vector<std::string> known = known_names();
  if (std::find(known.begin(), known.end(), name) == known.end()) unknown_name(name, known);
  const bool drawn = is_drawn(name), train = split == Split::kTrain;
  check(!drawn || colon == std::string::npos, ErrorKind::kValue, "data", name,
        " is drawn by the program and takes no folder: it is ", quote(spec));
  check(drawn || !folder.empty(), ErrorKind::kValue, "data", name, " is read from files. Hint: say where they are, as in ",
        name, ":DIR.");
  check(options.limit >= 0, ErrorKind::kValue, "data", "limit must not be negative: it is ", options.limit);
  DatasetPtr dataset = drawn ? open_drawn(name, train, options) : open_folder(name, folder, train);
  return options.limit > 0 ? first_n(std::move(dataset), options.limit) : dataset;
}

}  // namespace vitrail
