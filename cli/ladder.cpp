#include "cli/ladder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/train_setup.h"
#include "models/weights/adapter.h"
#include "train/finetune/modes.h"
#include "train/finetune/trained_part.h"
#include "train/interrupt.h"
#include "train/probe/probe.h"
#include "train/report/run_data.h"

namespace vitrail::cli {

namespace {

using report::TransferRow;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr const char* kSettingsFile = "transfer-config.json";
constexpr const char* kRungFile = "rung.json";  // in the folder of a training that was stopped: its seconds so far
// New weights need more updates than trained ones.
constexpr int64_t kScratchTimes = 3;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string path_of(const LadderOptions& o, const char* file) { return o.out + "/" + file; }

// The job of a method on `images` training pictures.
TrainOptions options_for(const LadderOptions& o, const std::string& method, double share, int64_t images,
                         const std::string& folder) {
  TrainOptions t;
  t.settings.data = o.data, t.settings.limit = images;
  t.settings.train_size = o.train_size, t.settings.test_size = o.test_size;
  t.out = folder, t.force = o.force || o.resume, t.quiet = true;
  const double times = method == "scratch" ? kScratchTimes : 1;
  // As many updates on every share.
  t.fields["epochs"] = std::to_string(std::max<int64_t>(1, std::llround(times * static_cast<double>(o.epochs) / share)));
  t.fields["seed"] = std::to_string(o.seed);
  t.fields["precision"] = o.precision;
  t.fields["eval_every"] = t.fields["epochs"];
  t.fields["save_every"] = "0";
  if (images > 0 && images < 640) t.fields["batch_size"] = std::to_string(std::max<int64_t>(8, images / 10));
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

// What the results depend on, in words.
using Settings = std::vector<std::pair<std::string, std::string>>;

Settings settings_of(const LadderOptions& o, const TrainJob& whole) {
  const std::string weights = weights_hash(whole.init->weights, [](const std::string&) { return false; });
  return {{"model", weights},
          {"opened", cat(whole.init->architecture, " ", preprocessing_to_json(whole.init->card.preprocessing))},
          {"data", data_identity(*whole.train, whole.test.get())},
          {"epochs", std::to_string(o.epochs)},
          {"limit", std::to_string(o.limit)},
          {"image_size", std::to_string(o.image_size)},
          {"seed", std::to_string(o.seed)},
          {"precision", o.precision}};
}

// Error(kValue) listing what differs from the settings that the folder recorded.
void check_settings(const LadderOptions& o, const Settings& own) {
  const std::string path = path_of(o, kSettingsFile);
  check(fs::exists(path), ErrorKind::kIo, "transfer", escaped_path(o.out),
        " holds no ladder to go on with. Hint: the same command without --resume, and --force if an older one lies there.");
  const JsonDocument document(read_text_file(path), path);
  JsonObject json(document.root(), path);
  std::vector<std::string> different;
  for (const auto& [name, value] : own) {
    const std::string recorded = json.text(name);
    if (recorded == value) continue;
    const bool readable = name != "model" && name != "opened" && name != "data";
    different.push_back(readable           ? cat(name, " is ", recorded, ", not ", value)
                        : name == "opened" ? "the model is opened with another configuration or preprocessing"
                                           : cat("the ", name, " is another one"));
  }
  check(different.empty(), ErrorKind::kValue, "transfer", "--resume goes on with the ladder in ", escaped_path(o.out), ": ",
        listed(different, 10, 200), ". Hint: the same settings, or another --out.");
}

void write_settings(const LadderOptions& o, const Settings& own) {
  JsonWriter json(2);
  json.begin_object();
  for (const auto& [name, value] : own) json.field(name, value);
  write_file_atomically(path_of(o, kSettingsFile), json.end_object().text() + "\n");
}

class Ladder {
 public:
  explicit Ladder(const LadderOptions& o) : o_(o), start_(Clock::now()) {}

  LadderResult run() {
    // Each share is taken from the whole set: features and trainings then see the same pictures.
    TrainOptions first = options_for(o_, "probe", 1, 0, "");
    first.dry_run = true, first.force = false;  // nothing is saved
    const TrainJob whole = make_job(first);
    if (whole.init->origin) print_origin_notes(*whole.init->origin);
    require_one_label(*whole.train, "transfer");
    total_ = o_.limit > 0 ? std::min(o_.limit, whole.train->size()) : whole.train->size();
    const Settings settings = settings_of(o_, whole);
    if (o_.resume) {
      check_settings(o_, settings);
      take_finished();
    } else {
      std::error_code ignored;
      fs::remove(path_of(o_, "transfer.json"), ignored);
      write_settings(o_, settings);
    }
    climb(whole);
    write();
    return std::move(result_);
  }

 private:
  std::vector<TransferRow>& rows() { return result_.rows; }
  int64_t images(double share) const { return std::max<int64_t>(2, std::llround(share * static_cast<double>(total_))); }
  bool late() const { return o_.minutes > 0 && since(start_) > 60.0 * static_cast<double>(o_.minutes); }
  bool finished(const std::string& method, double share) {
    return std::any_of(rows().begin(), rows().end(),
                       [&](const TransferRow& row) { return row.method == method && row.share == share; });
  }

  void climb(const TrainJob& whole) {
    {
      const InterruptScope interrupts;  // a training has its own
      try {
        probes(whole);
      } catch (const Interrupted&) {
        result_.signal = interrupt_signal();
      }
    }
    for (const double share : o_.shares)
      for (const std::string& method : o_.methods)
        if (result_.signal == 0) trained(method, share);
    if (result_.signal != 0) complain("stopped; the same command with --resume goes on from here");
  }

  // The rungs of the file; those whose run is gone are climbed again.
  void take_finished() {
    const std::string path = path_of(o_, "transfer.json");
    if (!fs::exists(path)) return;
    rows() = report::transfer_rows(read_text_file(path), path);
    std::erase_if(rows(), [&](const TransferRow& row) {
      return !row.folder.empty() && !fs::exists(o_.out + "/" + row.folder + "/" + kModelFile);
    });
    std::fprintf(stderr, "going on: %zu rungs are there\n", rows().size());
  }

  // After every rung: what was measured stays, whatever ends the program.
  void write() {
    write_file_atomically(path_of(o_, "transfer.json"), report::transfer_json(rows()) + "\n");
    const std::string title = cat(o_.data, " from ", o_.from);
    write_file_atomically(path_of(o_, "transfer.html"), report::transfer_page(title, rows(), result_.left_out));
  }

  void probes(const TrainJob& job) {
    if (std::all_of(o_.shares.begin(), o_.shares.end(),
                    [&](double share) { return finished("knn", share) && finished("ridge", share); }))
      return;
    const auto model = build_model(job);
    const Preprocessing& p = job.init->card.preprocessing;
    const auto began = Clock::now();
    const FeatureSet test = extract_features(*model, job.test, p);
    const double for_test = since(began);
    for (auto share = o_.shares.rbegin(); share != o_.shares.rend(); ++share) {
      const auto start = Clock::now();
      const FeatureSet train = extract_features(*model, limited(job.train, images(*share)), p);
      const double features = since(start) + for_test;
      for (const ProbeResult& result : run_probes(train, test, job.train->num_classes()).results) {
        const bool linear = result.head.has_value();
        if (result.method == "logistic" || finished(result.method, *share)) continue;
        const int64_t numbers = linear ? result.head->weight.numel() + result.head->bias.numel() : train.features.numel();
        add({result.method, *share, train.size(), result.test_accuracy, features + result.seconds, linear ? numbers : 0,
             static_cast<double>(numbers) * 4e-6});
      }
    }
  }

  // A new run, or one that was stopped: then by its own words.
  TrainJob job_of(const std::string& method, double share, const std::string& folder) const {
    TrainOptions options = options_for(o_, method, share, images(share), folder);
    if (o_.resume && has_checkpoint(folder)) {
      options = {};
      options.out = folder, options.resume = kResumeAlways, options.quiet = true;
    }
    TrainJob job = make_job(options);
    job.silent = true;
    if (method == "scratch" && !job.from) {
      job.init = nullptr, job.adapted = false;
      job.settings.init.clear();  // what the run records must run again
      job.settings.model_name = "new weights, as " + o_.from;
      job.config.warmup = 0.1;
    }
    return job;
  }

  double seconds_before(const std::string& folder) const {
    const std::string path = folder + "/" + kRungFile;
    if (!o_.resume || !fs::exists(path)) return 0;
    const JsonDocument document(read_text_file(path), path);
    return JsonObject(document.root(), path).number("seconds", 0, 1e12);
  }

  void stop(int code, const std::string& folder, double seconds) {
    result_.signal = code - 128;
    write_file_atomically(folder + "/" + kRungFile, JsonWriter().begin_object().field("seconds", seconds).end_object().text());
  }

  void trained(const std::string& method, double share) {
    const std::string name = cat(method, "-", std::lround(100 * share)), folder = o_.out + "/" + name;
    if (finished(method, share)) return;
    if (late()) return result_.left_out.push_back(name);
    TrainJob job = job_of(method, share, folder);
    const int64_t count = method == "scratch" ? build_model(job)->num_parameters() : count_trained(job);
    const int64_t size = job.train->size();
    const double before = seconds_before(folder);
    const auto start = Clock::now();
    if (const int code = run_training(std::move(job)); code != 0) return stop(code, folder, before + since(start));
    std::error_code ignored;
    fs::remove(folder + "/" + kRungFile, ignored);
    const report::RunData run = report::read_run(folder);
    const MetricsRow* last = run.last_with("test_top1");
    add({method, share, size, last ? *last->find("test_top1") : 0, before + since(start), count,
         static_cast<double>(count) * 4e-6, name});
  }

  void add(TransferRow row) {
    std::fprintf(stderr, "%s, %.0f %% of the pictures: %.2f %% in %.1f s\n", row.method.c_str(), 100 * row.share,
                 100 * row.accuracy, row.seconds);
    rows().push_back(std::move(row));
    std::stable_sort(rows().begin(), rows().end(),
                     [](const TransferRow& a, const TransferRow& b) { return a.share < b.share; });
    write();
  }

  const LadderOptions& o_;
  const Clock::time_point start_;
  int64_t total_ = 0;
  LadderResult result_;
};

}  // namespace

LadderResult run_ladder(const LadderOptions& o) {
  check(!o.force || !o.resume, ErrorKind::kValue, "transfer", "--resume does not go with --force: one keeps, one replaces.");
  check(o.force || o.resume || !fs::exists(path_of(o, "transfer.json")), ErrorKind::kValue, "transfer", escaped_path(o.out),
        " holds results already. Hint: --resume goes on with them, --force replaces them, or another --out.");
  std::error_code error;
  fs::create_directories(o.out, error);
  check(!error, ErrorKind::kIo, "transfer", escaped_path(o.out), " cannot be made: ", error.message(), ".");
  return Ladder(o).run();
}

}  // namespace vitrail::cli
