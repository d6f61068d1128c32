#include "cli/picture_index.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <span>

#include "base/crc32c.h"
#include "base/text.h"
#include "cli/pictures.h"
#include "data/sets/content_hash.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "train/probe/neighbours.h"

namespace vitrail::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKey = "vitrail_picture_index";  // in the header; its value is the fingerprint

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Size and time of a file; zeros if it is gone: reading it will say so.
IndexedFile look_at(const std::string& folder, const std::string& path) {
  struct stat about {};
  IndexedFile file{fs::path(path).lexically_relative(folder).string(), 0, 0};
  if (stat(path.c_str(), &about) != 0) return file;
  file.bytes = about.st_size;
  file.modified = static_cast<int64_t>(about.st_mtim.tv_sec) * 1'000'000'000 + about.st_mtim.tv_nsec;
  return file;
}

// Paths one after another, each ended by a zero byte: names of files may hold any other.
Tensor paths_tensor(const std::vector<IndexedFile>& files) {
  std::vector<uint8_t> bytes;
  for (const IndexedFile& file : files) {
    bytes.insert(bytes.end(), file.path.begin(), file.path.end());
    bytes.push_back(0);
  }
  return from_vector(bytes, {static_cast<int64_t>(bytes.size())});
}

std::vector<std::string> paths_of(const Tensor& bytes) {
  std::vector<std::string> paths(1);
  for (const uint8_t byte : to_vector<uint8_t>(bytes)) {
    if (byte == 0) {
      paths.emplace_back();
    } else {
      paths.back().push_back(static_cast<char>(byte));
    }
  }
  paths.pop_back();
  return paths;
}

const Tensor* tensor_named(const SafetensorsFile& file, const char* name) {
  for (const auto& [key, tensor] : file.tensors)
    if (key == name) return &tensor;
  return nullptr;
}

}  // namespace

std::string fingerprint(const LoadedModel& loaded) {
  std::string text = loaded.model->config_json() + preprocessing_to_json(loaded.card.preprocessing);
  for (const auto& [name, tensor] : loaded.model->state_dict()) {
    const Tensor values = contiguous(tensor);
    const auto* first = static_cast<const uint8_t*>(values.storage()->data()) + values.offset() * size_of(values.dtype());
    text += cat(name, values.shape(), crc32c({first, static_cast<size_t>(values.numel() * size_of(values.dtype()))}));
  }
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(content_hash(bytes_of(text))));
  return digits;
}

PictureIndex read_index(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return {};
  const SafetensorsFile file = load_safetensors(path);
  const auto own =
      std::find_if(file.metadata.begin(), file.metadata.end(), [](const auto& entry) { return entry.first == kKey; });
  const Tensor *features = tensor_named(file, "features"), *paths = tensor_named(file, "paths"),
               *bytes = tensor_named(file, "bytes"), *modified = tensor_named(file, "modified");
  check(own != file.metadata.end() && features && paths && bytes && modified && features->dim() == 2 &&
            features->dtype() == Dtype::f32 && paths->dtype() == Dtype::u8 && bytes->dtype() == Dtype::i64 &&
            modified->dtype() == Dtype::i64,
        ErrorKind::kData, "similar", escaped_path(path),
        ": this is no index of pictures. Hint: another --index, or remove the file.");
  const std::vector<std::string> names = paths_of(*paths);
  const auto count = static_cast<int64_t>(names.size());
  check(features->size(0) == count && bytes->numel() == count && modified->numel() == count, ErrorKind::kData, "similar",
        escaped_path(path), ": the index has ", count, " paths and features ", features->shape(),
        ". Hint: remove the file; it is made again.");
  PictureIndex index{own->second, {}, *features};
  for (int64_t i = 0; i < count; ++i)
    index.files.push_back({names[static_cast<size_t>(i)], bytes->data<int64_t>()[i], modified->data<int64_t>()[i]});
  return index;
}

void write_index(const std::string& path, const PictureIndex& index) {
  std::vector<int64_t> bytes, modified;
  for (const IndexedFile& entry : index.files) bytes.push_back(entry.bytes), modified.push_back(entry.modified);
  const auto count = static_cast<int64_t>(index.files.size());
  SafetensorsFile file;
  file.tensors = {{"features", index.features},
                  {"paths", paths_tensor(index.files)},
                  {"bytes", from_vector(bytes, {count})},
                  {"modified", from_vector(modified, {count})}};
  file.metadata.emplace_back(kKey, index.model);
  save_safetensors(path, file);
}

PictureIndex index_folder(const LoadedModel& loaded, const std::string& folder, const PictureIndex& known, int64_t& computed) {
  PictureIndex index{fingerprint(loaded), {}, {}};
  std::map<std::string, int64_t> row_of;
  if (known.model == index.model)
    for (size_t i = 0; i < known.files.size(); ++i) row_of[known.files[i].path] = static_cast<int64_t>(i);
  std::vector<std::string> fresh;  // to be computed
  std::vector<Tensor> kept;
  std::vector<IndexedFile> fresh_files;
  for (const std::string& path : pictures_in("similar", folder)) {
    IndexedFile file = look_at(folder, path);
    const auto row = row_of.find(file.path);
    if (row != row_of.end() && known.files[static_cast<size_t>(row->second)] == file) {
      kept.push_back(slice(known.features, 0, row->second, row->second + 1));
      index.files.push_back(std::move(file));
    } else {
      fresh.push_back(path);
      fresh_files.push_back(std::move(file));
    }
  }
  computed = 0;
  if (!fresh.empty()) {
    std::vector<ReadPicture> skipped;
    const Tensor features = features_of_files(*loaded.model, fresh, loaded.card.preprocessing, &skipped);
    size_t next = 0;
    for (size_t i = 0; i < fresh.size(); ++i) {
      if (next < skipped.size() && skipped[next].file == fresh[i]) {
        complain(cat("left out: ", skipped[next++].error->what()));
        continue;
      }
      index.files.push_back(std::move(fresh_files[i]));
      ++computed;
    }
    if (computed > 0) kept.push_back(unit_rows(features));
  }
  check(!kept.empty(), ErrorKind::kData, "similar", escaped_path(folder), ": none of the pictures can be read.");
  index.features = concat(kept, 0);
  return index;
}

}  // namespace vitrail::cli
