// vitrail calibrate.
#include <cstdio>
#include <memory>

#include "base/json_writer.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/model_options.h"
#include "cli/validation_data.h"
#include "tensor/machine/parallel.h"
#include "train/answer_calibration.h"
#include "train/interrupt.h"

namespace vitrail::cli {

namespace {

struct Options {
  std::string model, data;
  std::optional<double> keep;
  DataFlags files;
  int64_t limit = 0, threads = 0;
  bool json = false, dry_run = false;
};

void print_json(const CalibrationReport& r) {
  const AnswerCalibration& c = r.found;
  JsonWriter json;
  json.begin_object().field("temperature", c.temperature).field("unknown_below", c.unknown_below).field("images", c.images);
  json.field("accuracy", r.accuracy).field("loss_before", r.loss_before).field("loss_after", r.loss_after);
  json.field("ece_before", c.ece_before).field("ece_after", c.ece_after).field("right_kept", r.kept);
  json.field("wrong_unknown", r.refused).end_object();
  std::printf("%s\n", json.text().c_str());
}

void print_text(const CalibrationReport& r, const char* part) {
  const AnswerCalibration& c = r.found;
  std::printf("%lld %s images, accuracy %.2f %%\n", static_cast<long long>(c.images), part, 100 * r.accuracy);
  std::printf("temperature        %.4f\n", c.temperature);
  std::printf("calibration error  %.2f %% before, %.2f %% after\n", 100 * c.ece_before, 100 * c.ece_after);
  std::printf("loss               %.4f before, %.4f after\n", r.loss_before, r.loss_after);
  std::printf("unknown below      %.2f %%: keeps %.2f %% of the right answers, refuses %.2f %% of the wrong ones\n",
              100 * c.unknown_below, 100 * r.kept, 100 * r.refused);
}

int run(const Options& o) {
  if (o.threads != 0) set_num_threads(static_cast<int>(o.threads));
  print_machine_notice();
  const double keep = o.keep.value_or(0.95);
  check_share(keep);  // before the work, not behind it
  ModelCard card;
  std::shared_ptr<Origin> origin;
  const std::unique_ptr<Task> task = load_task(o.model, &card, {}, &origin);
  check(card.task == kClassification, ErrorKind::kValue, "calibrate",
        "a temperature is for one label per picture: the model's task is ", escaped(card.task),
        ". Hint: --threshold of predict and eval.");
  const InterruptScope interrupts;
  check(!origin || o.dry_run, ErrorKind::kValue, "calibrate", escaped_path(o.model),
        ": another program wrote this model, and its file has no place for a calibration. Hint: vitrail convert --to vitrail "
        "first.");
  const DatasetPtr data = validation_data(o.data, o.files, o.limit, card);
  require_one_label(*data, "calibrate");
  CalibrationReport report = calibrate_answers(logits_of(*task, data), keep);
  report.found.data = data->name();
  if (!o.dry_run) save_calibration(o.model, report.found);
  o.json ? print_json(report) : print_text(report, result_name(data->info()));
  if (!o.json && !o.dry_run)
    std::printf("saved in %s; predict uses it, and --no-calibration does not\n", escaped_path(o.model).c_str());
  return 0;
}

}  // namespace

void add_calibrate(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "calibrate", "Make a model's probabilities mean what they say, and let it answer \"unknown\"");
  command.option("model", o->model, "A folder that train wrote, or its model.safetensors: the calibration is saved in it")
      .required();
  command.option("--data", o->data, kDataHelp).required();
  command.option("--keep", o->keep, "Share of the right answers that must not become unknown (0.95)");
  add_data_flags(command, o->files);
  command.option("--limit", o->limit, "Only N images: the first, of folders and lists evenly spread", 0, kMaxImages);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.flag("--dry-run", o->dry_run, "Print what would be saved, and leave the model as it is");
  command.flag("--json", o->json, "Machine-readable output");
  command.footer(
      "One temperature, by which the logits are divided, and the least probability of an answer; weights keep their bits.\n"
      "Example: vitrail calibrate runs/photos --data photos");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
