#include "data/sets/content_split.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>

#include "tensor/rng.h"

namespace vitrail {
namespace {

constexpr uint64_t kSplitStream = 21;

// A key whose order has nothing to do with the content: neighbouring hashes of similar files are torn apart.
uint64_t mixed(uint64_t hash) {
  const auto words = Rng(hash, kSplitStream).block(0);
  return static_cast<uint64_t>(words[0]) << 32 | words[1];
}

// A content of a class: its key and hash, and how many files have it.
using Contents = std::map<std::pair<uint64_t, uint64_t>, int64_t>;

// Decides for the contents of one class that no class before it has.
void hold_out(const Contents& contents, double fraction, std::map<uint64_t, bool>& held_out) {
  int64_t members = 0, taken = 0;
  uint64_t fewest_hash = 0;
  int64_t fewest = INT64_MAX, open = 0;
  for (const auto& content : contents) {
    members += content.second;
    const auto known = held_out.find(content.first.second);
    if (known != held_out.end()) {
      taken += known->second ? content.second : 0;
      continue;
    }
    ++open;
    if (content.second < fewest) fewest = content.second, fewest_hash = content.first.second;
  }
  const int64_t wanted = std::max<int64_t>(1, std::llround(fraction * static_cast<double>(members)));
  for (const auto& content : contents) {
    if (held_out.contains(content.first.second)) continue;
    const bool out = contents.size() >= 2 && taken + content.second <= wanted && open > 1;
    held_out[content.first.second] = out;
    if (out) taken += content.second, --open;
  }
  if (taken == 0 && open >= 2) held_out[fewest_hash] = true;  // of many copies each
}

// Of each file the class under which it is split: its own, or in a multi-label set the rarest of its classes; -1: it has none.
std::vector<int64_t> groups_of(const std::vector<PictureFile>& files) {
  std::map<int64_t, int64_t> counts;
  for (const PictureFile& file : files)
    for (const int64_t label : file.labels) ++counts[label];
  std::vector<int64_t> groups;
  for (const PictureFile& file : files) {
    int64_t group = file.label;
    for (const int64_t label : file.labels)
      if (group < 0 || counts[label] < counts[group]) group = label;
    groups.push_back(group);
  }
  return groups;
}

}  // namespace

SplitFiles split_by_content(const std::vector<PictureFile>& files, const std::vector<uint64_t>& hashes, double fraction) {
  check(fraction > 0 && fraction < 1, ErrorKind::kValue, "data", "the part for validation must be in (0, 1): it is ", fraction);
  std::map<int64_t, Contents> classes;
  const std::vector<int64_t> groups = groups_of(files);
  for (size_t i = 0; i < files.size(); ++i) ++classes[groups[i]][{mixed(hashes[i]), hashes[i]}];
  std::map<uint64_t, bool> held_out;
  for (const auto& entry : classes) hold_out(entry.second, fraction, held_out);
  SplitFiles result;
  for (size_t i = 0; i < files.size(); ++i) (held_out.at(hashes[i]) ? result.validation : result.train).push_back(files[i]);
  return result;
}

}  // namespace vitrail
