#include "data/sets/picture_files.h"

#include <algorithm>
#include <string_view>

#include "base/file.h"
#include "base/natural_order.h"
#include "base/text.h"
#include "data/sets/content_hash.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

constexpr int64_t kFileGrain = 2;       // files per thread: to open and decode one takes 100 microseconds and more
constexpr int64_t kFilesAtOnce = 1024;  // between two calls of progress
constexpr size_t kWholeName = 1 << 16;  // bytes: more than any file system allows
constexpr int64_t kMostBytes = int64_t{1} << 30;

FileScan scan_file(const std::string& path, bool decode, bool collect) {
  FileScan scan;
  try {
    const std::vector<uint8_t> bytes = read_file(path, kMostBytes);
    scan.hash = content_hash(bytes);
    if (decode) decode_image(bytes, path);
  } catch (const Error& error) {
    if (!collect || error.kind() == ErrorKind::kMemory) throw;
    scan.error = error.what();
  }
  return scan;
}

}  // namespace

void refuse(PictureList& list, bool collect, const std::string& message) {
  check(collect, ErrorKind::kData, "data", message);
  list.problems.push_back(message);
}

std::string class_name_of(const std::string& name) { return is_utf8(name) ? name : escaped(name, kWholeName); }

std::vector<std::string> ordered_classes(std::vector<std::string> names, std::vector<std::string>& notes) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const std::vector<std::string> by_bytes = names;
  std::sort(names.begin(), names.end(), natural_less);
  const auto [ours, theirs] = std::mismatch(names.begin(), names.end(), by_bytes.begin());
  if (ours != names.end())
    notes.push_back(cat("classes are numbered in natural order: class ", ours - names.begin(), " is ", quote(*ours),
                        "; programs that sort by bytes give this number to ", quote(*theirs)));
  return names;
}

std::vector<FileScan> scan_files(const std::vector<PictureFile>& files, bool decode, bool collect,
                                 const DataProgress& progress) {
  const auto count = static_cast<int64_t>(files.size());
  std::vector<FileScan> scans(files.size());
  for (int64_t begin = 0; begin < count; begin += kFilesAtOnce) {
    if (progress) progress(decode ? "checking pictures" : "reading pictures", begin, count);
    parallel_for(std::min(kFilesAtOnce, count - begin), kFileGrain, [&](int64_t from, int64_t to) {
      for (int64_t i = begin + from; i < begin + to; ++i) scans[i] = scan_file(files[i].path, decode, collect);
    });
  }
  return scans;
}

Tensor read_picture(const std::string& path, const DecodeOptions& decode) {
  try {
    return read_image(path, decode);
  } catch (const Error& error) {
    const std::string_view message = error.what();
    if (error.kind() != ErrorKind::kData || message.find(" Hint: ") != std::string_view::npos) throw;
    throw Error(ErrorKind::kData, cat(message, message.ends_with('.') ? "" : ".",
                                      " Hint: --bad-image skip leaves such pictures out; vitrail data-check lists them."));
  }
}

FileDataset::FileDataset(DatasetInfo info, std::vector<PictureFile> files, DecodeOptions decode)
    : Dataset(std::move(info)), files_(std::move(files)), decode_(decode) {
  const auto keep = [&](const PictureFile& file, int64_t label) {
    check(label >= 0 && label < num_classes(), ErrorKind::kValue, "dataset", escaped_path(file.path), ": label ", label,
          " is out of range: there are ", num_classes(), " classes");
  };
  for (const PictureFile& file : files_) {
    if (!this->info().multi_label) keep(file, file.label);
    for (const int64_t label : file.labels) keep(file, label);
  }
}

Sample FileDataset::sample(int64_t index) const {
  check_index(index);
  const PictureFile& file = files_[index];
  Sample sample{convert_channels(read_picture(file.path, decode_), channels()), file.label};
  if (info().multi_label) sample.target = several(file.labels, num_classes());
  return sample;
}

int64_t FileDataset::label(int64_t index) const {
  check_index(index);
  return files_[index].label;
}

std::vector<int64_t> FileDataset::labels(int64_t index) const {
  check_index(index);
  return info().multi_label ? files_[index].labels : std::vector<int64_t>{files_[index].label};
}

std::string FileDataset::sample_name(int64_t index) const {
  check_index(index);
  return files_[index].path;
}

}  // namespace vitrail
