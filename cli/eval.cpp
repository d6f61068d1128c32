// vitrail eval.
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "data/sets/registry.h"
#include "tensor/machine/parallel.h"
#include "tensor/precision.h"
#include "train/evaluate.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string data, model, split = "test", precision = "f32";
  int64_t threads = 0, limit = 0;
  bool json = false;
};

int run(const Options& o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  check(o.split == "test" || o.split == "train", ErrorKind::kValue, "eval", "--split must be test or train: it is ", quote(o.split),
        ".");
  print_machine_notice();
  ModelCard card;
  const std::unique_ptr<Task> task = load_task(o.model, &card);
  DatasetOptions options;
  options.limit = o.limit;
  const DatasetPtr dataset = open_dataset(o.data, o.split == "test" ? Split::kTest : Split::kTrain, options);
  // The same number of classes in another order would give a wrong accuracy without a sign.
  if (dataset->class_names().size() == card.class_names.size() && dataset->class_names() != card.class_names)
    complain(cat("note: the class names of ", quote(o.data), " are not those that the model was trained with"));
  const PrecisionGuard precision(precision_from_name(o.precision));
  const Evaluation e = evaluate(*task, dataset);
  if (o.json) {
    JsonWriter json;
    json.begin_object();
    for (const Score& entry : e.scores) json.field(entry.name, entry.value);
    std::printf("%s\n", json.field("images", e.images).end_object().text().c_str());
  } else {
    std::printf("test %s, %lld images\n", task->summary(e.scores).c_str(), static_cast<long long>(e.images));
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "eval", "Test a saved model on a data set");
  command.option("--data", o->data, "fashion-mnist:DIR, mnist:DIR, cifar10:DIR, cifar100:DIR, glyphs, scenes").required();
  command.option("--model", o->model, "Folder that train wrote, or its model.safetensors").required();
  command.option("--split", o->split, "test or train (test)");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--limit", o->limit, "Only the first N images", 0, kMaxImages);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--json", o->json, "{\"top1\":..,\"top5\":..,\"loss\":..,\"images\":..}");
  command.footer("Example: vitrail eval --data fashion-mnist:../shared/data/fashion-mnist --model fashion --json");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
