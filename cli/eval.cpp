// vitrail eval.
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "data/relabelled.h"
#include "tensor/machine/parallel.h"
#include "tensor/precision.h"
#include "train/evaluate.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string data, model, split = "test", precision = "f32";
  DataFlags files;
  int64_t threads = 0, limit = 0;
  bool json = false, by_index = false;
};

Split split_named(const std::string& name) {
  if (name == "validation") return Split::kValidation;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    if (name == name_of(split)) return split;
  fail(ErrorKind::kValue, "eval", "--split must be test, val or train: it is ", quote(name), ".");
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
  if (o.limit > 0) data = data->reads_files() ? spread_n(data, o.limit) : first_n(data, o.limit);
  return o.by_index ? data : with_classes(std::move(data), card.class_names);
}

int run(const Options& o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  print_machine_notice();
  ModelCard card;
  const std::unique_ptr<Task> task = load_task(o.model, &card);
  std::vector<BadImage> bad;
  const DatasetPtr dataset = data_for(o, card, bad);
  const PrecisionGuard precision(precision_from_name(o.precision));
  const Evaluation e = evaluate(*task, dataset);
  if (o.json) {
    JsonWriter json;
    json.begin_object();
    for (const Score& entry : e.scores) json.field(entry.name, entry.value);
    json.field("images", e.images);
    if (!bad.empty()) json.field("left_out", bad.size());
    std::printf("%s\n", json.end_object().text().c_str());
  } else {
    std::printf("%s %s, %lld images\n", o.split == name_of(Split::kTrain) ? "training" : e.part.c_str(),
                task->summary(e.scores).c_str(), static_cast<long long>(e.images));
    if (!bad.empty()) std::printf("%s\n", left_out(bad).c_str());
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "eval", "Test a saved model on a data set");
  command.option("--data", o->data, kDataHelp).required();
  command.option("--model", o->model, "Folder that train wrote, or its model.safetensors").required();
  command.option("--split", o->split, "test, val or train (test; val where there is no test part)");
  add_data_flags(command, o->files);
  command.flag("--by-index", o->by_index, "Compare classes by their number: their names may differ from the model's");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--limit", o->limit, "Only N images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--json", o->json, "{\"top1\":..,\"top5\":..,\"loss\":..,\"images\":..}");
  command.footer("Example: vitrail eval --data photos --model runs/photos --json");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
