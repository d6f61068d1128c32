#include "models/weights/formats/weights_folder.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {
namespace {

namespace fs = std::filesystem;

// What libraries call the weights of a folder; safetensors first, whole files before sharded ones.
constexpr const char* kKnownNames[] = {"model.safetensors", "model.safetensors.index.json", "open_clip_model.safetensors",
                                       "pytorch_model.bin", "pytorch_model.bin.index.json", "open_clip_pytorch_model.bin"};
constexpr const char* kOtherEndings[] = {".npz", ".pt", ".pth", ".pth.tar", ".bin"};

std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) names.push_back(entry->path().filename().string());
  }
  check(!error, ErrorKind::kIo, "weights", "cannot read the folder ", escaped_path(folder), ": ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::string path_in(const std::string& folder, const std::string& name) { return (fs::path(folder) / name).string(); }

// The only one of `candidates`, "" if there is none.
std::string only_one(const std::string& folder, const std::vector<std::string>& candidates) {
  if (candidates.empty()) return "";
  check(candidates.size() == 1, ErrorKind::kValue, "weights", escaped_path(folder), " holds ", candidates.size(),
        " files of weights: ", listed(candidates), ". Hint: name the file.");
  return path_in(folder, candidates[0]);
}

}  // namespace

std::string weights_file_of(const std::string& folder) {
  const std::vector<std::string> names = files_of(folder);
  for (const char* known : kKnownNames)
    if (std::binary_search(names.begin(), names.end(), known)) return path_in(folder, known);
  std::vector<std::string> safetensors, others;
  for (const std::string& name : names) {
    if (name.ends_with(".safetensors")) safetensors.push_back(name);
    if (std::ranges::any_of(kOtherEndings, [&](const char* ending) { return name.ends_with(ending); })) others.push_back(name);
  }
  const std::string first = only_one(folder, safetensors), second = first.empty() ? only_one(folder, others) : "";
  check(!first.empty() || !second.empty(), ErrorKind::kValue, "weights", escaped_path(folder),
        " holds no weights: neither model.safetensors nor another *.safetensors, *.npz, *.pt, *.pth or *.bin.");
  return first.empty() ? second : first;
}

}  // namespace vitrail
