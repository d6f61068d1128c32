#include "data/sets/cifar.h"

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "data/sets/find_file.h"

namespace vitrail {
namespace {

constexpr int64_t kPixels = 3 * 32 * 32;

namespace fs = std::filesystem;

// What lies there instead, if it is another form of the set.
std::string other_form(const std::string& folder) {
  for (const std::string& name : names_in(folder)) {
    const bool python = name == "data_batch_1" || name == "test_batch" || name == "cifar-10-batches-py" || name == "meta" ||
                        name == "cifar-100-python" || name == "batches.meta";
    if (python)
      return "this is the Python version of CIFAR (pickled arrays). The binary version is read: cifar-10-binary.tar.gz or "
             "cifar-100-binary.tar.gz.";
    if (name.ends_with(".mat")) return "this is the Matlab version of CIFAR. The binary version is read.";
    if (name.ends_with(".tar.gz") || name.ends_with(".tgz")) return "unpack the archive first.";
  }
  return "";
}

// The folder itself, or the sub-folder that the archive unpacks to.
std::string root_folder(const std::string& folder, const char* usual, const std::string& probe) {
  check_folder(folder);
  std::error_code ignored;
  const fs::path inner = fs::path(folder) / usual;
  return find_file(folder, probe).empty() && fs::is_directory(inner, ignored) ? inner.string() : folder;
}

// The lines of a name file, or nothing if there is no such file.
std::vector<std::string> read_names(const std::string& path, size_t classes) {
  if (path.empty()) return {};
  const std::string text = read_text_file(path, 1 << 20);
  std::vector<std::string> names;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    at = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  check(names.size() == classes, ErrorKind::kData, "cifar", escaped_path(path), ": it names ", names.size(),
        " classes, there are ", classes);
  return names;
}

// One file of the set, whose size has been looked at.
struct Part {
  std::string path;
  int64_t records = 0;
};

Part find_part(const std::string& folder, const std::string& name, int64_t record) {
  Part part{find_file(folder, name), 0};
  const std::string form = other_form(folder);
  check(!part.path.empty(), ErrorKind::kIo, "cifar", escaped_path(folder), ": a file is missing: looked for ", name, ". ",
        holds(folder), form.empty() ? "" : " Hint: ", form);
  const int64_t size = InputFile(part.path).size();
  check(size > 0 && size % record == 0, ErrorKind::kData, "cifar", escaped_path(part.path), ": the size must be a multiple of ",
        record, " bytes (one record): it is ", size, ", ", size % record, " too many");
  part.records = size / record;
  return part;
}

// Reads one file: of each record `label_bytes` labels, of which the last counts, then the pixels.
void read_part(const Part& part, int64_t label_bytes, int64_t classes, uint8_t* pixels, int64_t* labels) {
  const InputFile file(part.path);
  for (int64_t i = 0; i < part.records; ++i) {
    uint8_t marks[2] = {};
    const int64_t at = i * (label_bytes + kPixels);
    file.read_at(at, marks, label_bytes);
    file.read_at(at + label_bytes, pixels + i * kPixels, kPixels);
    labels[i] = marks[label_bytes - 1];
    check(labels[i] < classes, ErrorKind::kData, "cifar", escaped_path(part.path), ": label ", labels[i], " of image ", i,
          " is out of range: there are ", classes, " classes");
  }
}

std::vector<std::string> file_names(CifarKind kind, bool train) {
  if (kind == CifarKind::k100) return {train ? "train.bin" : "test.bin"};
  if (!train) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
}

}  // namespace

DatasetPtr read_cifar_folder(const std::string& folder, CifarKind kind, bool train, DatasetInfo info) {
  const bool ten = kind == CifarKind::k10;
  const auto files = file_names(kind, train);
  const std::string root = root_folder(folder, ten ? "cifar-10-batches-bin" : "cifar-100-binary", files[0]);
  auto names = read_names(find_file(root, ten ? "batches.meta.txt" : "fine_label_names.txt"), info.class_names.size());
  if (!names.empty()) info.class_names = std::move(names);

  const int64_t label_bytes = ten ? 1 : 2, classes = static_cast<int64_t>(info.class_names.size());
  std::vector<Part> parts;
  int64_t count = 0;
  for (const auto& file : files) {
    parts.push_back(find_part(root, file, label_bytes + kPixels));
    count += parts.back().records;
  }
  Tensor pixels = empty({count, 3, 32, 32}, Dtype::u8, "cifar"), labels = empty({count}, Dtype::i64, "cifar");
  int64_t done = 0;
  for (const Part& part : parts) {
    read_part(part, label_bytes, classes, pixels.mutable_data<uint8_t>() + done * kPixels,
              labels.mutable_data<int64_t>() + done);
    done += part.records;
  }
  return std::make_shared<MemoryDataset>(std::move(info), pixels, labels);
}

}  // namespace vitrail
