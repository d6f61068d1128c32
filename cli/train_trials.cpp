#include "cli/train_trials.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/text.h"
#include "cli/memory_limit.h"
#include "data/loader.h"
#include "nn/summary.h"
#include "train/feature_cache.h"
#include "train/finetune/trained_part.h"
#include "train/interrupt.h"
#include "train/memory.h"
#include "train/overfit.h"
#include "train/progress.h"
#include "train/run_cost.h"

namespace vitrail::cli {

namespace {

constexpr double kPartUsed = 0.95;  // of the time of --minutes
// Seconds that saving model and checkpoint and writing the report takes after an epoch, measured with models below a million
// weights.
constexpr double kSaving = 0.06;

RunCost cost_of(const TrainJob& job) {
  TrainJob trial = job;  // its model is thrown away
  trial.quiet = true;
  const auto model = build_model(trial);
  const std::unique_ptr<Task> own_task = make_task(trial, *model);
  Task& task = *own_task;
  RunCost cost = measure_run(task, job.train, job.test, job.config, clean_images(job));
  cost.test += kSaving;
  return cost;
}

}  // namespace

int print_estimates(const TrainJob& job) {
  const auto model = build_model(job);
  print_preflight(job);
  const std::unique_ptr<Task> own_task = make_task(job, *model);
  Task& task = *own_task;
  const nn::Summary summary = nn::summarize(*model, model->input_shape());
  const int64_t steps = total_steps(job.config, job.train->size(), *model), limit = memory_limit();
  std::printf("parameters  %lld\nMACs        %.1f M per image\nupdates     %lld of %lld images\n",
              static_cast<long long>(summary.parameters), static_cast<double>(summary.macs) / 1e6,
              static_cast<long long>(steps), static_cast<long long>(job.config.batch_size));
  std::printf("%s", describe(make_optimizer(job.config, *model)->groups()).c_str());
  if (const std::string note = scaling_note(job.config); !note.empty()) std::printf("%s\n", note.c_str());
  if (job.teacher)
    std::printf("teacher     %s\n", teacher_cost(*job.teacher, task.card().preprocessing, job.train->class_names(),
                                                 std::min(job.config.batch_size, job.train->size()))
                                        .c_str());
  // Measured below without it.
  if (trains_part(job.config) && job.feature_cache) {
    const std::string obstacle = features_not_kept(job, task);
    const double megabytes =
        obstacle.empty() ? 1e-6 * static_cast<double>(feature_bytes(task, *job.train) * job.train->size()) : 0;
    if (obstacle.empty())
      std::printf("kept        %s, computed once: %.1f MB (memory and time below are without it)\n",
                  model->describe_stages(model->fixed_stages()).c_str(), megabytes);
    else
      std::printf("kept        nothing, every epoch computes the whole model: %s\n", obstacle.c_str());
  }
  // Steps of the whole batch tell the memory exactly, but are not to be tried where they do not fit.
  const MemoryEstimate memory = estimate_memory(task, job.train, job.config);
  if (trains_part(job.config)) std::printf("trained     %s\n", trained_summary(*model).c_str());
  if (limit > 0 && static_cast<double>(memory.total()) > 1.1 * static_cast<double>(limit)) {
    std::printf("memory      %.0f MB, more than the %.0f MB that there are\ntime        not measured\n",
                static_cast<double>(memory.total()) / 1e6, static_cast<double>(limit) / 1e6);
    return 0;
  }
  const RunCost cost = measure_run(task, job.train, job.test, job.config, clean_images(job));
  std::printf("memory      %.0f MB\ntime        %s\n", static_cast<double>(cost.peak_bytes) / 1e6,
              format_duration(cost.seconds(steps, job.config.eval_every)).c_str());
  return 0;
}

void fit_minutes(TrainJob& job, int64_t minutes) {
  const auto start = std::chrono::steady_clock::now();
  const RunCost cost = cost_of(job);
  const double measuring = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double seconds = 60.0 * static_cast<double>(minutes) - measuring;
  const FittedRun fitted = fit_run(cost, job.config.eval_every, kPartUsed * seconds);
  job.config.epochs = fitted.epochs;
  if (job.config.head_epochs >= fitted.epochs) job.config.head_epochs = 0;
  job.config.max_steps = fitted.max_steps;
  std::string chosen = cat(fitted.epochs, fitted.epochs == 1 ? " epoch" : " epochs");
  if (fitted.max_steps > 0) chosen = cat(fitted.max_steps, " of the ", cost.steps_per_epoch, " updates of an epoch");
  if (!job.quiet)
    complain(
        cat("note: ", minutes, minutes == 1 ? " minute: " : " minutes: ", chosen, ", about ", format_duration(fitted.seconds)));
  if (fitted.seconds > seconds && !job.quiet)
    complain(cat("warning: one update and the test take ", format_duration(fitted.seconds),
                 " already. Hint: a smaller model, or fewer images (--limit)."));
}

int overfit_batch(const TrainJob& job) {
  TrainJob plain = job;
  plain.config = overfit_config(job.config);
  plain.config.distillation = "none", plain.teacher = nullptr;  // its answers may contradict the labels
  plain.settings.model = models::to_json(without_dropout(model_config(job.settings.model, job.train->info())));
  const auto model = build_model(plain);
  const std::unique_ptr<Task> own_task = make_task(plain, *model);
  Task& task = *own_task;
  const DatasetPtr images = spread_n(job.train, job.config.batch_size);
  const Batch batch = make_loader(task, images, {.batch_size = images->size(), .train = false}).batch(0, 0);
  const InterruptScope interrupts;
  constexpr int64_t kShown = 25;  // updates between two lines
  const auto print = [](const OverfitStep& s) {
    std::printf("update %lld  loss %.4f  %s  grad %.3g\n", static_cast<long long>(s.step), s.loss,
                format_scores(s.parts).c_str(), s.grad_norm);
    std::fflush(stdout);
  };
  const OverfitResult result = overfit_one_batch(task, batch, plain.config, [&](const OverfitStep& s) {
    if (s.step % kShown == 0) print(s);
  });
  if (const int signal = interrupt_signal()) return 128 + signal;
  if (result.last.step % kShown != 0) print(result.last);
  check(result.learnt, ErrorKind::kNumeric, "overfit", batch.size(), " images are not learnt by heart after ", result.last.step,
        " updates: ", format_scores(result.last.parts), ". Hint: another --lr than ", plain.config.lr,
        ", a smaller patch or a larger model, and look at the pictures: vitrail data-check.");
  std::printf("learnt: all %lld images after %lld updates\n", static_cast<long long>(batch.size()),
              static_cast<long long>(result.last.step));
  return 0;
}

}  // namespace vitrail::cli
