#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>

#include "base/text.h"
#include "data/loader.h"
#include "tensor/precision.h"
#include "tensor/rng.h"
#include "train/early_stop.h"
#include "train/epoch_means.h"
#include "train/feature_cache.h"
#include "train/finetune/trained_part.h"
#include "train/group_gradients.h"
#include "train/interrupt.h"
#include "train/keep_buffers.h"
#include "train/metrics_log.h"
#include "train/not_finite.h"
#include "train/optim/clip.h"
#include "train/optim/ema.h"
#include "train/optim/update.h"
#include "train/progress.h"
#include "train/ranks/facts.h"
#include "train/ranks/sharded_update.h"
#include "train/ranks/share_not_finite.h"
#include "train/ranks/split.h"
#include "train/stuck_notice.h"
#include "train/training_loader.h"

namespace vitrail {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kTestBatch = 256, kWeightsCheckedEvery = 100;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

bool several(const RanksOptions& ranks) { return ranks.comm && ranks.comm->size() > 1; }

}  // namespace

class Trainer::Run {
 public:
  Run(Task& task, const DatasetPtr& train, DatasetPtr test, const TrainConfig& config, const TrainCallbacks& callbacks)
      : task_(task),
        train_(train),
        test_(std::move(test)),
        clean_(callbacks.clean_images > 0 ? spread_n(train, callbacks.clean_images) : nullptr),
        config_(config),
        callbacks_(callbacks),
        trained_(task.model(), config),
        ranks_(several(callbacks.ranks) ? std::make_unique<Ranks>(callbacks.ranks) : nullptr),
        loader_(make_loader(task, train, training_loader_options(config, task.model(), comm()))),
        // With several ranks each would compute all of them.
        features_(task, config, loader_.options(), ranks_ ? 0 : callbacks.feature_cache_bytes),
        optimizer_(make_optimizer(config, task.model())),
        steps_(total_steps(config, train->size(), task.model())),
        epochs_((steps_ + loader_.batches() - 1) / loader_.batches()),
        schedule_(make_schedule(config, steps_, loader_.batches())),
        progress_(callbacks.quiet),
        log_(callbacks.log_path),
        early_(config),
        stuck_(config, task.guess_loss(), schedule_.head_steps + schedule_.warmup_steps) {
    if (config.grad_checkpointing) use_grad_checkpointing(task.model());
    if (config.ema_decay > 0) ema_.emplace(task.model(), config.ema_decay);
    if (!ranks_) return;
    check_ranks(config.groups, comm()->size(), config.batch_size);
    if (callbacks.ranks.gradients.shard) sharded_.emplace(*comm(), ranks_->gradients(), *optimizer_, task.model());
  }

  TrainResult run() {
    if (step_ > 0) progress_.line(cat("going on after update ", step_, " of ", steps_));
    progress_.line(describe(optimizer_->groups(), /*names=*/false) +
                   cat(steps_, " updates in ", epochs_, " epochs of ", loader_.samples(), " images"));
    if (const std::string note = scaling_note(config_); !note.empty()) progress_.line(note);
    if (trains_part(config_)) progress_.line(trained_summary(task_.model()));
    for (const std::string& note : task_.notes(*train_)) progress_.line("note: " + note);
    while (!result_.signal && step()) {
    }
    if (ema_ && !ema_->swapped()) ema_->swap();
    task_.model().eval();
    result_.steps = step_;
    result_.seconds = seconds_before_ + seconds_since(start_);
    if (ranks_ && !result_.signal) progress_.line(ranks_->summary());
    if (!result_.signal && !result_.history.empty() && result_.history.back().test)
      for (const std::string& note : result_.history.back().test->notes) progress_.line("note: " + note);
    return std::move(result_);
  }

  bool step() {
    if (over() && !test_due_) return false;
    if (!ranks_ && step_seconds_ > 0) set_interrupt_step(step_seconds_);
    if (ema_ && ema_->swapped()) ema_->swap();
    // A part that the caller put into evaluation (a frozen batch norm) stays there; a model that is in evaluation as a whole
    // (a loaded one, or one after run()) is switched.
    if (!task_.model().training()) task_.model().train();
    const PrecisionGuard precision(precision_from_name(config_.precision));
    start_ranks();
    start_features();
    if (test_due_) {  // of an epoch that a signal ended
      start_epoch((step_ - 1) / loader_.batches(), 1);
    } else {
      const int64_t epoch = step_ / loader_.batches(), batch = step_ % loader_.batches();
      if (const std::string note = trained_.start_epoch(epoch); !note.empty()) progress_.line(note);
      if (batch == 0 || !epoch_started_) start_epoch(epoch, batch);
      const Clock::time_point start = Clock::now();
      Loader* const kept = features_.training(batch);
      update((kept ? *kept : loader_).batch(epoch, batch), batch);
      step_seconds_ = seconds_since(start);
      if (ranks_) ranks_->end_step(step_seconds_);
      report_.images_per_second = images_here_ / seconds_since(epoch_start_);
      show_progress();
    }
    // Only an update that hangs must not hold up who wants to leave: a test ends after a batch, and what is being saved is
    // saved, however long a large model takes for either.
    if (!ranks_) wait_for_interrupts(), interrupt_heard();
    result_.signal = ranks_ ? ranks_->signal() : interrupt_signal();
    const bool epoch_ends = step_ % loader_.batches() == 0 || step_ == steps_;
    if (epoch_ends || result_.signal) finish_epoch();
    const bool asked = !ranks_ && take_save_request();
    if (asked || checkpoint_due(epoch_ends)) save(asked);
    return true;
  }

  RunState view() {
    RunState s = view_without_optimizer();
    s.optimizer = sharded_ ? sharded_->state() : optimizer_->state();
    return s;
  }

  RunState view_without_optimizer() {
    RunState s;
    s.task = task_.name();
    s.config = config_;
    s.step = step_;
    s.epoch = step_ / loader_.batches();
    s.batch = step_ % loader_.batches();
    // Inside on_epoch, and after run(), the averages stand in the model, and the weights in the Ema.
    const bool swapped = ema_ && ema_->swapped();
    if (swapped) ema_->swap();
    s.weights = task_.model().state_dict();
    if (ema_) s.average = ema_->state(), s.average_updates = ema_->updates();
    if (swapped) ema_->swap();
    s.sums = means_.sums();
    s.best = best_;
    s.best_step = best_step_;
    s.grad_norm = grad_norm_;
    s.test_due = test_due_;
    s.early = early_.state();
    return s;
  }

  void restore(const RunState& s) {
    check_restorable(s);
    if (ema_ && ema_->swapped()) ema_->swap();
    optimizer_->load_state(s.optimizer);
    task_.model().load_state_dict(s.weights);
    if (ema_) ema_->load_state(s.average), ema_->set_updates(s.average_updates);
    step_ = s.step;
    best_ = s.best;
    best_step_ = s.best_step;
    means_ = EpochMeans(s.sums);
    grad_norm_ = s.grad_norm;
    test_due_ = s.test_due;
    early_.restore(s.early);
    epoch_started_ = false;
    seconds_before_ = log_.seconds_until(step_);
  }

 private:
  // Only what can be told without changing anything.
  void check_restorable(const RunState& s) {
    check_fits(s, view());
    const auto require = [](bool rule, const auto&... parts) { check(rule, ErrorKind::kValue, "restore", parts...); };
    require(s.step >= 0 && s.step <= steps_, "step is outside [0, ", steps_, "]: it is ", s.step, ".");
    require(s.epoch == s.step / loader_.batches() && s.batch == s.step % loader_.batches(), "step ", s.step, " is not batch ",
            s.batch, " of epoch ", s.epoch, ": an epoch has ", loader_.batches(), " batches.");
    require(!s.test_due || (s.step > 0 && (s.batch == 0 || s.step == steps_)),
            "no test is due in the middle of an epoch: step is ", s.step, ", an epoch has ", loader_.batches(), " batches.");
  }

  // With the weights of the run, which restore() may have brought.
  void start_features() {
    if (features_started_) return;
    features_started_ = true;
    if (const std::string note = features_.start(loader_, test_, clean_); !note.empty()) progress_.line(note);
  }

  Communicator* comm() { return ranks_ ? &ranks_->comm() : nullptr; }

  // Once, before the first update, with the weights of the run: rank 0's, after it has been seen that all are on the same run.
  void start_ranks() {
    if (!ranks_ || ranks_started_) return;
    ranks_started_ = true;
    wait_for_interrupts();
    ranks_->require_same(facts_of(task_, *train_, test_.get(), config_, step_, callbacks_.ranks.gradients));
    share(*comm(), task_.model().state_dict());
    if (ema_) share(*comm(), ema_->state());
  }

  // What rank 0 writes; the others wait for it.
  void lead(const std::function<void()>& work) { ranks_ ? ranks_->lead(work) : work(); }

  void save(bool asked) {
    if (ranks_) require_same_weights(*comm(), task_.model().state_dict(), step_);
    const auto& write = callbacks_.on_checkpoint;
    if (sharded_)
      sharded_->write(*ranks_, view_without_optimizer(), write);
    else
      lead([&] { write ? write(view()) : void(); });
    last_checkpoint_ = Clock::now();
    if (asked) progress_.line(cat("saved after update ", step_, " of ", steps_));
  }

  void start_epoch(int64_t epoch, int64_t batch) {
    report_ = {};
    report_.epoch = epoch + 1;
    if (batch == 0) means_ = {};
    epoch_started_ = true;
    images_here_ = 0;
    epoch_start_ = Clock::now();
  }

  // The loss of the batch, its gradients in the parameters, and their norm.
  BatchLoss differentiate(const SharedBatch& batch) {
    // Dropout is a function of (seed, step), whatever was drawn before.
    const Rng rng = Rng(config_.seed).at(static_cast<uint64_t>(step_));
    KeepBuffers buffers(task_.model());  // a step that fails leaves the running statistics as they were, too
    if (ranks_) ranks_->begin_step(step_, signal_or_save_request(), save_is_late());
    const BatchLoss loss =
        backward_in_groups(task_, batch, rng, /*check_parameters=*/step_ == 0, ranks_ ? &ranks_->gradients() : nullptr);
    grad_norm_ = sharded_ ? sharded_->grad_norm() : grad_norm(optimizer_->groups());
    if (!std::isfinite(loss.total) || !std::isfinite(grad_norm_)) {
      buffers.restore();
      stop_not_finite(batch, rng, loss.total);
    }
    buffers.release();
    return loss;
  }

  void update(const Batch& part, int64_t index) {
    const SharedBatch batch = share_of_batch(loader_, part, index);
    const BatchLoss loss = differentiate(batch);
    report_.lr = update_weights(*optimizer_, ema_ ? &*ema_ : nullptr, schedule_, step_, grad_norm_, config_.clip_norm);
    ++step_;
    if (ranks_ && step_ % kWeightsCheckedEvery == 0) require_same_weights(*comm(), task_.model().state_dict(), step_);
    const double images = static_cast<double>(batch.size());
    images_here_ += images;
    means_.add(loss.total, loss.parts, images);
    if (const std::string note = stuck_.add(step_, loss.total); !note.empty()) progress_.line("note: " + note);
    if (callbacks_.on_step) callbacks_.on_step(step_, loss.total);
    if (callbacks_.on_update) {
      const double epochs = static_cast<double>(step_) / static_cast<double>(loader_.batches());
      callbacks_.on_update({step_, epochs, loss.total, report_.lr, grad_norm_});
    }
  }

  [[noreturn]] void stop_not_finite(const SharedBatch& batch, const Rng& rng, double loss) {
    NotFinite found;
    found.step = step_, found.loss = loss, found.grad_norm = grad_norm_;
    find_not_finite(task_, batch, rng, found);
    const int teller = ranks_ ? share_not_finite(*comm(), found) : 0;
    if (callbacks_.on_not_finite) callbacks_.on_not_finite(found);
    if (ranks_) let_one_tell(*comm(), teller == comm()->rank());
    fail(ErrorKind::kNumeric, "train", describe(found));
  }

  bool save_is_late() const {
    return config_.save_minutes > 0 && seconds_since(last_checkpoint_) > 60.0 * static_cast<double>(config_.save_minutes);
  }

  bool over() const { return step_ == steps_ || early_.stopped(); }

  bool checkpoint_due(bool epoch_ends) {
    if (result_.signal || over()) return true;
    if (epoch_ends && config_.save_every > 0 && report_.epoch % config_.save_every == 0) return true;
    return (ranks_ ? ranks_->save() : save_is_late()) || (config_.save_steps > 0 && step_ % config_.save_steps == 0);
  }

  void show_progress() {
    const double left = static_cast<double>((steps_ - step_) * config_.batch_size);
    progress_.update({report_.epoch, epochs_, step_, steps_, means_.loss(), format_scores(means_.parts()),
                      report_.images_per_second, left / report_.images_per_second});
  }

  void finish_epoch() {
    optimizer_->zero_grad();
    report_.step = step_;
    report_.grad_norm = grad_norm_;
    report_.lr = learning_rate(schedule_, step_ - 1);
    report_.train_loss = means_.loss();
    report_.train = means_.parts();
    if (result_.signal) interrupt_heard();
    const EmaScope averages(ema_ ? &*ema_ : nullptr);
    test_due_ = test_ && (step_ == steps_ || (step_ % loader_.batches() == 0 && report_.epoch % config_.eval_every == 0));
    // Who pressed Ctrl-C does not want to wait for a test: whoever resumes the run does.
    if (test_due_ && !result_.signal) test();
    if (report_.test) means_.label_like(report_.test->scores), report_.train = means_.parts();
    report_.seconds = seconds_before_ + seconds_since(start_);
    progress_.line(format_epoch(report_, epochs_));
    if (early_.stopped()) progress_.line(early_.describe(report_.epoch));
    log_.append(report_);
    epoch_started_ = false;
    lead([this] {
      if (callbacks_.on_epoch) callbacks_.on_epoch(report_);
    });
    // The pictures and confusions of an epoch are for its callback: a long history must not hold those of all.
    for (std::optional<Evaluation>* evaluation : {&report_.test, &report_.clean})
      if (*evaluation) (*evaluation)->details.reset();
    result_.history.push_back(report_);
  }

  void test() {
    try {
      report_.test = features_.test() ? evaluate(task_, *features_.test()) : evaluate(task_, test_, kTestBatch, comm());
      report_.test->scores = with_first(report_.test->scores, report_.test->more, config_.eval_metric);
      test_due_ = false;
      note_best(report_.test->scores);
      early_.add(report_.test->all(), report_.epoch);
      if (clean_)
        report_.clean = features_.clean() ? evaluate(task_, *features_.clean()) : evaluate(task_, clean_, kTestBatch, comm());
    } catch (const Interrupted& interrupted) {
      result_.signal = interrupted.signal;
      interrupt_heard();
    }
  }

  void note_best(const Scores& scores) {
    if (scores.empty()) return;
    const Score& first = scores.front();
    const double sign = first.larger_is_better ? 1 : -1;
    report_.best = !best_ || sign * first.value > sign * *best_;
    if (report_.best) best_ = first.value, best_step_ = step_;
  }

  Task& task_;
  DatasetPtr train_, test_, clean_;
  const TrainConfig config_;
  const TrainCallbacks callbacks_;
  TrainedPart trained_;           // before the optimiser, which is made for its parameters
  std::unique_ptr<Ranks> ranks_;  // null: one process
  bool ranks_started_ = false;
  Loader loader_;
  FeatureCache features_;  // after what is trained has been chosen
  bool features_started_ = false;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<ShardedUpdate> sharded_;
  int64_t steps_, epochs_;
  Schedule schedule_;
  Progress progress_;
  MetricsLog log_;

  // The state of the run, with the model's weights.
  std::optional<Ema> ema_;
  int64_t step_ = 0;
  EpochMeans means_;
  std::optional<double> best_;
  int64_t best_step_ = 0;
  double grad_norm_ = 0;
  bool test_due_ = false;
  EarlyStop early_;

  StuckNotice stuck_;

  // What a resumed run does not need: times, the present report.
  Clock::time_point start_ = Clock::now(), epoch_start_ = start_, last_checkpoint_ = start_;
  bool epoch_started_ = false;
  double images_here_ = 0, step_seconds_ = 0;
  double seconds_before_ = 0;  // of the parts of the run before this one
  EpochReport report_;
  TrainResult result_;
};

Trainer::Trainer(Task& task, DatasetPtr train, DatasetPtr test, const TrainConfig& config, const TrainCallbacks& callbacks) {
  validate(config);
  check(train != nullptr, ErrorKind::kValue, "train", "there is no training data.");
  task.check_data(*train);
  task.see(*train);
  check_scores(task, test, config);
  if (test) task.check_data(*test);
  run_ = std::make_unique<Run>(task, train, std::move(test), config, callbacks);
}

Trainer::~Trainer() = default;
TrainResult Trainer::run() { return run_->run(); }
bool Trainer::step() { return run_->step(); }
RunState Trainer::view() const { return run_->view(); }
RunState Trainer::state() const {
  RunState state = view();
  for (nn::StateDict* part : {&state.weights, &state.optimizer, &state.average})
    for (auto& [name, tensor] : *part) tensor = clone(tensor);
  return state;
}
void Trainer::restore(const RunState& state) { run_->restore(state); }

}  // namespace vitrail
