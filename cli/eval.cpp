// vitrail eval.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/model_options.h"
#include "cli/task_options.h"
#include "data/relabelled.h"
#include "tensor/machine/parallel.h"
#include "tensor/precision.h"
#include "train/evaluate.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string data, model, split = "test", precision = "f32";
  DataFlags files;
  ModelFlags opening;
  std::optional<double> threshold;
  int64_t threads = 0, limit = 0;
  bool json = false, by_index = false, ignore_missing = false;
};

Split split_named(const std::string& name) {
  if (name == "validation") return Split::kValidation;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    if (name == name_of(split)) return split;
  fail(ErrorKind::kValue, "eval", "--split must be test, val or train: it is ", quote(name), ".");
}

// The data set with the model's labels: by name, unless --by-index. Whatever differs is said.
DatasetPtr matched(const Options& o, const DatasetPtr& data, const std::vector<std::string>& names) {
  check(!o.by_index || !o.ignore_missing, ErrorKind::kValue, "eval", "--by-index and --ignore-missing exclude each other.");
  const std::vector<std::string>& own = data->class_names();
  if (o.by_index) {
    const auto differ = std::mismatch(own.begin(), own.end(), names.begin(), names.end());
    if (differ.first != own.end() && differ.second != names.end())
      complain(cat("note: classes are compared by number: ", differ.first - own.begin(), " is ", quote(*differ.first),
                   " in the data and ", quote(*differ.second), " in the model"));
    return data;
  }
  if (!o.ignore_missing) {
    if (const std::string note = about_order(own, names); !note.empty()) complain(cat("note: ", note));
    return with_classes(data, names);
  }
  KnownClasses known = with_known_classes(data, names);
  if (!known.unknown.empty())
    complain(cat("note: left out ", known.left_out, " images of ", known.unknown.size(),
                 " classes that the model does not know (", listed(known.unknown), ")"));
  return known.data;
}

// The part of the data set that was asked for, its labels those of the model: the same classes in another order would give a
// wrong accuracy without a sign.
DatasetPtr data_for(const Options& o, const ModelCard& card, std::vector<BadImage>& bad) {
  const Split split = split_named(o.split);
  DatasetOptions options = dataset_options(o.files);
  options.decode = decode_options(card.preprocessing);
  // The model decides the size of pictures from files; --image-size is for the set that the program draws in any size.
  if (o.data != "scenes") options.image_size = card.preprocessing.height;
  const DatasetSource source = open_source(o.data, options);
  print_notes(source);
  bad = source.bad;
  DatasetPtr data = source.open(split);
  if (o.limit > 0) data = limited(data, o.limit);
  return matched(o, data, card.class_names);
}

// Of a multi-label test: average precision and what the threshold gives, class by class.
void print_labels(const EvaluationDetails& details) {
  size_t longest = 5;
  for (const std::string& name : details.class_names) longest = std::max(longest, escaped(name).size());
  const int width = static_cast<int>(longest);
  std::printf("%-*s  %7s  %8s  %9s  %8s  %8s\n", width, "class", "images", "AP", "precision", "recall", "F1");
  for (size_t c = 0; c < details.labels.size(); ++c) {
    const LabelResult& label = details.labels[c];
    char ap[32] = "none";
    if (label.average_precision) std::snprintf(ap, sizeof ap, "%.2f %%", 100 * *label.average_precision);
    std::printf("%-*s  %7lld  %8s  %7.2f %%  %6.2f %%  %6.2f %%\n", width, escaped(details.class_names[c]).c_str(),
                static_cast<long long>(label.images), ap, 100 * label.precision(), 100 * label.recall(), 100 * label.f1());
  }
}

void write_labels(JsonWriter& json, const EvaluationDetails& details) {
  json.key("classes").begin_array();
  for (size_t c = 0; c < details.labels.size(); ++c) {
    const LabelResult& label = details.labels[c];
    json.begin_object().field("class", details.class_names[c]).field("images", label.images);
    if (label.average_precision) json.field("average_precision", *label.average_precision);
    json.field("precision", label.precision()).field("recall", label.recall()).field("f1", label.f1()).end_object();
  }
  json.end_array();
}

int run(const Options& o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  print_machine_notice();
  ModelCard card;
  std::shared_ptr<Origin> origin;
  const std::unique_ptr<Task> task = load_task(o.model, &card, open_options(o.opening), &origin);
  if (origin) print_origin_notes(*origin);
  std::vector<BadImage> bad;
  const DatasetPtr dataset = data_for(o, card, bad);
  set_threshold(*task, o.threshold, "eval");
  const PrecisionGuard precision(precision_from_name(o.precision));
  const Evaluation e = evaluate(*task, dataset);
  if (o.json) {
    JsonWriter json;
    json.begin_object();
    for (const Score& entry : e.all()) json.field(entry.name, entry.value);
    json.field("images", e.images);
    if (e.details && !e.details->labels.empty()) write_labels(json, *e.details);
    if (!bad.empty()) json.field("left_out", bad.size());
    std::printf("%s\n", json.end_object().text().c_str());
  } else {
    std::printf("%s %s, %lld images\n", o.split == name_of(Split::kTrain) ? "training" : e.part.c_str(),
                task->summary(e.all()).c_str(), static_cast<long long>(e.images));
    if (!bad.empty()) std::printf("%s\n", left_out(bad).c_str());
    if (e.details && !e.details->labels.empty()) {
      for (const std::string& note : e.notes) complain("note: " + note);
      print_labels(*e.details);
    }
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "eval", "Test a saved model on a data set");
  command.option("--data", o->data, kDataHelp).required();
  command.option("--model", o->model, kModelHelp).required();
  add_model_flags(command, o->opening);
  command.option("--split", o->split, "test, val or train (test; val where there is no test part)");
  add_data_flags(command, o->files);
  command.flag("--by-index", o->by_index, "Compare classes by their number: their names may differ from the model's");
  command.flag("--ignore-missing", o->ignore_missing,
               "Leave out the images of classes that the model does not know, and count them");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--threshold", o->threshold, kThresholdHelp);
  command.option("--limit", o->limit, "Only N images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--json", o->json,
               "{\"top1\":..,\"top5\":..,\"loss\":..,\"macro_f1\":..,\"balanced_accuracy\":..,\"images\":..}");
  command.footer("Example: vitrail eval --data photos --model runs/photos --json");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
