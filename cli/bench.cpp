// vitrail bench: how fast one model trains or answers here, and where its time goes.
#include <chrono>
#include <cstdio>
#include <memory>

#include "autograd/ops/layers.h"
#include "base/file.h"
#include "cli/bench_report.h"
#include "cli/command.h"
#include "models/presets.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/probe.h"
#include "tensor/precision.h"
#include "train/optim/optim.h"

namespace vitrail::cli {

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string model, mode = "train", precision = "f32", svg;
  int64_t batch_size = 8, steps = 5, warmup = 2, threads = 0, img_size = 0;
  bool json = false;
};

void validate(const Options& o) {
  check(o.mode == "train" || o.mode == "infer", ErrorKind::kValue, "bench", "--mode must be train or infer: it is ",
        quote(o.mode), ".");
  precision_from_name(o.precision);
}

models::ModelConfig config_of(const Options& o) {
  const bool file = o.model.find('/') != std::string::npos || o.model.ends_with(".json");
  const models::ModelConfig config =
      file ? models::config_from_json(read_text_file(o.model), o.model) : models::find_preset(o.model).config;
  const models::ModelConfig sized = models::adapted(config, {.img_height = o.img_size, .img_width = o.img_size});
  models::validate(sized);
  return sized;
}

// One model with random images and labels, always the same.
class Work {
 public:
  Work(const Options& o, Rng rng)
      : train_(o.mode == "train"), model_(models::make_model(config_of(o), rng)), optimizer_(make_param_groups(*model_, 0.05)) {
    const int64_t classes = model_->num_classes();
    check(!train_ || classes > 0, ErrorKind::kValue, "bench",
          "a model without a head cannot be trained: num_classes is 0. Hint: --mode infer.");
    images_ = rand_normal({o.batch_size, model_->in_chans(), model_->img_height(), model_->img_width()}, 0, 1, rng.split());
    labels_ = rand_int({o.batch_size}, 0, std::max<int64_t>(1, classes), rng.split());
    if (!train_) model_->eval();
  }

  void step() {
    if (!train_) {
      const NoGradGuard no_grad;
      (*model_)(images_);
      return;
    }
    cross_entropy((*model_)(images_), labels_).backward();
    optimizer_.step(1e-3);
    optimizer_.zero_grad();
  }

  models::Classifier& model() { return *model_; }

 private:
  bool train_;
  std::unique_ptr<models::Classifier> model_;
  AdamW optimizer_;
  Tensor images_, labels_;
};

BenchResult measure(const Options& o) {
  BenchResult r;
  r.model = o.model, r.mode = o.mode, r.precision = o.precision;
  const PrecisionGuard precision(precision_from_name(o.precision));
  r.batch_size = o.batch_size, r.warmup = o.warmup, r.threads = num_threads();
  r.base_rss_bytes = resident_bytes();
  r.peak_gflops = measure_peak_gflops();
  {
    reset_peak_memory();
    Work work(o, Rng(1));
    r.parameters = work.model().num_parameters();
    r.img_height = work.model().img_height(), r.img_width = work.model().img_width();
    for (int64_t i = 0; i < o.warmup; ++i) work.step();
    Profile profile;
    const int64_t flops = counted_flops();
    for (int64_t i = 0; i < o.steps; ++i) {
      const Clock::time_point start = Clock::now();
      work.step();
      profile.stop();
      r.step_seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    }
    r.flops_per_step = (counted_flops() - flops) / o.steps;
    r.breakdown = profile.entries();
    r.peak_tensor_bytes = memory_stats().peak_bytes;
    r.peak_rss_bytes = peak_resident_bytes();
  }
  empty_memory_cache();
  // Once more: the machine may have been busy the first time, and the probe of the memory must not count as the model's.
  r.peak_gflops = std::max(r.peak_gflops, measure_peak_gflops());
  r.bandwidth_gb = measure_bandwidth_gb();
  return r;
}

int run(const Options& o) {
  validate(o);
  if (o.threads > 0) set_num_threads(static_cast<int>(o.threads));
  print_machine_notice();
  const BenchResult result = measure(o);
  if (!o.svg.empty()) write_file_atomically(o.svg, to_svg(result));
  std::printf("%s\n", o.json ? to_json(result).c_str() : to_text(result).c_str());
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto o = std::make_shared<Options>();
  Command command(app, "bench", "Measure how fast a model trains or answers, and where the time goes");
  command.option("--model", o->model, "Preset or config.json").required();
  command.option("--batch-size", o->batch_size, "Images per step (8)", 1, 65536);
  command.option("--mode", o->mode, "train (forward, loss, backward, AdamW) or infer (train)");
  command.option("--precision", o->precision,
                 "f32, or bf16: operands of the products of linear layers and attention rounded (f32)");
  command.option("--steps", o->steps, "Timed steps (5)", 1, 100000);
  command.option("--warmup", o->warmup, "Steps before them (2)", 0, 100000);
  command.option("--threads", o->threads, "Processors to use (all)", 0, kMaxThreads);
  command.option("--img-size", o->img_size, "Side of the images instead of the model's own", 0, 16384);
  command.flag("--json", o->json, "Machine-readable output");
  command.option("--svg", o->svg, "Write a picture of the breakdown");
  command.footer("Example: vitrail bench --model vit_tiny_patch16_224 --batch-size 16 --svg tiny.svg");
  command.runs(action, [o] { return run(*o); });
}

}  // namespace vitrail::cli
