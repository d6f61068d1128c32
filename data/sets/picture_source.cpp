// From a list of files to a data set: which files, which parts, which size, which statistics.
#include <algorithm>
#include <cmath>
#include <memory>

#include "base/text.h"
#include "data/sets/content_split.h"
#include "data/sets/picture_facts.h"
#include "data/sets/source.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

constexpr int64_t kMeasured = 2000;    // training pictures that statistics are measured on
constexpr int64_t kLargestSame = 256;  // pixels a side up to which pictures of one size are taken as they are
constexpr int64_t kUsualSide = 224;    // of the field's models
constexpr int64_t kLargestSide = 16384;

using Files = std::vector<PictureFile>;

// Leaves out the files that cannot be read, and forgets their scans.
void leave_out_bad(Files& files, std::vector<FileScan>& scans, std::vector<BadImage>& bad) {
  size_t kept = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!scans[i].error.empty()) {
      bad.push_back({files[i].path, scans[i].error});
      continue;
    }
    if (kept != i) files[kept] = std::move(files[i]), scans[kept] = scans[i];
    ++kept;
  }
  files.resize(kept), scans.resize(kept);
}

void check_classes_left(const PictureList& list, const Files& files, const char* part) {
  if (list.multi_label) return;  // a class may be on no picture
  std::vector<int64_t> counts(list.class_names.size());
  for (const PictureFile& file : files) ++counts[static_cast<size_t>(file.label)];
  for (size_t c = 0; c < counts.size(); ++c)
    check(counts[c] > 0, ErrorKind::kData, "data", escaped(list.name), ": no picture of class ", quote(list.class_names[c]),
          " can be read in the part for ", part, ".");
}

void split_off(PictureList& list, const std::vector<FileScan>& scans, double fraction) {
  std::vector<uint64_t> hashes;
  for (const FileScan& scan : scans) hashes.push_back(scan.hash);
  SplitFiles split = split_by_content(list.train, hashes, fraction);
  list.notes.push_back(cat("no validation part: ", split.validation.size(), " of ", list.train.size(),
                           " pictures are held out for it, chosen by a hash of their content, from each class alike"));
  list.train = std::move(split.train);
  list.validation = std::move(split.validation);
}

// Which pictures are in which part is decided here, before an order of them is drawn.
void settle_files(PictureList& list, const DatasetOptions& options, std::vector<BadImage>& bad) {
  const bool skip = options.bad_images == BadImages::kSkip, split = list.validation.empty() && list.test.empty();
  std::vector<FileScan> scans;
  if (skip || split) scans = scan_files(list.train, skip, skip || options.collect_problems, options.progress);
  if (skip) {
    leave_out_bad(list.train, scans, bad);
    check_classes_left(list, list.train, "training");
    for (Files* part : {&list.validation, &list.test}) {
      std::vector<FileScan> others = scan_files(*part, true, true, options.progress);
      const bool held = !part->empty();
      leave_out_bad(*part, others, bad);
      check(!held || !part->empty(), ErrorKind::kData, "data", escaped(list.name),
            ": none of the pictures to test on can be read.");
    }
  }
  if (split) split_off(list, scans, options.validation_fraction);
}

// `count` of them, evenly spread; all if there are fewer.
Files spread(const Files& files, int64_t count) {
  const auto size = static_cast<int64_t>(files.size());
  if (count >= size) return files;
  Files result;
  for (int64_t i = 0; i < count; ++i) result.push_back(files[static_cast<size_t>(i * size / count)]);
  return result;
}

std::vector<PictureFacts> measure(const Files& files, bool collect_problems) {
  std::vector<PictureFacts> facts(files.size());
  parallel_for(static_cast<int64_t>(files.size()), 2, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      try {
        facts[i] = facts_of(read_picture(files[i].path));
      } catch (const Error& error) {
        if (!collect_problems || error.kind() == ErrorKind::kMemory) throw;
      }
    }
  });
  return facts;
}

// The size that a model gets its pictures in: said, since it was concluded.
void choose_size(DatasetInfo& info, const std::vector<PictureFacts>& facts, int64_t wanted, std::vector<std::string>& notes) {
  const auto differs = [&](const PictureFacts& f) {
    return f.channels > 0 && (f.height != facts.front().height || f.width != facts.front().width);
  };
  const bool one_size = !facts.empty() && facts.front().channels > 0 && std::none_of(facts.begin(), facts.end(), differs);
  const bool small = one_size && std::max(facts.front().height, facts.front().width) <= kLargestSame;
  info.height = wanted > 0 ? wanted : small ? facts.front().height : kUsualSide;
  info.width = wanted > 0 ? wanted : small ? facts.front().width : kUsualSide;
  if (small && wanted == 0) return;
  notes.push_back(cat("pictures of ", one_size ? cat(facts.front().width, " x ", facts.front().height) : "different sizes",
                      " are brought to ", info.width, " x ", info.height, wanted > 0 ? "" : " (--image-size)"));
}

DatasetInfo info_of(PictureList& list, const DatasetOptions& options) {
  const Files sample = spread(list.train, kMeasured);
  const std::vector<PictureFacts> facts = measure(sample, options.collect_problems);
  const auto coloured = [](const PictureFacts& f) { return f.channels == 3; };
  DatasetInfo info{.name = list.name, .class_names = list.class_names, .mean = {}, .std = {}, .mirror_keeps_class = true};
  info.multi_label = list.multi_label;
  info.channels = std::any_of(facts.begin(), facts.end(), coloured) ? 3 : 1;
  choose_size(info, facts, options.image_size, list.notes);
  if (options.mean_std == MeanStd::kImagenet) {
    info.channels = 3;  // the statistics are those of colours
    info.mean = {0.485, 0.456, 0.406};
    info.std = {0.229, 0.224, 0.225};
  } else {
    ChannelStatistics statistics = statistics_of(facts, info.channels);
    info.mean = std::move(statistics.mean), info.std = std::move(statistics.std);
  }
  return info;
}

}  // namespace

DatasetSource open_pictures(PictureList list, const DatasetOptions& options) {
  check(options.image_size >= 0 && options.image_size <= kLargestSide, ErrorKind::kValue, "data", "image_size must be in [0, ",
        kLargestSide, "]: it is ", options.image_size);
  check(options.limit >= 0, ErrorKind::kValue, "data", "limit must not be negative: it is ", options.limit);
  DatasetSource source;
  settle_files(list, options, source.bad);
  const DatasetInfo info = info_of(list, options);
  source.name = list.name;
  source.notes = list.notes;
  source.problems = list.problems;
  const std::string nothing_held_out =
      list.validation.empty() && list.test.empty()
          ? cat(escaped(list.name), ": no picture could be held out for validation: there are ", list.train.size(),
                ", and equal ones stay together. Hint: more pictures of each class, or a folder val/ beside train/.")
          : "";
  if (options.collect_problems && !nothing_held_out.empty()) source.problems.push_back(nothing_held_out);
  source.parts = {Split::kTrain};
  if (!list.validation.empty()) source.parts.push_back(Split::kValidation);
  if (!list.test.empty()) source.parts.push_back(Split::kTest);
  const auto files = std::make_shared<const PictureList>(std::move(list));
  source.open = [files, info, nothing_held_out, limit = options.limit, decode = options.decode](Split split) -> DatasetPtr {
    check(split == Split::kTrain || nothing_held_out.empty(), ErrorKind::kData, "data", nothing_held_out);
    const bool validation = (split == Split::kValidation && !files->validation.empty()) || files->test.empty();
    const Files& part = split == Split::kTrain ? files->train : validation ? files->validation : files->test;
    DatasetInfo of_part = info;
    of_part.part = split == Split::kTrain ? Split::kTrain : validation ? Split::kValidation : Split::kTest;
    return std::make_shared<FileDataset>(std::move(of_part), limit > 0 ? spread(part, limit) : part, decode);
  };
  return source;
}

}  // namespace vitrail
