// vitrail search.
#include "train/search/search.h"

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/experiments.h"
#include "cli/shell_word.h"
#include "cli/train_job.h"
#include "data/cached.h"
#include "data/folds.h"
#include "tensor/machine/parallel.h"
#include "train/checkpoint.h"
#include "train/interrupt.h"
#include "train/part_run.h"
#include "train/progress.h"
#include "train/recipes.h"

namespace vitrail::cli {

namespace {

constexpr size_t kRows = 20;  // of the table on standard output; the page has all

struct Options {
  std::string data, model, out, space, config;
  std::map<std::string, std::optional<std::string>> fields;  // of TrainConfig, by key: what does not vary
  std::optional<double> minutes;
  int64_t trials = 0, eta = 3, holdout = 10, min_epochs = 1, limit = 0, train_size = 0;
  DataFlags files;
  bool random = false, quiet = false;
};

struct Material {
  DatasetPtr train, held_out;
  models::ModelConfig model;
  search::SearchOptions search;
};

TrainConfig fixed_config(const Options& o, TrainConfig config) {
  if (!o.config.empty()) {
    TrainSettings ignored;  // a train-config.json has data and model too: they are options here
    read_settings(read_text_file(o.config), o.config, ignored, config);
  }
  for (const auto& [key, text] : o.fields)
    if (text) set_field(config, key, *text);
  validate(config);
  return config;
}

// What the results depend on beside recipe and space. Where the files lie does not matter.
std::string about(const Material& m) {
  JsonWriter json;
  json.begin_object().key("data").raw(data_identity(*m.train, m.held_out.get()));
  json.key("preprocessing").raw(preprocessing_to_json(preprocessing_for(m.train->info())));
  return json.key("model").raw(models::to_json(m.model)).end_object().text();
}

Material prepare(const Options& o) {
  // A mistake in the space is said before data is opened, as far as it can be.
  const std::string space = read_text_file(o.space);
  search::read_space(space, o.space, fixed_config(o, recipe_for(DatasetInfo{})));
  Material m;
  DatasetOptions options = dataset_options(o.files, o.quiet);
  options.train_size = o.train_size;
  options.limit = o.limit;
  const DatasetSource source = open_source(o.data, options);
  if (!o.quiet) print_notes(source);
  const DatasetPtr whole = cached(source.open(Split::kTrain), cache_bytes());
  m.search.fixed = fixed_config(o, recipe_for(*whole));
  check(whole->size() >= o.holdout, ErrorKind::kValue, "search", "--holdout ", o.holdout, " needs as many images: there are ",
        whole->size(), ".");
  const Fold fold = stratified_folds(whole, o.holdout, m.search.fixed.seed).front();
  m.train = fold.train, m.held_out = fold.test;
  m.model = model_config(o.model, whole->info());
  search::SearchOptions& s = m.search;
  s.folder = o.out;
  s.space = search::read_space(space, o.space, s.fixed);
  s.halving = !o.random;
  s.eta = o.eta;
  s.min_epochs = o.min_epochs;
  s.trials = o.trials;
  s.minutes = o.minutes.value_or(0);
  s.about = about(m);
  s.quiet = o.quiet;
  if (s.fixed.threads > 0) set_num_threads(static_cast<int>(s.fixed.threads));
  return m;
}

search::RunTrial trial_runner(const Material& m) {
  return
      [&m](int64_t, const std::string& folder, const TrainConfig& config, int64_t epochs, const std::function<bool()>& stop) {
        PartRun part{folder, m.model, config, m.train, m.held_out};
        part.epochs = epochs;
        part.memory_limit = memory_limit();
        part.stop = stop;
        const PartResult result = run_part(part);
        search::TrialOutcome outcome;
        outcome.signal = result.signal;
        if (result.complete()) outcome.score = result.scores->front();
        return outcome;
      };
}

void print_result(const Options& o, const search::SearchResult& result, int64_t pictures) {
  std::fputs(search::ranking_table(result.ledger, kRows).c_str(), stdout);
  if (const std::string trust = search::trust_in_scores(result.ledger, pictures); !trust.empty())
    std::printf("%s\n", trust.c_str());
  const std::string out = escaped_path(o.out);
  if (result.ledger.results.empty()) return;
  std::printf("all trials: %s/%s\n", out.c_str(), search::kPageFile);
  // What the search was told of data and model beside the recipe belongs to the command.
  std::string rest;
  if (!o.model.empty()) rest += " --model " + escaped(shell_word(o.model), kMaxPath);
  if (o.files.image_size > 0) rest += cat(" --image-size ", o.files.image_size);
  if (o.files.bad_image != DataFlags().bad_image) rest += " --bad-image " + o.files.bad_image;
  if (o.files.mean_std != DataFlags().mean_std) rest += " --mean-std " + o.files.mean_std;
  if (o.files.labels != DataFlags().labels) rest += " --labels " + o.files.labels;
  std::printf("the best recipe, on all training images: vitrail train --config %s --data %s%s --out DIR\n",
              escaped(shell_word(o.out + "/" + search::kBestRecipe), kMaxPath).c_str(),
              escaped(shell_word(o.data), kMaxPath).c_str(), rest.c_str());
}

int run(const Options& o) {
  const InterruptScope interrupts;
  const Material m = prepare(o);
  Progress progress(o.quiet);
  progress.line(cat(escaped(o.data, kMaxPath), ": ", m.train->size(), " images to train on, ", m.held_out->size(),
                    " held out for the scores; the test images are not touched"));
  const search::SearchResult result = search::run_search(m.search, trial_runner(m));
  print_result(o, result, m.held_out->size());
  if (result.signal) {
    progress.line(
        cat("stopped by signal ", result.signal, "; the same command goes on with the search in ", escaped_path(o.out)));
    return 128 + result.signal;
  }
  if (!result.complete) progress.line("the time is up; the same command goes on from here");
  return 0;
}

void add_options(Command& command, Options& o) {
  command.option("--data", o.data, kDataHelp).required();
  command.option("--space", o.space, "JSON file: which fields vary, and over what").required();
  command.option("--out", o.out, "Folder of the search").required();
  command.option("--model", o.model, "Preset or config.json (cct_2_3x2_d64; cct_2_3x2 for colour)");
  command.option("--minutes", o.minutes, "Stop after so many; the same command goes on");
  command.option("--trials", o.trials, "At most so many trials; 0: as many as the time allows", 0, 1'000'000);
  command.option("--eta", o.eta, "Of the trials at a rung, one in so many goes on (3)", 2, 1000);
  command.option("--min-epochs", o.min_epochs, "Epochs of the first rung (1); the last one has --epochs", 1, 1'000'000);
  command.flag("--random", o.random, "Random search: every trial runs to its end");
  command.option("--holdout", o.holdout, "One in so many training images is held out and gives the scores (10)", 2, 1000);
  add_data_flags(command, o.files);
  command.option("--limit", o.limit, "Only N training images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--train-size", o.train_size, "Training images of a drawn set (20000)", 0, kMaxImages);
  command.option("--config", o.config, "Recipe as JSON: what does not vary; options given here win");
  command.flag("--quiet", o.quiet, "No progress on standard error, only errors");
  const std::set<std::string> own{"max_steps",    "eval_every",         "patience",
                                  "min_delta",
                                  "stop_metric",  // of how long a trial runs
                                  "distillation", "distillation_alpha", "distillation_temperature"};  // without a teacher
  for (const auto& [title, group] : {std::pair("Recipe: what does not vary", FieldGroup::kRecipe),
                                     {"Augmentation", FieldGroup::kAugmentation},
                                     {"What is trained", FieldGroup::kTrainedPart},
                                     {"Saving", FieldGroup::kSaving},
                                     {"Machine", FieldGroup::kMachine}}) {
    command.group(title);
    for (const ConfigFlag& flag : config_flags({}))
      if (flag.group == group && !own.contains(flag.key))
        command.option(flag.flag, o.fields[flag.key], flag.help).type(flag.type);
  }
}

}  // namespace

void add_search(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "search", "Search for a better recipe: random trials, the worse ones stopped early");
  add_options(command, *o);
  command.footer(
      "space.json: {\"lr\": {\"log\": [1e-4, 1e-2]}, \"optimizer\": [\"adamw\", \"muon\"], \"weight_decay\": {\"uniform\": [0, "
      "0.1]},\n"
      "             \"batch_size\": {\"int\": [32, 256]}}\n"
      "Trials are a function of --seed. Ctrl-C stops; the same command goes on.\n"
      "Example: vitrail search --data glyphs --space space.json --minutes 10 --out search");
  command.runs(action, [o] {
    if (!o->quiet) print_machine_notice();
    return run(*o);
  });
}

}  // namespace vitrail::cli
