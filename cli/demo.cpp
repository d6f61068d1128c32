// vitrail demo: the whole story on pictures that the program draws itself: a model learns digits, then letters from a few
// examples of each, and shows where it looked.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/html.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/demo_page.h"
#include "cli/ladder.h"
#include "cli/train_flags.h"
#include "cli/train_setup.h"
#include "train/progress.h"
#include "train/report/run_data.h"

namespace vitrail::cli {

namespace {

constexpr const char *kDigits = "drawn-digits", *kLetters = "drawn-letters";
constexpr int64_t kUsualDigits = 20000, kUsualTests = 2000;

struct Options {
  TrainOptions digits;
  std::string out = "demo";
  int64_t letters = 10, letter_epochs = 40, test_size = kUsualTests;
};

DemoStory story_so_far(const Options& o, const TrainJob& job) {
  DemoStory story;
  story.folder = o.out;
  story.digits = job.train->size();
  story.letters = o.letters;
  const report::RunData run = report::read_run(o.out + "/digits");
  if (const MetricsRow* last = run.last_with("test_top1")) story.digits_accuracy = *last->find("test_top1");
  return story;
}

LadderOptions ladder_options(const Options& o, const TrainJob& job) {
  LadderOptions l;
  l.from = o.out + "/digits", l.data = kLetters, l.out = o.out + "/letters";
  l.epochs = o.letter_epochs, l.force = o.digits.force, l.seed = static_cast<int64_t>(job.config.seed);
  l.train_size = o.letters * 10, l.test_size = o.test_size;
  l.shares = {1};
  l.methods = {"lora", "full", "scratch"};
  return l;
}

// The training with the best result; its folder.
std::string best_run(const Options& o, const std::vector<report::TransferRow>& rows) {
  const report::TransferRow* best = nullptr;
  for (const report::TransferRow& row : rows)
    if (!row.folder.empty() && row.method != "scratch" && (!best || row.accuracy > best->accuracy)) best = &row;
  return o.out + "/letters/" + best->folder;
}

void heading(const char* text) {
  std::printf("\n%s\n", text);
  std::fflush(stdout);
}

void print_next_steps(const Options& o, const DemoStory& story) {
  const std::string out = escaped_path(o.out), model = escaped_path(story.model);
  std::printf("\nWhat next? Look at the page in a browser:\n  xdg-open %s/report.html\n", out.c_str());
  std::printf("%s/picture.png shows %s, which no model has been trained on:\n", out.c_str(), story.shown.front().name.c_str());
  std::printf("  vitrail predict --model %s %s/picture.png\n", model.c_str(), out.c_str());
  std::printf("  vitrail explain --model %s %s/picture.png --out %s/explained\n", model.c_str(), out.c_str(), out.c_str());
  std::printf("The same with pictures of your own, a folder for each class:\n");
  std::printf(
      "  vitrail train --data PHOTOS --out runs/photos\n  vitrail finetune --from MODEL --data PHOTOS --out runs/tuned\n");
}

int run(const Options& o) {
  const auto start = std::chrono::steady_clock::now();
  check_page_target("demo", o.out + "/report.html");
  TrainOptions digits = o.digits;
  digits.out = o.out + "/digits";
  digits.settings.test_size = o.test_size;
  if (!digits.quiet) print_machine_notice();
  TrainJob job = make_job(digits);
  check_can_look(*build_model(job));  // said now, not after the training
  if (!digits.force) check_no_ladder(o.out + "/letters");
  heading(cat("1. A model learns ", job.train->size(), " drawn digits").c_str());
  if (const int code = run_training(job)) return code;
  DemoStory story = story_so_far(o, job);

  heading(cat("2. What it has learnt is used for ten letters, ", o.letters, o.letters == 1 ? " picture" : " pictures",
              " of each; scratch: a new model with three times the updates")
              .c_str());
  const LadderResult ladder = run_ladder(ladder_options(o, job));
  if (ladder.signal != 0) return 128 + ladder.signal;
  std::fputs(report::transfer_table(ladder.rows).c_str(), stdout);
  story.rows = ladder.rows;
  story.model = best_run(o, ladder.rows);

  heading("3. Where it looked on two letters");
  DatasetOptions data;
  data.train_size = o.letters * 10, data.test_size = o.test_size;
  show_letters(story, *open_dataset(kLetters, Split::kTest, data));
  for (const ShownLetter& letter : story.shown)
    std::printf("%s: %s, %s/%s\n", letter.name.c_str(), letter.answer.c_str(), escaped_path(o.out).c_str(),
                letter.page.c_str());
  story.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  write_file_atomically(o.out + "/report.html", demo_page(story));
  std::printf("\nall in %s\n", format_duration(story.seconds).c_str());
  print_next_steps(o, story);
  return 0;
}

}  // namespace

void add_demo(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  TrainOptions& digits = o->digits;
  digits.settings.data = kDigits;
  digits.settings.baseline = "linear";
  digits.settings.train_size = kUsualDigits;
  digits.fields["epochs"] = "3";
  digits.fields["batch_size"] = "64";
  Command command(app, "demo", "Learn drawn digits, then letters from a few pictures: minutes, no files needed");
  command.option("--out", o->out, "Folder for the models and the page (demo)");
  command.flag("--force", digits.force, "Replace what the folder holds");
  command.flag("--quiet", digits.quiet, "No progress on standard error, only errors");
  command.option("--model", digits.settings.model, "Preset or config.json of a model with attention (cct_2_3x2_d64)");
  command.option("--train-size", digits.settings.train_size, cat("Drawn digits to learn (", kUsualDigits, ")"), 1, kMaxImages);
  command.option("--test-size", o->test_size, cat("Drawn digits, and letters, to test on (", kUsualTests, ")"), 1, kMaxImages);
  command.option("--letters", o->letters, "Pictures of each letter to learn from (10)", 1, 100'000);
  command.option("--letter-epochs", o->letter_epochs, "Times that every letter is seen; three times as often from scratch (40)",
                 1, 100'000);
  TrainConfig defaults;
  defaults.epochs = 3, defaults.batch_size = 64, defaults.lr = 2e-3;  // of recipe_for() grey images, but these
  add_recipe_flags(command, digits, defaults, {"epochs", "max_steps", "batch_size", "lr", "seed", "threads"});
  command.footer(
      "As train --data drawn-digits --baseline linear --out OUT/digits, then transfer --data drawn-letters --from OUT/digits, "
      "then\n"
      "explain. Recipe flags are of the digits' training.\nExample: vitrail demo --out demo");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
