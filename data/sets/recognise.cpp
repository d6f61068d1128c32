#include "data/sets/recognise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "data/sets/find_file.h"
#include "data/sets/folder.h"
#include "data/sets/idx.h"
#include "data/sets/list.h"
#include "data/sets/mnist.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

bool any_begins(const std::vector<std::string>& names, const std::string& start) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(start); });
}

// Files under MNIST's names: the first labels of the two most common sets, as anyone can read them in their files.
struct FirstLabels {
  const char* name;
  std::array<int64_t, 10> train, test;
};
constexpr FirstLabels kFirstLabels[] = {{"mnist", {5, 0, 4, 1, 9, 2, 1, 3, 1, 4}, {7, 2, 1, 0, 4, 1, 4, 9, 5, 9}},
                                        {"fashion-mnist", {9, 0, 0, 3, 0, 2, 7, 2, 5, 5}, {9, 2, 1, 1, 6, 1, 4, 6, 5, 7}}};

std::string by_first_labels(const Tensor& labels, bool train) {
  for (const FirstLabels& known : kFirstLabels) {
    const auto& expected = train ? known.train : known.test;
    const int64_t* label = labels.data<int64_t>();
    if (labels.numel() >= 10 && std::equal(expected.begin(), expected.end(), label)) return known.name;
  }
  return "";
}

// Labels beyond those of ten classes belong to EMNIST; its parts have known numbers of classes and of pictures.
std::string by_label_range(const Tensor& labels) {
  const int64_t* label = labels.data<int64_t>();
  const auto [lowest, highest] = std::minmax_element(label, label + labels.numel());
  constexpr int64_t kMostOfBalanced = 200000, kMostOfMnist = 100000;
  if (*lowest == 1 && *highest == 26) return "emnist-letters";
  if (*highest > 46 && *highest < 62) return "emnist-byclass";
  if (*highest > 9 && *highest <= 46) return labels.numel() > kMostOfBalanced ? "emnist-bymerge" : "emnist-balanced";
  return *highest <= 9 && labels.numel() > kMostOfMnist ? "emnist-digits" : "";
}

// The set whose mean brightness is nearest, if it is near. Of few pictures the mean says little.
std::string by_brightness(const std::string& folder, bool train) {
  struct Brightness {
    const char* name;
    double mean;
  };
  constexpr Brightness kMeans[] = {{"mnist", 0.1307}, {"emnist-mnist", 0.1733}, {"kmnist", 0.1918}, {"fashion-mnist", 0.2860}};
  const std::string path = find_mnist_file(folder, train, /*labels=*/false);
  if (path.empty()) return "";
  const Tensor images = read_idx(path, 3);
  if (images.dtype() != Dtype::u8 || images.size(0) < 1000) return "";
  double sum = 0;
  const uint8_t* pixel = images.data<uint8_t>();
  for (int64_t i = 0; i < images.numel(); ++i) sum += pixel[i];
  const double mean = sum / (255.0 * static_cast<double>(images.numel()));
  for (const Brightness& known : kMeans)
    if (std::abs(mean - known.mean) < 0.008) return known.name;
  return "";
}

Recognised under_names_of_mnist(const std::string& folder) {
  const bool train = !find_mnist_file(folder, true, /*labels=*/true).empty();
  const std::string path = find_mnist_file(folder, train, /*labels=*/true);
  if (path.empty()) return {"mnist", ""};  // whose reader says what is missing
  if (check_idx(path).shape.size() == 2) return {"qmnist", ""};
  const Tensor labels = read_mnist_labels(path);
  std::string name = by_first_labels(labels, train);
  if (!name.empty()) return {name, ""};
  const char* told_by = "labels";
  name = by_label_range(labels);
  if (name.empty()) name = by_brightness(folder, train), told_by = "brightness";
  if (name.empty()) name = "mnist", told_by = "names of its files, since nothing else tells";
  return {name, cat("read as ", name, ", by the ", told_by,
                    ". Hint: write another set's name before the folder, as in kmnist:", escaped_path(folder), ".")};
}

Recognised part_of_emnist(const std::string& folder, const std::vector<std::string>& names) {
  std::vector<std::string> parts;
  for (const std::string& part : emnist_names())
    if (any_begins(names, "emnist-" + part + "-")) parts.push_back("emnist-" + part);
  check(parts.size() <= 1, ErrorKind::kValue, "data", escaped_path(folder),
        ": there are several parts of EMNIST: ", listed(parts, parts.size()), ". Hint: say which, as in emnist-balanced:DIR.");
  return {parts.empty() ? "" : parts.front(), ""};
}

std::string cifar_in(const std::vector<std::string>& names) {
  const auto has = [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (any_begins(names, "data_batch_") || has("test_batch.bin") || any_begins(names, "cifar-10-")) return "cifar10";
  return has("train.bin") || has("test.bin") || any_begins(names, "cifar-100-") ? "cifar100" : "";
}

Recognised in_folder(const std::string& folder) {
  const std::vector<std::string> names = names_in(folder);
  if (any_begins(names, "qmnist-")) return {"qmnist", ""};
  if (Recognised emnist = part_of_emnist(folder, names); !emnist.name.empty()) return emnist;
  if (any_begins(names, "train-images") || any_begins(names, "t10k-images") || any_begins(names, "train-labels"))
    return under_names_of_mnist(folder);
  if (const std::string cifar = cifar_in(names); !cifar.empty()) return {cifar, ""};
  check(find_file(folder, "model.safetensors").empty(), ErrorKind::kValue, "data", escaped_path(folder),
        ": this is a saved model, not a data set. Hint: --model takes it.");
  if (const std::string list = only_list_in(folder); !list.empty())
    return {"list", cat("read by its list ", escaped_path(list))};
  return {"folder", ""};
}

}  // namespace

std::string only_list_in(const std::string& folder) {
  std::vector<std::string> lists;
  int64_t folders = 0;
  std::error_code ignored;
  for (const std::string& name : names_in(folder)) {
    if (name.starts_with('.')) continue;
    const std::string path = folder + "/" + name;
    if (fs::is_directory(path, ignored)) ++folders;
    if (is_list_name(name) && fs::is_regular_file(path, ignored)) lists.push_back(path);
  }
  return lists.size() == 1 && folders <= 1 ? lists.front() : "";
}

Recognised recognise(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check(fs::exists(status), ErrorKind::kIo, "data", escaped_path(path), ": there is no such file or folder.");
  if (fs::is_directory(status)) return in_folder(path);
  check(is_list_name(path), ErrorKind::kValue, "data", escaped_path(path),
        ": this is no data set. Hint: a folder of class folders, or a ", "list that ends in .csv, .tsv, .jsonl or .ndjson.");
  return {"list", ""};
}

}  // namespace vitrail
