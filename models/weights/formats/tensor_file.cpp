#include "models/weights/formats/tensor_file.h"

#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/zip.h"
#include "models/weights/formats/file_kind.h"
#include "models/weights/formats/npz.h"
#include "models/weights/formats/shards.h"
#include "models/weights/formats/torch_file.h"
#include "models/weights/formats/weights_folder.h"
#include "tensor/safetensors.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOp = "weights";

// Only torch files hold several sets of weights.
void check_one_part(const ByteSource& source, const TensorFileOptions& options) {
  check(options.weights.empty() || options.weights == "model", ErrorKind::kValue, kOp, source.name,
        ": the file holds one set of weights, not ", quote(options.weights), ". Hint: leave the choice of weights out.");
}

TensorFile read_safetensors_file(const ByteSource& source, const TensorFileOptions& options) {
  check_one_part(source, options);
  TensorFile file;
  file.format = "safetensors";
  for (const SafetensorsEntry& e : read_safetensors_info(source).entries) file.stored.push_back({e.name, e.type, e.shape});
  SafetensorsFile content = load_safetensors(source);
  file.metadata = std::move(content.metadata);
  file.tensors = std::move(content.tensors);
  return file;
}

TensorFile read_archive(const ByteSource& source, const TensorFileOptions& options) {
  const ZipArchive archive(source);
  if (is_torch_archive(archive)) return read_torch_archive(archive, options);
  std::vector<std::string> names;
  for (const ZipEntry& entry : archive.entries()) names.push_back(entry.name);
  check(is_npz(archive), ErrorKind::kData, kOp, source.name, ": a ZIP archive of ", listed(names),
        ": neither a torch file nor an .npz of NumPy arrays");
  check_one_part(source, options);
  return read_npz(archive);
}

TensorFile read_single(const ByteSource& source, FileKind kind, const TensorFileOptions& options) {
  switch (kind) {
    case FileKind::kSafetensors: return read_safetensors_file(source, options);
    case FileKind::kZip: return read_archive(source, options);
    case FileKind::kPickle: return read_torch_legacy(source, options);
    default: fail(ErrorKind::kData, kOp, source.name, ": a shard must be a file of weights, not another index");
  }
}

void check_complete(const ByteSource& index, const ShardIndex& shards, const std::string& shard,
                    const std::vector<StoredTensor>& stored) {
  std::set<std::string> there;
  for (const StoredTensor& tensor : stored) there.insert(tensor.name);
  for (const auto& [tensor, file] : shards.file_of)
    check(file != shard || there.count(tensor) == 1, ErrorKind::kData, kOp, index.name, ": tensor ", escaped(tensor),
          " should be in ", escaped(shard), ", but is not");
}

// Puts the tensors of one shard behind those that were read before.
void append(const ByteSource& index, TensorFile shard, std::set<std::string>& names, TensorFile& all) {
  for (const StoredTensor& tensor : shard.stored)
    check(names.insert(tensor.name).second, ErrorKind::kData, kOp, index.name, ": tensor ", escaped(tensor.name),
          " stands in two shards");
  std::move(shard.stored.begin(), shard.stored.end(), std::back_inserter(all.stored));
  std::move(shard.tensors.begin(), shard.tensors.end(), std::back_inserter(all.tensors));
  if (all.metadata.empty()) all.metadata = std::move(shard.metadata);
}

TensorFile read_shards(const std::string& path, const ByteSource& source, const TensorFileOptions& options) {
  const ShardIndex shards = read_shard_index(source);
  TensorFile all;
  std::set<std::string> names;
  for (const std::string& name : shards.files) {
    const std::string shard_path = (fs::path(path).parent_path() / name).string();
    std::error_code ignored;
    check(fs::exists(shard_path, ignored), ErrorKind::kIo, kOp, source.name, ": the shard ", escaped(name),
          " is missing. Hint: download all of its ", shards.files.size(), " files.");
    const InputFile input(shard_path);
    const ByteSource shard_source = source_of(input);
    TensorFile shard = read_single(shard_source, recognise_file(shard_source), options);
    check_complete(source, shards, name, shard.stored);
    all.format = shard.format + " in " + std::to_string(shards.files.size()) + " files";
    append(source, std::move(shard), names, all);
  }
  return all;
}

}  // namespace

TensorFile read_tensor_file(const std::string& path, const TensorFileOptions& options) {
  std::error_code ignored;  // a path that cannot be inspected fails in the open below, with the system's reason
  const std::string file_path = fs::is_directory(path, ignored) ? weights_file_of(path) : path;
  const InputFile input(file_path);
  const ByteSource source = source_of(input);
  const FileKind kind = recognise_file(source);
  TensorFile file =
      kind == FileKind::kShardIndex ? read_shards(file_path, source, options) : read_single(source, kind, options);
  file.file = file_path;
  return file;
}

}  // namespace vitrail
