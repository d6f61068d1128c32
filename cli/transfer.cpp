// vitrail transfer: what a trained model is worth for other data, from neighbours of frozen features to training from scratch.
#include <cstdio>
#include <memory>

#include "base/text.h"
#include "cli/command.h"
#include "cli/data_options.h"
#include "cli/ladder.h"

namespace vitrail::cli {

namespace {

int run(const LadderOptions& o, bool json) {
  print_machine_notice();
  const LadderResult ladder = run_ladder(o);
  if (ladder.signal != 0) return 128 + ladder.signal;
  std::printf("%s", (json ? report::transfer_json(ladder.rows) + "\n" : report::transfer_table(ladder.rows)).c_str());
  if (!ladder.left_out.empty()) complain(cat("note: left out for want of time: ", listed(ladder.left_out, 20)));
  if (!json) std::printf("written: %s/transfer.html\n", escaped_path(o.out).c_str());
  return 0;
}

}  // namespace

void add_transfer(CLI::App& app, Action& action) {
  auto o = std::make_shared<LadderOptions>();
  auto json = std::make_shared<bool>(false);
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
  command.flag("--json", *json, "Machine-readable output");
  command.flag("--resume", o->resume, "Go on with the ladder that the folder holds: the same command; finished rungs are kept");
  command.flag("--force", o->force, "Replace the results that the folder holds");
  command.footer(
      "The ladder, at 10, 50 and 100 % of the pictures: neighbours and ridge regression on frozen features, LoRA, the last "
      "two\n"
      "blocks, every weight, and the same architecture from new weights with three times the updates.\n"
      "Example: vitrail transfer --from runs/pretrained --data flowers --out runs/transfer --minutes 20");
  command.runs(action, [o, json] { return run(*o, *json); });
}

}  // namespace vitrail::cli
