#include "cli/data_options.h"

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/text.h"

namespace vitrail::cli {

const char* const kDataHelp =
    "A folder of class folders, a list (.csv, .jsonl), a folder of MNIST's family or CIFAR; or glyphs, drawn-digits, "
    "drawn-letters, scenes";

void add_data_flags(Command& command, DataFlags& flags) {
  command.option("--image-size", flags.image_size, "Side of the model's input for folders and lists (their own, else 224)", 0,
                 16384);
  command.option("--bad-image", flags.bad_image,
                 "Pictures that cannot be read: stop, or skip: leave them out, named and counted (stop)");
  command.option("--mean-std", flags.mean_std, "Of folders and lists: measured, or imagenet (measured)");
  add_labels_flag(command, flags);
}

void add_labels_flag(Command& command, DataFlags& flags) {
  command.option("--labels", flags.labels,
                 "Of lists: auto, one or several per picture; auto: several where ; or | stands between them (auto)");
}

DatasetPtr limited(const DatasetPtr& set, int64_t n) { return set->reads_files() ? spread_n(set, n) : first_n(set, n); }

DatasetOptions dataset_options(const DataFlags& flags, bool quiet) {
  check(flags.bad_image == "stop" || flags.bad_image == "skip", ErrorKind::kValue, "data",
        "--bad-image must be stop or skip: it is ", quote(flags.bad_image), ".");
  check(flags.mean_std == "measured" || flags.mean_std == "imagenet", ErrorKind::kValue, "data",
        "--mean-std must be measured or imagenet: it is ", quote(flags.mean_std), ".");
  check(flags.labels == "auto" || flags.labels == "one" || flags.labels == "several", ErrorKind::kValue, "data",
        "--labels must be auto, one or several: it is ", quote(flags.labels), ".");
  DatasetOptions options;
  if (flags.labels != "auto") options.labels = flags.labels == "one" ? LabelsPerPicture::kOne : LabelsPerPicture::kSeveral;
  options.image_size = flags.image_size;
  options.bad_images = flags.bad_image == "skip" ? BadImages::kSkip : BadImages::kStop;
  options.mean_std = flags.mean_std == "imagenet" ? MeanStd::kImagenet : MeanStd::kMeasured;
  if (!quiet) options.progress = progress_lines();
  return options;
}

void print_notes(const DatasetSource& source) {
  constexpr size_t kNamed = 10;
  for (const std::string& note : source.notes) complain(cat("note: ", note));
  for (size_t i = 0; i < source.bad.size() && i < kNamed; ++i) complain(cat("left out: ", source.bad[i].reason));
  if (!source.bad.empty()) complain(cat("note: ", left_out(source.bad)));
}

std::string left_out(const std::vector<BadImage>& bad) {
  std::vector<std::string> names;
  for (const BadImage& image : bad) names.push_back(std::filesystem::path(image.path).filename().string());
  if (names.empty()) return "";
  return cat("left out ", names.size(), names.size() == 1 ? " picture" : " pictures", " that cannot be read: ", listed(names));
}

DataProgress progress_lines() {
  using Clock = std::chrono::steady_clock;
  return [last = Clock::now()](const char* what, int64_t done, int64_t total) mutable {
    if (Clock::now() - last < std::chrono::seconds(5)) return;
    last = Clock::now();
    std::fprintf(stderr, "%s: %lld of %lld\n", what, static_cast<long long>(done), static_cast<long long>(total));
  };
}

}  // namespace vitrail::cli
