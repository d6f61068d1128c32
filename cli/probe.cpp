// vitrail probe.
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/model_options.h"
#include "models/weights/save.h"
#include "tensor/machine/parallel.h"
#include "tensor/precision.h"
#include "train/interrupt.h"
#include "train/probe/head.h"
#include "train/probe/probe.h"
#include "train/run_folder.h"

namespace vitrail::cli {
namespace {

struct Options {
  ModelFlags opening;
  std::string model, data, out, precision = "f32";
  DataFlags files;
  int64_t limit = 0, threads = 0, workers = 0;
  bool json = false, force = false;
};

struct Parts {
  DatasetPtr train, test;
};

Parts parts_of(const Options& o, const Preprocessing& preprocessing) {
  DatasetOptions options = dataset_options(o.files);
  options.decode = decode_options(preprocessing);
  // The model decides the size of pictures from files; --image-size is for the set that the program draws in any size.
  if (o.data != "scenes") options.image_size = preprocessing.height;
  const DatasetSource source = open_source(o.data, options);
  print_notes(source);
  Parts parts{source.open(Split::kTrain), source.open(Split::kTest)};
  require_one_label(*parts.train, "probe");
  if (o.limit > 0) parts.train = limited(parts.train, o.limit);
  check(parts.train->num_classes() >= 2, ErrorKind::kValue, "probe", escaped(parts.train->name()), " has ",
        parts.train->num_classes(), " class: there is nothing to tell apart.");
  return parts;
}

// Training pictures of each class: one without any cannot be learnt, and the head would still name it.
void check_every_class(const FeatureSet& train, const std::vector<std::string>& names) {
  std::vector<int64_t> counts(names.size());
  for (const int64_t label : train.labels) ++counts[static_cast<size_t>(label)];
  std::vector<std::string> empty;
  for (size_t c = 0; c < names.size(); ++c)
    if (counts[c] == 0) empty.push_back(names[c]);
  if (!empty.empty()) complain(cat("note: there is no training picture of ", listed(empty), ": it will hardly ever be named"));
}

std::string training_json(const Options& o, const Parts& parts, const ProbeResult& best) {
  JsonWriter json;
  json.begin_object().field("data", parts.train->name()).field("images", parts.train->size()).field("probe", best.method);
  json.field("setting", best.setting).field("from", o.model);
  json.key("test").begin_object().field("top1", best.test_accuracy).field("loss", best.test_loss).end_object();
  return json.end_object().text();
}

void save(const Options& o, LoadedModel& loaded, const Parts& parts, const ProbeResult& best) {
  const auto model = with_head(*loaded.model, *best.head);
  ModelCard card = loaded.card;
  card.class_names = parts.train->class_names();
  card.task = kClassification;
  card.calibration.reset();  // of another head
  card.training = training_json(o, parts, best);
  save_model(o.out, *model, card);
}

void print_json(const Options& o, const ProbeReport& report, const FeatureSet& train, const FeatureSet& test, double seconds) {
  JsonWriter json(2);
  json.begin_object().field("train_images", train.size()).field("test_images", test.size());
  json.field("features", train.features.size(1)).field("seconds", seconds).key("results").begin_array();
  for (const ProbeResult& r : report.results) {
    json.begin_object().field("method", r.method).field("top1", r.test_accuracy).field("loss", r.test_loss);
    json.field("held_out_top1", r.held_out_accuracy).field("setting", r.setting).field("seconds", r.seconds).end_object();
  }
  json.end_array().field("best_linear", report.results[report.best_linear].method);
  if (!o.out.empty()) json.field("saved", o.out);
  std::printf("%s\n", json.end_object().text().c_str());
}

void print_text(const Options& o, const ProbeReport& report, const FeatureSet& train, const FeatureSet& test, double seconds) {
  std::printf("%lld features of %lld training and %lld test images: %.1f s\n\n", static_cast<long long>(train.features.size(1)),
              static_cast<long long>(train.size()), static_cast<long long>(test.size()), seconds);
  std::printf("%-20s %9s %9s %9s %9s   %s\n", "", "test", "held out", "loss", "seconds", "chosen");
  for (const ProbeResult& r : report.results) {
    const char* name = r.method == "ridge"      ? "ridge regression"
                       : r.method == "logistic" ? "logistic regression"
                                                : "nearest neighbours";
    std::printf("%-20s %7.2f %% %7.2f %% %9.4f %9.2f   %s\n", name, 100 * r.test_accuracy, 100 * r.held_out_accuracy,
                r.test_loss, r.seconds, r.setting.c_str());
  }
  if (!o.out.empty())
    std::printf(
        "\nsaved with the head of %s regression, the better one on held-out training images:\n  vitrail predict --model %s "
        "PICTURE\n",
        report.results[report.best_linear].method.c_str(), escaped_path(o.out).c_str());
}

int run(const Options& o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  if (!o.out.empty()) RunFolder::check_free(o.out, o.force);
  print_machine_notice();
  LoadedModel loaded = load_model(o.model, open_options(o.opening));
  if (loaded.origin) print_origin_notes(*loaded.origin);
  const Parts parts = parts_of(o, loaded.card.preprocessing);
  const auto start = std::chrono::steady_clock::now();
  const FeatureOptions options{.workers = o.workers, .progress = progress_lines()};
  FeatureSet train, test;
  {
    const PrecisionGuard precision(precision_from_name(o.precision));
    train = extract_features(*loaded.model, parts.train, loaded.card.preprocessing, options);
    test = extract_features(*loaded.model, parts.test, loaded.card.preprocessing, options);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  check_every_class(train, parts.train->class_names());
  const ProbeReport report = run_probes(train, test, parts.train->num_classes());
  if (!o.out.empty()) save(o, loaded, parts, report.results[report.best_linear]);
  o.json ? print_json(o, report, train, test, seconds) : print_text(o, report, train, test, seconds);
  return 0;
}

}  // namespace

void add_probe(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "probe", "Fit a new head on a model's frozen features, in seconds");
  command.option("--model,--from", o->model, kModelHelp).required();
  add_model_flags(command, o->opening);
  command.option("--data", o->data, kDataHelp).required();
  command.option("--out", o->out, "Folder for the model with the better linear head; without it the results are printed alone");
  add_data_flags(command, o->files);
  command.option("--limit", o->limit, "Only N training images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--workers", o->workers, "Threads that decode pictures ahead (0)", 0, 256);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--force", o->force, "Replace the model that the folder holds");
  command.flag("--json", o->json, "Machine-readable output");
  command.footer("Example: vitrail probe --model runs/pretrained --data flowers --out runs/flowers");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
