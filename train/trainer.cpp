#include "train/trainer.h"

#include <chrono>

#include "autograd/ops/layers.h"
#include "data/loader.h"
#include "nn/norm.h"
#include "nn/registration.h"
#include "tensor/product/precision.h"
#include "tensor/rng.h"
#include "train/epoch_log.h"
#include "train/interrupt.h"
#include "train/metrics.h"
#include "train/optim/clip.h"
#include "train/optim/ema.h"
#include "train/progress.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// A last batch of one image joins the one before it in a model with batch norm, which could not train on it.
LoaderOptions loader_options(const TrainConfig& config, models::Classifier& model) {
  return {.batch_size = config.batch_size, .seed = config.seed, .train = true, .join_last_one = nn::has_batch_norm(model)};
}

// One run: what train_model is made of.
class Run {
 public:
  Run(models::Classifier& model, DatasetPtr train, DatasetPtr test, const Preprocessing& preprocessing,
      const TrainConfig& config, const TrainCallbacks& callbacks)
      : model_(model),
        test_(std::move(test)),
        preprocessing_(preprocessing),
        config_(config),
        callbacks_(callbacks),
        loader_(train, Transform{preprocessing, {config.crop_padding, config.mirror}},
                loader_options(config, model)),
        optimizer_(make_optimizer(config, model)),
        steps_(total_steps(config, train->size(), model)),
        epochs_((steps_ + loader_.batches() - 1) / loader_.batches()),
        schedule_(make_schedule(config, steps_, loader_.batches())),
        progress_(callbacks.quiet),
        log_(callbacks.log_path) {
    if (config.ema_decay > 0) ema_.emplace(model, config.ema_decay);
  }

  TrainResult run() {
    // A part that the caller put into evaluation (a frozen batch norm) stays there; a model that is in evaluation as a whole
    // (a loaded one) is switched.
    if (!model_.training()) model_.train();
    progress_.line(describe(optimizer_->groups()) +
                   cat(steps_, " updates in ", epochs_, " epochs of ", loader_.samples(), " images"));
    for (int64_t epoch = 0; epoch < epochs_ && !result_.signal; ++epoch) train_epoch(epoch);
    if (ema_) ema_->swap();
    model_.eval();
    result_.seconds = seconds_since(start_);
    return std::move(result_);
  }

 private:
  void train_epoch(int64_t epoch) {
    report_ = {.epoch = epoch + 1};
    loss_ = top1_ = {};
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < loader_.batches() && result_.steps < steps_ && !result_.signal; ++i) {
      train_step(loader_.batch(epoch, i));
      report_.images_per_second = loss_.samples() / seconds_since(start);
      show_progress();
      result_.signal = interrupt_signal();
    }
    finish_epoch();
  }

  void train_step(const Batch& batch) {
    // Dropout is a function of (seed, step), whatever was drawn before.
    default_rng() = Rng(config_.seed).at(static_cast<uint64_t>(result_.steps));
    const Variable logits = model_(batch.images);
    CrossEntropyOptions options;
    options.label_smoothing = config_.label_smoothing;
    const Variable loss = cross_entropy(logits, batch.labels, options);
    if (result_.steps == 0) nn::check_registered(loss, model_);
    optimizer_->zero_grad();
    loss.backward();
    report_.grad_norm = grad_norm(optimizer_->groups());
    report_.lr = learning_rate(schedule_, result_.steps);
    check_finite(loss.item(), report_.grad_norm, result_.steps);
    optimizer_->step(report_.lr, clip_scale(report_.grad_norm, config_.clip_norm));
    if (ema_) ema_->update();
    ++result_.steps;
    const double images = static_cast<double>(batch.labels.numel());
    loss_.add(loss.item(), images);
    top1_.add(top_k_accuracy(logits.value(), batch.labels), images);
    if (callbacks_.on_step) callbacks_.on_step(result_.steps, loss.item());
  }

  void show_progress() {
    const double left = static_cast<double>((steps_ - result_.steps) * config_.batch_size);
    progress_.update({report_.epoch, epochs_, result_.steps, steps_, loss_.mean(), top1_.mean(), report_.images_per_second,
                      left / report_.images_per_second});
  }

  void finish_epoch() {
    optimizer_->zero_grad();
    report_.step = result_.steps;
    report_.train_loss = loss_.mean();
    report_.train_top1 = top1_.mean();
    const EmaScope averaged(ema_ ? &*ema_ : nullptr);
    const bool last = result_.steps == steps_;
    // Who pressed Ctrl-C does not want to wait for a test.
    if (test_ && !result_.signal && (last || report_.epoch % config_.eval_every == 0))
      report_.test = evaluate(model_, test_, preprocessing_);
    report_.seconds = seconds_since(start_);
    progress_.line(format_epoch(report_, epochs_));
    log_.append(to_json_line(report_));
    if (callbacks_.on_epoch) callbacks_.on_epoch(report_);
    result_.history.push_back(report_);
  }

  models::Classifier& model_;
  DatasetPtr test_;
  const Preprocessing& preprocessing_;
  const TrainConfig& config_;
  const TrainCallbacks& callbacks_;
  Loader loader_;
  std::unique_ptr<Optimizer> optimizer_;
  int64_t steps_, epochs_;
  Schedule schedule_;
  Progress progress_;
  EpochLog log_;
  std::optional<Ema> ema_;
  Clock::time_point start_ = Clock::now();
  EpochReport report_;
  RunningMean loss_, top1_;
  TrainResult result_;
};

}  // namespace

int64_t total_steps(const TrainConfig& config, int64_t images, models::Classifier& model) {
  const int64_t all = config.epochs * count_batches(images, loader_options(config, model));
  return config.max_steps > 0 ? std::min(all, config.max_steps) : all;
}

TrainResult train_model(models::Classifier& model, DatasetPtr train, DatasetPtr test, const Preprocessing& preprocessing,
                        const TrainConfig& config, const TrainCallbacks& callbacks) {
  validate(config);
  check(model.num_classes() == train->num_classes(), ErrorKind::kValue, "train",
        "model and data have different classes: model has ", model.num_classes(), ", ", train->name(), " has ",
        train->num_classes(), ".");
  const PrecisionGuard precision(precision_from_name(config.precision));
  return Run(model, std::move(train), std::move(test), preprocessing, config, callbacks).run();
}

}  // namespace vitrail
