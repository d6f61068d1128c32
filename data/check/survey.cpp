#include "data/check/survey.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "data/image/image.h"
#include "data/sets/content_hash.h"
#include "tensor/machine/parallel.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr int64_t kAtOnce = 1024;  // pictures between two calls of progress
constexpr int64_t kMostBytes = int64_t{1} << 30;

// The picture as it is in its file, in its own channels, and the hash of its content.
Tensor open_picture(const Dataset& data, const FileDataset* files, int64_t index, uint64_t& hash) {
  if (files) {
    const std::string& path = files->files()[static_cast<size_t>(index)].path;
    const std::vector<uint8_t> bytes = read_file(path, kMostBytes);
    hash = content_hash(bytes);
    return decode_image(bytes, path);
  }
  const Tensor image = contiguous(data.sample(index).image);
  hash = content_hash({image.data<uint8_t>(), static_cast<size_t>(image.numel())});
  return image;
}

void look_at(const Dataset& data, const FileDataset* files, SurveyedPicture& picture) {
  picture.labels = data.labels(picture.index);
  picture.name = data.sample_name(picture.index);
  try {
    const Tensor image = open_picture(data, files, picture.index, picture.hash);
    picture.facts = facts_of(image);
    picture.look = look_of(image);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kMemory) throw;
    picture.error = error.what();
    picture.absent = error.kind() == ErrorKind::kIo;
  }
}

void look_at_part(Survey& s, size_t part, const Dataset& data, const DataProgress& progress) {
  const auto* files = dynamic_cast<const FileDataset*>(&data);
  const size_t start = s.pictures.size();
  s.pictures.resize(start + static_cast<size_t>(data.size()));
  for (int64_t begin = 0; begin < data.size(); begin += kAtOnce) {
    if (progress) progress("looking at pictures", begin, data.size());
    parallel_for(std::min(kAtOnce, data.size() - begin), 2, [&](int64_t from, int64_t to) {
      for (int64_t i = begin + from; i < begin + to; ++i) {
        SurveyedPicture& picture = s.pictures[start + static_cast<size_t>(i)];
        picture.part = part, picture.index = i;
        look_at(data, files, picture);
      }
    });
  }
}

void count_picture(Survey& s, int64_t number) {
  const SurveyedPicture& p = s.pictures[static_cast<size_t>(number)];
  if (!p.error.empty()) {
    s.bad.push_back(number);
    return;
  }
  for (const int64_t c : p.labels) ++s.counts[p.part][static_cast<size_t>(c)];
  ++s.sizes[{p.facts.width, p.facts.height}];
  ++(p.facts.width > p.facts.height ? s.landscape : p.facts.width < p.facts.height ? s.portrait : s.square);
  ++(p.facts.channels == 1 ? s.grey : p.facts.grey ? s.grey_in_colour : s.colour);
  if (p.facts.one_colour) s.one_colour.push_back(number);
}

DuplicateGroup group_of(const Survey& s, std::vector<int64_t> numbers) {
  DuplicateGroup group{std::move(numbers), false, false};
  const SurveyedPicture& first = s.pictures[static_cast<size_t>(group.pictures.front())];
  for (const int64_t number : group.pictures) {
    const SurveyedPicture& p = s.pictures[static_cast<size_t>(number)];
    group.across_parts = group.across_parts || p.part != first.part;
    group.across_labels = group.across_labels || p.labels != first.labels;
  }
  return group;
}

bool all_equal(const Survey& s, const std::vector<int64_t>& numbers) {
  const uint64_t hash = s.pictures[static_cast<size_t>(numbers.front())].hash;
  return std::all_of(numbers.begin(), numbers.end(),
                     [&](int64_t i) { return s.pictures[static_cast<size_t>(i)].hash == hash; });
}

// Groups of equal files, then groups of pictures that look alike. Pictures of one colour all look alike, and are reported as
// such.
void find_duplicates(Survey& s) {
  std::vector<std::pair<int64_t, int64_t>> equal, alike;
  std::map<uint64_t, int64_t> first_with;
  std::vector<int64_t> numbers;  // of the pictures whose looks are compared: one of each content
  std::vector<uint64_t> hashes;
  const auto count = static_cast<int64_t>(s.pictures.size());
  for (int64_t i = 0; i < count; ++i) {
    const SurveyedPicture& p = s.pictures[static_cast<size_t>(i)];
    if (!p.error.empty()) continue;
    const auto known = first_with.emplace(p.hash, i);
    if (!known.second) {
      equal.push_back({known.first->second, i});
      continue;
    }
    if (p.facts.one_colour) continue;
    numbers.push_back(i);
    hashes.push_back(p.look.hash);
  }
  for (const auto& pair : near_hashes(hashes)) {
    const int64_t a = numbers[static_cast<size_t>(pair.first)], b = numbers[static_cast<size_t>(pair.second)];
    if (look_alike(s.pictures[static_cast<size_t>(a)].look, s.pictures[static_cast<size_t>(b)].look)) alike.push_back({a, b});
  }
  for (auto& group : groups_of(count, equal)) s.equal.push_back(group_of(s, std::move(group)));
  alike.insert(alike.end(), equal.begin(), equal.end());  // copies belong to the group of their original
  for (auto& group : groups_of(count, alike))
    if (!all_equal(s, group)) s.alike.push_back(group_of(s, std::move(group)));
}

}  // namespace

double Survey::imbalance() const {
  if (counts.empty() || counts[0].empty()) return 1;
  const auto [least, most] = std::minmax_element(counts[0].begin(), counts[0].end());
  return *least == 0 ? 0 : static_cast<double>(*most) / static_cast<double>(*least);
}

bool Survey::only_absent() const {
  return problems.empty() && !bad.empty() &&
         std::all_of(bad.begin(), bad.end(), [&](int64_t number) { return pictures[static_cast<size_t>(number)].absent; });
}

Survey survey(const DatasetSource& source, const DataProgress& progress) {
  Survey s;
  s.name = source.name, s.parts = source.parts, s.notes = source.notes, s.problems = source.problems;
  for (size_t part = 0; part < s.parts.size(); ++part) {
    const DatasetPtr data = source.open(s.parts[part]);
    s.class_names = data->class_names();
    s.multi_label = data->info().multi_label;
    look_at_part(s, part, *data, progress);
  }
  s.counts.assign(s.parts.size(), std::vector<int64_t>(s.class_names.size()));
  for (size_t i = 0; i < s.pictures.size(); ++i) count_picture(s, static_cast<int64_t>(i));
  std::vector<PictureFacts> training;
  for (const SurveyedPicture& p : s.pictures)
    if (p.part == 0) training.push_back(p.facts);
  s.statistics = statistics_of(training, s.colour > 0 ? 3 : 1);
  find_duplicates(s);
  return s;
}

}  // namespace vitrail
