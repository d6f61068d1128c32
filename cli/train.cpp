// vitrail train, vitrail demo.
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/train_job.h"
#include "data/image/image.h"
#include "tensor/machine/parallel.h"
#include "train/run_folder.h"

namespace vitrail::cli {

namespace {

// The options that may be given; the rest comes from the data set's recipe.
struct Options {
  std::string data, model, out, config, baseline;
  std::map<std::string, std::optional<std::string>> fields;  // of TrainConfig, by key
  DataFlags files;
  int64_t limit = 0, train_size = 0, test_size = 0, cache_mb = -1;
  bool dry_run = false, force = false, quiet = false;
};

TrainConfig config_from(const Options& o, const DatasetInfo& info) {
  TrainConfig c = recipe_for(info);
  if (!o.config.empty()) c = train_config_from_json(read_text_file(o.config), c, o.config);
  for (const auto& [key, text] : o.fields)
    if (text) set_field(c, key, *text);
  validate(c);
  return c;
}

TrainJob job_from(const Options& o) {
  check(o.baseline.empty() || o.baseline == "linear", ErrorKind::kValue, "train", "unknown baseline: it is ", quote(o.baseline),
        ". Hint: --baseline linear.");
  // Said before anything is loaded.
  if (!o.dry_run && !o.out.empty()) RunFolder::check_free(o.out, o.force);
  TrainJob job;
  job.replace = o.force;
  job.quiet = o.quiet;
  job.model = o.model;
  job.out = o.out;
  job.data = o.data;
  job.baseline = !o.baseline.empty();
  DatasetOptions options = dataset_options(o.files, o.quiet);
  options.train_size = o.train_size;
  options.test_size = o.test_size;
  const DatasetSource source = open_source(o.data, options);
  if (!o.quiet) print_notes(source);
  job.bad = source.bad;
  job.cache_mb = o.cache_mb;
  job.train = source.open(Split::kTrain);
  // Files stand class by class: the first would be of one class.
  if (o.limit > 0) job.train = job.train->reads_files() ? spread_n(job.train, o.limit) : first_n(job.train, o.limit);
  job.test = source.open(Split::kValidation);
  job.config = config_from(o, job.train->info());
  if (job.config.mirror && job.train->reads_files() && !o.quiet)
    complain(
        "note: half of the training pictures are mirrored. Hint: --mirror false where that changes the class, as for letters.");
  if (job.config.threads > 0) set_num_threads(static_cast<int>(job.config.threads));
  return job;
}

void add_data(Command& command, Options& o) {
  command.option("--model", o.model, "Preset or config.json (cct_2_3x2_d64; cct_2_3x2 for colour)");
  command.option("--train-size", o.train_size, "Training images of a drawn set (20000)", 0, kMaxImages);
  command.option("--test-size", o.test_size, "Test images of a drawn set (4000)", 0, kMaxImages);
}

// A flag for each field of the recipe, or for those of `only`.
void add_recipe(Command& command, Options& o, const TrainConfig& defaults, const std::set<std::string>& only = {}) {
  for (const ConfigFlag& flag : config_flags(defaults)) {
    if (only.empty() || only.contains(flag.key)) command.option(flag.flag, o.fields[flag.key], flag.help).type(flag.type);
  }
}

// A picture to try the model on, and the commands for it.
void print_next_steps(const TrainJob& job) {
  const std::string picture = job.out + "/picture.png";
  const Sample sample = job.test->sample(0);
  write_png(picture, sample.image);
  const std::string out = escaped_path(job.out);
  std::printf("\nLook at the report in a browser:\n  xdg-open %s/report.html\n", escaped_path(job.out).c_str());
  std::printf("\nWhat next? %s/picture.png shows %s, which the model has not been trained on:\n", out.c_str(),
              escaped(job.test->class_names()[sample.target.label]).c_str());
  std::printf("  vitrail predict --model %s %s/picture.png\n  vitrail info %s\n  vitrail train --help\n", out.c_str(),
              out.c_str(), out.c_str());
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "train", "Train a model on a data set and save it");
  command.option("--data", o->data, kDataHelp).required();
  command.option("--out", o->out, "Folder for model.safetensors, report.html, metrics.jsonl and metrics.csv");
  add_data(command, *o);
  add_data_flags(command, o->files);
  command.option("--cache", o->cache_mb, "MiB of decoded pictures kept in memory (what the run leaves)", 0, int64_t{1} << 20);
  command.option("--limit", o->limit, "Only N training images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--config", o->config, "Recipe as JSON; options given here win");
  command.option("--baseline", o->baseline, "linear: train a softmax regression first, to compare with");
  add_recipe(command, *o, {});
  command.flag("--force", o->force, "Replace the model that the folder holds");
  command.flag("--quiet", o->quiet, "No progress on standard error, only errors");
  command.flag("--dry-run", o->dry_run, "Print parameters, memory and time, and leave");
  command.footer(
      "Grey images: 8 epochs and a rate of 0.002 unless told otherwise; crop padding and mirroring follow the data.\n"
      "Example: vitrail train --data fashion-mnist:../shared/data/fashion-mnist --out fashion");
  command.runs(action, [o] {
    check(o->dry_run || !o->out.empty(), ErrorKind::kValue, "train", "--out is needed. Hint: --out DIR, or --dry-run.");
    if (!o->quiet) print_machine_notice();
    const TrainJob job = job_from(*o);
    return o->dry_run ? print_estimates(job) : run_training(job);
  });
}

void add_demo(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  o->data = "glyphs";
  o->baseline = "linear";
  o->out = "demo";
  o->fields["epochs"] = "3";
  o->fields["batch_size"] = "64";
  Command command(app, "demo", "Train a small ViT on pictures that the program draws itself");
  command.option("--out", o->out, "Folder for the model (demo)");
  command.flag("--force", o->force, "Replace the model that the folder holds");
  command.flag("--quiet", o->quiet, "No progress on standard error, only errors");
  add_data(command, *o);
  TrainConfig defaults;
  defaults.epochs = 3, defaults.batch_size = 64, defaults.lr = 2e-3;  // of recipe_for() grey images, but these
  add_recipe(command, *o, defaults, {"epochs", "max_steps", "batch_size", "lr", "seed", "threads"});
  command.footer(
      "As train --data glyphs --baseline linear, with 3 epochs in batches of 64 unless told otherwise.\nExample: vitrail demo "
      "--out demo");
  command.runs(action, [o] {
    if (!o->quiet) print_machine_notice();
    const TrainJob job = job_from(*o);
    const int code = run_training(job);
    if (code == 0) print_next_steps(job);
    return code;
  });
}

}  // namespace vitrail::cli
