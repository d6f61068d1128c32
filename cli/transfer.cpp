// vitrail transfer: what a trained model is worth for other data, from neighbours of frozen features to training from scratch.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/train_flags.h"
#include "cli/train_setup.h"
#include "train/finetune/modes.h"
#include "train/finetune/trained_part.h"
#include "train/interrupt.h"
#include "train/probe/probe.h"
#include "train/report/run_data.h"
#include "train/report/transfer_page.h"

namespace vitrail::cli {

namespace {

using report::TransferRow;
using Clock = std::chrono::steady_clock;

constexpr double kShares[] = {0.1, 0.5, 1};
// New weights need more updates than trained ones.
constexpr int64_t kScratchTimes = 3;

struct Options {
  ModelFlags model;
  std::string from, data, out;
  int64_t minutes = 0, epochs = 10, limit = 0, image_size = 0, seed = 0;
  std::string precision = "f32";
  bool json = false, force = false;
};

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The job of a method on `images` training pictures; null recipe: from scratch.
TrainOptions options_for(const Options& o, const std::string& method, double share, int64_t images, const std::string& folder) {
  TrainOptions t;
  t.settings.data = o.data, t.settings.limit = images;
  t.out = folder, t.force = o.force, t.quiet = true;
  const double times = method == "scratch" ? kScratchTimes : 1;
  // As many updates on every share.
  t.fields["epochs"] = std::to_string(std::max<int64_t>(1, std::llround(times * static_cast<double>(o.epochs) / share)));
  t.fields["seed"] = std::to_string(o.seed);
  t.fields["precision"] = o.precision;
  t.fields["eval_every"] = t.fields["epochs"];
  t.fields["save_every"] = "0";
  if (images < 640) t.fields["batch_size"] = std::to_string(std::max<int64_t>(8, images / 10));
  AdaptTo to;
  to.img_size = o.image_size;
  t.settings.init = o.from, t.adapt = to, t.open = open_options(o.model);
  if (method != "scratch") t.settings.recipe = find_mode(method).recipe;
  return t;
}

int64_t count_trained(const TrainJob& job) {
  const auto model = build_model(job);
  choose_trained(*model, job.config);
  int64_t count = 0;
  for (const nn::NamedParameter& p : model->named_parameters())
    if (p.parameter->requires_grad()) count += p.parameter->numel();
  return count;
}

class Ladder {
 public:
  explicit Ladder(const Options& o) : o_(o), start_(Clock::now()) {}

  void run() {
    TrainOptions first = options_for(o_, "probe", 1, o_.limit, "");
    first.dry_run = true;  // nothing is saved
    const TrainJob whole = make_job(first);
    if (whole.init->origin) print_origin_notes(*whole.init->origin);
    total_ = whole.train->size();
    probes(whole);
    // The largest share first: with little time it is the one that matters.
    for (auto share = std::rbegin(kShares); share != std::rend(kShares); ++share)
      for (const char* method : {"lora", "partial", "full", "scratch"}) trained(method, *share);
    write();
  }

  // After every rung: what was measured stays, whatever ends the program.
  void write() const {
    write_file_atomically(o_.out + "/transfer.json", report::transfer_json(rows) + "\n");
    const std::string title = cat(o_.data, " from ", o_.from);
    write_file_atomically(o_.out + "/transfer.html", report::transfer_page(title, rows, left_out));
  }

  std::vector<TransferRow> rows;
  std::vector<std::string> left_out;

 private:
  int64_t images(double share) const { return std::max<int64_t>(2, std::llround(share * static_cast<double>(total_))); }
  bool late() const { return o_.minutes > 0 && since(start_) > 60.0 * static_cast<double>(o_.minutes); }

  void probes(const TrainJob& job) {
    const auto model = build_model(job);
    const Preprocessing& p = job.init->card.preprocessing;
    const auto began = Clock::now();
    const FeatureSet test = extract_features(*model, job.test, p);
    const double for_test = since(began);
    for (const double share : kShares) {
      const auto start = Clock::now();
      const FeatureSet train = extract_features(*model, spread_n(job.train, images(share)), p);
      const double features = since(start) + for_test;
      for (const ProbeResult& result : run_probes(train, test, job.train->num_classes()).results) {
        const bool linear = result.head.has_value();
        if (result.method == "logistic") continue;
        const int64_t numbers = linear ? result.head->weight.numel() + result.head->bias.numel() : train.features.numel();
        add({result.method, share, train.size(), result.test_accuracy, features + result.seconds, linear ? numbers : 0,
             static_cast<double>(numbers) * 4e-6});
      }
    }
  }

  void trained(const std::string& method, double share) {
    const std::string name = cat(method, "-", std::lround(100 * share)), folder = o_.out + "/" + name;
    if (late()) return left_out.push_back(name);
    TrainOptions options = options_for(o_, method, share, images(share), folder);
    TrainJob job = make_job(options);
    job.silent = true;
    if (method == "scratch") {
      job.init = nullptr, job.adapted = false;
      job.settings.init.clear();  // what the run records must run again
      job.settings.model_name = "new weights, as " + o_.from;
      job.config.warmup = 0.1;
    }
    const int64_t count = method == "scratch" ? 0 : count_trained(job);
    const int64_t whole = build_model(job)->num_parameters(), size = job.train->size();
    const auto start = Clock::now();
    const int code = run_training(std::move(job));
    if (code != 0) throw Interrupted();
    const report::RunData run = report::read_run(folder);
    const auto accuracy = run.rows.back().find("test_top1");
    const int64_t fitted = method == "scratch" ? whole : count;
    add({method, share, size, accuracy.value_or(0), since(start), fitted, static_cast<double>(fitted) * 4e-6, name});
  }

  void add(TransferRow row) {
    std::fprintf(stderr, "%s, %.0f %% of the pictures: %.2f %% in %.1f s\n", row.method.c_str(), 100 * row.share,
                 100 * row.accuracy, row.seconds);
    rows.push_back(std::move(row));
    std::stable_sort(rows.begin(), rows.end(), [](const TransferRow& a, const TransferRow& b) { return a.share < b.share; });
    write();
  }

  const Options& o_;
  const Clock::time_point start_;
  int64_t total_ = 0;
};

int run(const Options& o) {
  check(o.force || !std::filesystem::exists(o.out + "/transfer.json"), ErrorKind::kValue, "transfer", escaped_path(o.out),
        " holds results already. Hint: --force replaces them, or another --out.");
  print_machine_notice();
  std::error_code error;
  std::filesystem::create_directories(o.out, error);
  check(!error, ErrorKind::kIo, "transfer", escaped_path(o.out), " cannot be made: ", error.message(), ".");
  const InterruptScope interrupts;
  Ladder ladder(o);
  ladder.run();
  std::printf("%s", (o.json ? report::transfer_json(ladder.rows) + "\n" : report::transfer_table(ladder.rows)).c_str());
  if (!ladder.left_out.empty()) complain(cat("note: left out for want of time: ", listed(ladder.left_out, 20)));
  if (!o.json) std::printf("written: %s/transfer.html\n", escaped_path(o.out).c_str());
  return 0;
}

}  // namespace

void add_transfer(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "transfer", "Compare the ways to use a trained model for other data: accuracy, seconds, parameters");
  command.option("--from", o->from, kModelHelp).required();
  command.option("--data", o->data, kDataHelp).required();
  command.option("--out", o->out, "Folder for the page, the table and the runs").required();
  add_model_flags(command, o->model);
  command.option("--image-size", o->image_size, "Side of the input (the model's): positions are resampled", 1,
                 models::kMaxSide);
  command.option("--epochs", o->epochs, "Of a training on all pictures; smaller shares get as many updates (10)", 1, 100'000);
  command.option("--minutes", o->minutes, "After so many minutes no further training begins", 1, 1'000'000);
  command.option("--limit", o->limit, "Only N training images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--precision", o->precision, "f32, or bf16: products of linear layers and attention in bf16 (f32)");
  command.option("--seed", o->seed, "The runs are a function of it (0)", 0, int64_t{1} << 53);
  command.flag("--json", o->json, "Machine-readable output");
  command.flag("--force", o->force, "Replace the results that the folder holds");
  command.footer(
      "The ladder, at 10, 50 and 100 % of the pictures: neighbours and ridge regression on frozen features, LoRA, the last "
      "two\n"
      "blocks, every weight, and the same architecture from new weights with three times the updates.\n"
      "Example: vitrail transfer --from runs/pretrained --data flowers --out runs/transfer --minutes 20");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
