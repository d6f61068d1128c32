// vitrail train, vitrail demo.
#include <memory>
#include <optional>

#include "base/file.h"
#include "cli/command.h"
#include "cli/train_job.h"
#include "tensor/machine/parallel.h"

namespace vitrail::cli {

namespace {

// What the user may say; what he does not say comes from the data set's recipe.
struct Options {
  std::string data, model, out, config, baseline;
  std::optional<int64_t> epochs, max_steps, batch_size, crop_padding, eval_every, seed;
  std::optional<std::string> optimizer, schedule, precision;
  std::optional<double> lr, min_lr, weight_decay, warmup, label_smoothing, clip_norm, ema_decay;
  std::optional<bool> mirror;
  int64_t threads = 0, limit = 0, train_size = 0, test_size = 0;
  bool dry_run = false;
};

template <class T>
void take(T& field, const std::optional<T>& given) {
  if (given) field = *given;
}

TrainConfig config_from(const Options& o, const DatasetInfo& info) {
  TrainConfig c = recipe_for(info);
  if (!o.config.empty()) c = train_config_from_json(read_text_file(o.config), c, o.config);
  take(c.epochs, o.epochs);
  take(c.max_steps, o.max_steps);
  take(c.batch_size, o.batch_size);
  take(c.crop_padding, o.crop_padding);
  take(c.eval_every, o.eval_every);
  if (o.seed) c.seed = static_cast<uint64_t>(*o.seed);
  take(c.precision, o.precision);
  take(c.optimizer, o.optimizer);
  take(c.schedule, o.schedule);
  take(c.lr, o.lr);
  take(c.min_lr, o.min_lr);
  take(c.weight_decay, o.weight_decay);
  take(c.warmup, o.warmup);
  take(c.label_smoothing, o.label_smoothing);
  take(c.clip_norm, o.clip_norm);
  take(c.ema_decay, o.ema_decay);
  take(c.mirror, o.mirror);
  if (o.threads > 0) c.threads = o.threads;
  validate(c);
  return c;
}

TrainJob job_from(const Options& o) {
  check(o.baseline.empty() || o.baseline == "linear", ErrorKind::kValue, "train", "unknown baseline: it is \"", o.baseline,
        "\". Hint: --baseline linear.");
  TrainJob job;
  job.model = o.model;
  job.out = o.out;
  job.data = o.data;
  job.baseline = !o.baseline.empty();
  DatasetOptions options;
  options.limit = o.limit;
  options.train_size = o.train_size;
  options.test_size = o.test_size;
  job.train = open_dataset(o.data, Split::kTrain, options);
  options.limit = 0;
  job.test = open_dataset(o.data, Split::kTest, options);
  job.config = config_from(o, job.train->info());
  if (job.config.threads > 0) set_num_threads(static_cast<int>(job.config.threads));
  return job;
}

void add_recipe(Command& command, Options& o) {
  command.option("--epochs", o.epochs, "Times that every image is seen (8 for grey images, else 10)", 1, 1000000);
  command.option("--max-steps", o.max_steps, "Stop after so many updates", 1, kMaxImages);
  command.option("--batch-size", o.batch_size, "Images per update (128)", 1, kMaxImages);
  command.option("--lr", o.lr, "Highest learning rate (0.002 for grey images, else 0.001)");
  command.option("--seed", o.seed, "The run is a function of it (0)");
  command.option("--threads", o.threads, "Processors to use (all); the result does not depend on it", 0, kMaxThreads);
  command.option("--model", o.model, "Preset or config.json (cct_2_3x2_d64; cct_2_3x2 for colour)");
  command.option("--train-size", o.train_size, "Training images of a drawn set (20000)", 0, kMaxImages);
  command.option("--test-size", o.test_size, "Test images of a drawn set (4000)", 0, kMaxImages);
}

void add_fine_print(Command& command, Options& o) {
  command.option("--precision", o.precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--optimizer", o.optimizer, "adamw, adam, sgd, lion, rmsprop");
  command.option("--weight-decay", o.weight_decay, "On matrices only (0.05)");
  command.option("--schedule", o.schedule, "constant, linear, cosine, step, multistep, polynomial");
  command.option("--warmup", o.warmup, "Part of the run in which the rate rises (0.05)");
  command.option("--min-lr", o.min_lr, "Rate at the end (0.00001)");
  command.option("--label-smoothing", o.label_smoothing, "Target mass spread over all classes (0.1)");
  command.option("--clip-norm", o.clip_norm, "Largest gradient norm (1); 0: no clipping");
  command.option("--ema", o.ema_decay, "Decay of the average of the weights, as 0.999; 0: none");
  command.option("--crop-padding", o.crop_padding, "Random crop after padding by this", 0, 4096);
  command.option("--mirror", o.mirror, "true: exchange left and right in half of the cases");
  command.option("--eval-every", o.eval_every, "Epochs between two tests (1)", 0, 1000000);
  command.option("--limit", o.limit, "Only the first N training images", 0, kMaxImages);
  command.option("--config", o.config, "Recipe as JSON; options given here win");
  command.option("--baseline", o.baseline, "linear: train a softmax regression first, to compare with");
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "train", "Train a model on a data set and save it");
  command.option("--data", o->data, "fashion-mnist:DIR, mnist:DIR, cifar10:DIR, cifar100:DIR, glyphs, scenes").required();
  command.option("--out", o->out, "Folder for model.safetensors and log.jsonl");
  add_recipe(command, *o);
  add_fine_print(command, *o);
  command.flag("--dry-run", o->dry_run, "Print parameters, memory and time, and leave");
  command.footer("Example: vitrail train --data fashion-mnist:../shared/data/fashion-mnist --out fashion");
  command.runs(action, [o] {
    check(o->dry_run || !o->out.empty(), ErrorKind::kValue, "train", "--out is needed. Hint: --out DIR, or --dry-run.");
    print_machine_notice();
    const TrainJob job = job_from(*o);
    return o->dry_run ? print_estimates(job) : run_training(job);
  });
}

void add_demo(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  o->data = "glyphs";
  o->baseline = "linear";
  o->out = "demo";
  o->epochs = 3;
  o->batch_size = 64;
  Command command(app, "demo", "Train a small ViT on pictures that the program draws itself");
  command.option("--out", o->out, "Folder for the model (demo)");
  add_recipe(command, *o);
  command.footer(
      "As train --data glyphs --baseline linear, with 3 epochs in batches of 64 unless told otherwise.\nExample: vitrail demo "
      "--out demo");
  command.runs(action, [o] {
    print_machine_notice();
    return run_training(job_from(*o));
  });
}

}  // namespace vitrail::cli
