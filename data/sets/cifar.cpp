#include "data/sets/cifar.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/file.h"

namespace vitrail {
namespace {

constexpr int64_t kPixels = 3 * 32 * 32;

namespace fs = std::filesystem;

// The folder itself, or the sub-folder that the archive unpacks to.
fs::path find_folder(const std::string& folder, const char* usual, const char* probe) {
  std::error_code ignored;
  check(fs::is_directory(folder, ignored), ErrorKind::kIo, "data", escaped(folder), ": there is no such folder");
  const fs::path direct(folder);
  return !fs::exists(direct / probe, ignored) && fs::is_directory(direct / usual, ignored) ? direct / usual : direct;
}

// The lines of a name file, or nothing if there is no such file.
std::vector<std::string> read_names(const fs::path& path, size_t classes) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  std::istringstream text(read_text_file(path.string(), 1 << 20));
  std::vector<std::string> names;
  for (std::string line; std::getline(text, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) names.push_back(escaped(line));
  }
  check(names.size() == classes, ErrorKind::kData, "cifar", escaped(path.string()), ": it names ", names.size(),
        " classes, there are ", classes);
  return names;
}

struct Records {
  std::vector<uint8_t> pixels;
  std::vector<int64_t> labels;
};

// Appends the records of one file: `label_bytes` labels, of which the last counts, then the pixels.
void append_records(const fs::path& path, int64_t label_bytes, int64_t classes, Records& records) {
  const std::string file = escaped(path.string());
  std::error_code ignored;
  check(fs::exists(path, ignored), ErrorKind::kIo, "cifar", file, ": this file of the set is missing");
  const std::vector<uint8_t> bytes = read_file(path.string());
  const auto size = static_cast<int64_t>(bytes.size());
  const int64_t record = label_bytes + kPixels;
  check(size > 0 && size % record == 0, ErrorKind::kData, "cifar", file, ": the size must be a multiple of ", record,
        " bytes (one record): it is ", size, ", ", size % record, " too many");
  for (int64_t at = 0; at < size; at += record) {
    const int64_t label = bytes[at + label_bytes - 1];
    check(label < classes, ErrorKind::kData, "cifar", file, ": label ", label, " of image ", at / record,
          " is out of range: there are ", classes, " classes");
    records.labels.push_back(label);
    records.pixels.insert(records.pixels.end(), bytes.begin() + at + label_bytes, bytes.begin() + at + record);
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
  const fs::path root = find_folder(folder, ten ? "cifar-10-batches-bin" : "cifar-100-binary", files[0].c_str());
  auto names = read_names(root / (ten ? "batches.meta.txt" : "fine_label_names.txt"), info.class_names.size());
  if (!names.empty()) info.class_names = std::move(names);

  Records records;
  for (const auto& file : files)
    append_records(root / file, ten ? 1 : 2, static_cast<int64_t>(info.class_names.size()), records);
  const auto count = static_cast<int64_t>(records.labels.size());
  return std::make_shared<MemoryDataset>(std::move(info), from_vector(records.pixels, {count, 3, 32, 32}),
                                         from_vector(records.labels, {count}));
}

}  // namespace vitrail
