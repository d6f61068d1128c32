#include "cli/experiments.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/memory_limit.h"
#include "data/cached.h"
#include "train/interrupt.h"
#include "train/kfold.h"
#include "train/lr_finder.h"
#include "train/memory.h"
#include "train/progress.h"
#include "train/run_folder.h"
#include "train/task/classification.h"

namespace vitrail::cli {

namespace {

int stopped(const TrainJob& job, int signal, const std::string& rest) {
  interrupt_heard();
  Progress(job.quiet).line(cat("stopped by signal ", signal, rest));
  return 128 + signal;
}

void print_suggestions(const LrFinding& finding) {
  if (!finding.steepest) {
    std::printf("no suggestion: the loss falls nowhere by more than its noise. Hint: more images, or another model.\n");
    return;
  }
  std::printf("steepest       %.2g   where the loss falls fastest: bold\n", *finding.steepest);
  std::printf("lowest / 10    %.2g   a tenth of the rate at which it is lowest: cautious\n", *finding.tenth_of_lowest);
}

}  // namespace

int64_t cache_bytes() {
  constexpr int64_t kMost = int64_t{4} << 30;
  return memory_limit() > 0 ? std::min(kMost, memory_limit() / 4) : kMost;
}

int run_kfold_job(const TrainJob& job, int64_t folds) {
  const InterruptScope interrupts;
  KfoldOptions options;
  options.folder = job.out;
  options.model = model_config(job.settings.model, job.train->info());
  options.config = job.config;
  options.data = cached(job.train, cache_bytes());
  options.folds = folds;
  options.memory_limit = memory_limit();
  JsonWriter about;
  about.begin_object().key("data").raw(data_identity(*job.train, nullptr));
  about.key("preprocessing").raw(preprocessing_to_json(preprocessing_for(job.train->info())));
  options.about = about.end_object().text();
  options.quiet = job.quiet;
  const KfoldResult result = run_kfold(options);
  if (result.signal)
    return stopped(job, result.signal,
                   cat(" after ", result.folds.size(), " of ", folds, " folds; the same command goes on with them"));
  std::printf("each fold is tested on its part of the training images; the test images are not touched\n%s",
              kfold_table(result.folds).c_str());
  std::printf("saved in %s\n", escaped_path(job.out).c_str());
  return 0;
}

int run_find_lr(const TrainJob& job) {
  const InterruptScope interrupts;
  // Whether the curve can be written is found out before the updates; a folder that another run writes into is left alone.
  std::optional<RunFolder> folder;
  if (!job.out.empty()) folder.emplace(job.out, /*replace=*/true);
  const auto model = build_model(job);
  const std::unique_ptr<Task> own_task = make_task(job, *model);
  Task& task = *own_task;
  check_memory(task, job.train, job.config, memory_limit());
  LrFinderOptions options;
  options.stop = [] { return interrupt_signal() != 0; };
  if (job.config.optimizer == "lars") options.high = 100;  // its rates are multiplied by 0.001
  const LrFinding finding = find_learning_rate(task, job.train, job.config, options);
  if (finding.stopped) return stopped(job, interrupt_signal(), "");
  const std::string picture = lr_finding_svg(finding);
  std::printf("%zu updates, from %.0e to %.2g%s\n", finding.points.size(), finding.points.front().lr, finding.points.back().lr,
              finding.diverged ? ", where the loss ran away" : "");
  print_suggestions(finding);
  if (job.config.lr_scaling != "none")  // what is tried are the rates of updates
    std::printf("for --lr divide by %.4g: --lr-scaling %s multiplies it\n", scaled_lr(job.config) / job.config.lr,
                job.config.lr_scaling.c_str());
  if (job.out.empty()) return 0;
  write_file_atomically(job.out + "/lr.csv", lr_finding_csv(finding));
  write_file_atomically(job.out + "/lr.svg", picture);
  std::printf("the curve: %s/lr.svg, %s/lr.csv\n", escaped_path(job.out).c_str(), escaped_path(job.out).c_str());
  return 0;
}

}  // namespace vitrail::cli
