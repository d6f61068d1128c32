#include "cli/job_parts.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/train_rules.h"

namespace vitrail::cli {

void overlay(const TrainOptions& o, TrainSettings& s, TrainConfig& c) {
  const int64_t usual_head_epochs = c.head_epochs;
  if (!o.config.empty()) read_settings(read_text_file(o.config), o.config, s, c);
  for (const auto& [given, field] : {std::pair(&o.settings.data, &s.data),
                                     {&o.settings.model, &s.model},
                                     {&o.settings.baseline, &s.baseline},
                                     {&o.settings.recipe, &s.recipe},
                                     {&o.settings.init, &s.init},
                                     {&o.settings.teacher, &s.teacher}})
    if (!given->empty()) *field = *given;
  for (const auto& [given, field] : {std::pair(&o.settings.limit, &s.limit),
                                     {&o.settings.train_size, &s.train_size},
                                     {&o.settings.test_size, &s.test_size},
                                     {&o.settings.max_train_samples, &s.max_train_samples}})
    if (*given != 0) *field = *given;
  const DataFlags usual, &files = o.settings.files;
  if (files.image_size != usual.image_size) s.files.image_size = files.image_size;
  if (files.bad_image != usual.bad_image) s.files.bad_image = files.bad_image;
  if (files.mean_std != usual.mean_std) s.files.mean_std = files.mean_std;
  if (files.labels != usual.labels) s.files.labels = files.labels;
  for (const auto& [key, text] : o.fields)
    if (text) set_field(c, key, *text);
  // A recipe's own epochs of the head alone give way to what was asked for.
  const auto head = o.fields.find("head_epochs");
  const bool asked = head != o.fields.end() && head->second;
  if (!asked && c.head_epochs == usual_head_epochs && (c.head_epochs >= c.epochs || c.trainable == "head")) c.head_epochs = 0;
  validate(c);
}

void open_data(TrainJob& job, uint64_t seed) {
  const TrainSettings& s = job.settings;
  check(!s.data.empty(), ErrorKind::kValue, "train", kNoData);
  DatasetOptions options = dataset_options(s.files, job.quiet);
  options.train_size = s.train_size;
  options.test_size = s.test_size;
  const DatasetSource source = open_source(s.data, options);
  if (!job.quiet) print_notes(source);
  job.bad = source.bad;
  job.train = source.open(Split::kTrain);
  check(s.limit == 0 || s.max_train_samples == 0, ErrorKind::kValue, "train",
        "--limit and --max-train-samples both say how many images to train on: they are ", s.limit, " and ",
        s.max_train_samples, ". Hint: one of them.");
  if (s.max_train_samples > 0) {
    const int64_t all = job.train->size();
    job.train = stratified_n(job.train, s.max_train_samples, seed);
    if (!job.quiet && job.train->size() < all)
      complain(cat("note: ", job.train->size(), " of ", all, " training images, drawn by seed ", seed,
                   " from each class in proportion"));
  }
  if (s.limit > 0) job.train = limited(job.train, s.limit);
  job.test = source.open(Split::kValidation);
}

}  // namespace vitrail::cli
