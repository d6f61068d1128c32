// vitrail data-check.
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/exit_code.h"
#include "base/file.h"
#include "base/html.h"
#include "base/text.h"
#include "cli/data_options.h"
#include "data/check/survey.h"
#include "data/image/image.h"
#include "tensor/machine/parallel.h"
#include "train/augmentation.h"

namespace vitrail::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string data, page, recipe, sheet = "augmented.png";
  int64_t threads = 0;
  bool json = false;
};

constexpr int64_t kSheetPictures = 64, kSheetColumns = 8;

// What the first steps of a training run see.
void write_sheet(const Options& o, const DatasetPtr& train) {
  const TrainConfig recipe = train_config_from_json(read_text_file(o.recipe), recipe_for(train->info()), o.recipe);
  const Tensor pictures = training_pictures(train, preprocessing_for(train->info()), recipe, 0, kSheetPictures);
  write_png(o.sheet, contact_sheet(pictures, kSheetColumns));
  std::fprintf(stderr, "training pictures written: %s\n", escaped_path(o.sheet).c_str());
}

[[noreturn]] void is_part(const std::string& target) {
  fail(ErrorKind::kValue, "data-check", escaped_path(target), ": this file is part of the data set. Hint: a place outside it.");
}

// What is written must not replace a picture that is looked at.
void check_targets(const Options& o) {
  if (!o.page.empty()) check_page_target("data-check", o.page);
  std::error_code ignored;
  const size_t colon = o.data.find(':');  // a set may be given with its kind in front
  const bool with_kind = colon != std::string::npos && !fs::exists(o.data, ignored);
  const fs::path data = fs::weakly_canonical(with_kind ? o.data.substr(colon + 1) : o.data, ignored);
  for (const std::string& target : {o.page, o.recipe.empty() ? std::string() : o.sheet}) {
    if (target.empty() || !fs::exists(target, ignored)) continue;
    const fs::path below = fs::weakly_canonical(target, ignored).lexically_relative(data);
    if (!below.empty() && below.begin()->string() != "..") is_part(target);
  }
}

// A list may name pictures anywhere.
void check_listed(const Options& o, const DatasetSource& source, const std::vector<Split>& parts) {
  std::error_code ignored;
  for (const std::string& target : {o.page, o.recipe.empty() ? std::string() : o.sheet}) {
    if (target.empty() || !fs::exists(target, ignored)) continue;
    for (const Split part : parts) {
      const DatasetPtr data = source.open(part);
      for (int64_t i = 0; data->reads_files() && i < data->size(); ++i) {
        const fs::path picture = data->sample_name(i);
        if (picture.filename() == fs::path(target).filename() && fs::equivalent(picture, target, ignored)) is_part(target);
      }
    }
  }
}

int run(const Options& o) {
  check_targets(o);
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  DatasetOptions options;
  options.collect_problems = true;
  options.progress = progress_lines();
  const DatasetSource source = open_source(o.data, options);
  const Survey found = survey(source, options.progress);
  check_listed(o, source, found.parts);
  std::fputs((o.json ? survey_json(found) : survey_text(found)).c_str(), stdout);
  if (!o.page.empty()) {
    write_file_atomically(o.page, survey_page(found, source));
    std::fprintf(stderr, "page written: %s\n", escaped_path(o.page).c_str());
  }
  if (!o.recipe.empty()) write_sheet(o, source.open(Split::kTrain));
  if (!found.has_errors()) return 0;
  return exit_code(found.only_absent() ? ErrorKind::kIo : ErrorKind::kData);
}

}  // namespace

void add_data_check(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "data-check", "Look through a data set before training: counts, sizes, bad files, duplicates, leaks");
  command.option("data", o->data, kDataHelp).required();
  command.option("--page", o->page, "Write a page with sample pictures of every class: one HTML file");
  command.option("--augment", o->recipe, "A recipe (JSON) whose augmented pictures are written to --sheet");
  command.option("--sheet", o->sheet, "PNG with 64 pictures as training with --augment sees them (augmented.png)");
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--json", o->json, "Machine-readable output, with every bad file and every group of duplicates");
  command.footer(
      "Exit code 3 if a picture cannot be read, a class is empty, or parts differ in their classes; 4 if all that is wrong is "
      "that "
      "files cannot be opened.\n"
      "Example: vitrail data-check photos --page photos.html");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
