#include "data/sets/mnist.h"

#include <algorithm>

#include "base/text.h"
#include "data/sets/find_file.h"
#include "data/sets/idx.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// Where the two files of a split lie and how they differ from MNIST's.
struct Form {
  std::vector<std::string> image_names, label_names;
  bool transposed = false;
  int64_t first_label = 0;
};

void add_mnist_names(Form& form, const std::string& split) {
  for (const char* dot : {"-", "."}) {
    form.image_names.push_back(cat(split, "-images", dot, "idx3-ubyte"));
    form.label_names.push_back(cat(split, "-labels", dot, "idx1-ubyte"));
  }
}

// If the folder holds another set of the family, how to read that one.
std::string other_set(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    for (const std::string& split : emnist_names())
      if (name.starts_with("emnist-" + split + "-")) return "these are files of EMNIST: emnist-" + split + ":DIR reads them.";
    if (name.starts_with("qmnist-")) return "these are files of QMNIST: qmnist:DIR reads them.";
  }
  return "";
}

// Labels out of range are often those of another set under the usual names.
std::string hint_for_labels(const DatasetInfo& info, int64_t lowest, int64_t highest) {
  if (info.name != "mnist") return "";
  if (lowest == 1 && highest == 26) return " Hint: letters of EMNIST are numbered from 1 to 26; emnist-letters:DIR reads them.";
  return " Hint: files of EMNIST under these names are read as emnist-balanced:DIR, emnist-byclass:DIR and so on.";
}

void check_labels(const Tensor& labels, int64_t first, const std::string& path, const DatasetInfo& info) {
  const int64_t* label = labels.data<int64_t>();
  const auto classes = static_cast<int64_t>(info.class_names.size());
  const auto [lowest, highest] = std::minmax_element(label, label + labels.numel());
  for (int64_t i = 0; i < labels.numel(); ++i) {
    check(label[i] >= first && label[i] < first + classes, ErrorKind::kData, "idx", escaped_path(path), ": label ", label[i],
          " of image ", i, " is out of range: ", info.name, " has ", classes, " classes.",
          hint_for_labels(info, *lowest, *highest));
  }
}

DatasetPtr read_folder(const std::string& folder, const Form& form, DatasetInfo info) {
  const std::string hint = other_set(folder);
  const std::string image_path = find_one_of(folder, form.image_names, hint);
  const std::string label_path = find_one_of(folder, form.label_names, hint);
  Tensor labels = read_mnist_labels(label_path), images = read_idx(image_path, 3);
  const int64_t count = images.size(0);
  check(images.dtype() == Dtype::u8, ErrorKind::kData, "idx", escaped_path(image_path),
        ": images must be unsigned bytes (type 8)");
  check(count == labels.size(0), ErrorKind::kData, "idx", escaped_path(label_path), ": ", labels.size(0), " labels for ", count,
        " images of ", escaped_path(image_path));
  if (form.transposed) images = contiguous(transpose(images, 1, 2));
  check(images.size(1) == info.height && images.size(2) == info.width, ErrorKind::kData, "idx", escaped_path(image_path),
        ": images are ", images.size(1), " x ", images.size(2), ": ", info.name, " has ", info.height, " x ", info.width);
  check_labels(labels, form.first_label, label_path, info);
  int64_t* label = labels.mutable_data<int64_t>();
  for (int64_t i = 0; i < count; ++i) label[i] -= form.first_label;
  const Shape shape{count, 1, info.height, info.width};
  return std::make_shared<MemoryDataset>(std::move(info), reshape(images, shape), labels);
}

}  // namespace

DatasetPtr read_mnist_folder(const std::string& folder, const std::string& split, DatasetInfo info) {
  Form form;
  add_mnist_names(form, split);
  return read_folder(folder, form, std::move(info));
}

DatasetPtr read_qmnist_folder(const std::string& folder, bool train, DatasetInfo info) {
  const std::string split = train ? "train" : "test";
  Form form;
  form.image_names = {"qmnist-" + split + "-images-idx3-ubyte"};
  form.label_names = {"qmnist-" + split + "-labels-idx2-int"};
  add_mnist_names(form, train ? "train" : "t10k");
  return read_folder(folder, form, std::move(info));
}

DatasetPtr read_emnist_folder(const std::string& folder, const std::string& name, bool train, DatasetInfo info) {
  const std::string start = "emnist-" + name + (train ? "-train" : "-test");
  Form form;
  form.transposed = true;
  form.first_label = name == "letters" ? 1 : 0;
  form.image_names = {start + "-images-idx3-ubyte"};
  form.label_names = {start + "-labels-idx1-ubyte"};
  add_mnist_names(form, train ? "train" : "t10k");
  return read_folder(folder, form, std::move(info));
}

std::string find_mnist_file(const std::string& folder, bool train, bool labels) {
  Form form;
  add_mnist_names(form, train ? "train" : "t10k");
  for (const std::string& name : labels ? form.label_names : form.image_names) {
    for (const char* packing : {"", ".gz"}) {
      const std::string path = find_file(folder, name + packing);
      if (!path.empty()) return path;
    }
  }
  return "";
}

Tensor read_mnist_labels(const std::string& path) {
  const InputFile file(path);
  const ByteSource source = source_of(file);
  const IdxHeader h = check_idx(source);
  if (h.type == IdxType::kI32 && h.shape.size() == 2 && h.shape[1] == 8) return contiguous(select(decode_idx(source, 2), 1, 0));
  return to(decode_idx(source, 1), Dtype::i64);
}

const std::vector<std::string>& emnist_names() {
  static const std::vector<std::string> names = {"balanced", "byclass", "bymerge", "digits", "letters", "mnist"};
  return names;
}

std::vector<std::string> emnist_classes(const std::string& name) {
  const std::string digits = "0123456789", capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", small = "abcdefghijklmnopqrstuvwxyz";
  std::string classes;
  if (name == "digits" || name == "mnist") classes = digits;
  if (name == "letters") classes = small;  // capital and small letters are one class
  if (name == "byclass") classes = digits + capitals + small;
  // Small letters that look like their capital belong to it: eleven are left.
  if (name == "balanced" || name == "bymerge") classes = digits + capitals + "abdefghnqrt";
  check(!classes.empty(), ErrorKind::kValue, "emnist", "unknown part of EMNIST: it is ", quote(name), ". Hint: one of ",
        listed(emnist_names(), emnist_names().size()), ".");
  std::vector<std::string> result;
  for (const char c : classes) result.emplace_back(1, c);
  return result;
}

}  // namespace vitrail
