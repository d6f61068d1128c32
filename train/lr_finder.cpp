#include "train/lr_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "base/text.h"
#include "data/loader.h"
#include "nn/norm.h"
#include "tensor/precision.h"
#include "tensor/rng.h"
#include "train/augmentation.h"
#include "train/finetune/trained_part.h"
#include "train/group_gradients.h"
#include "train/optim/clip.h"
#include "train/optim/optim.h"

namespace vitrail {

namespace {

constexpr double kDecay = 0.9;  // of the mean that decides when to stop: about ten updates

// Gives the model its weights and statistics back, and its gradients nothing.
class WeightsGuard {
 public:
  explicit WeightsGuard(nn::Module& model) : model_(model) {
    for (const auto& [name, tensor] : model.state_dict()) state_.emplace_back(name, clone(tensor));
  }
  ~WeightsGuard() {
    model_.zero_grad();
    model_.load_state_dict(state_);
  }
  WeightsGuard(const WeightsGuard&) = delete;
  WeightsGuard& operator=(const WeightsGuard&) = delete;

 private:
  nn::Module& model_;
  nn::StateDict state_;
};

void check_options(const LrFinderOptions& o) {
  check(std::isfinite(o.high) && o.low > 0 && o.low < o.high, ErrorKind::kValue, "find-lr",
        "the rates must rise from above 0: they go from ", o.low, " to ", o.high, ".");
  check(o.updates >= 10, ErrorKind::kValue, "find-lr", "needs at least 10 updates: there are ", o.updates, ".");
}

// A mean over the updates so far, in which the latest counts most; without the bias of its start.
class RunningLoss {
 public:
  double add(double loss) {
    sum_ = kDecay * sum_ + (1 - kDecay) * loss;
    weight_ = kDecay * weight_ + (1 - kDecay);
    return sum_ / weight_;
  }

 private:
  double sum_ = 0, weight_ = 0;
};

// False if the update makes weights that are not finite.
bool update(Optimizer& optimizer, double lr, double scale) {
  try {
    optimizer.step(lr, scale);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kNumeric) throw;
    return false;
  }
}

}  // namespace

LrFinding find_learning_rate(Task& task, const DatasetPtr& train, const TrainConfig& config, const LrFinderOptions& options) {
  check_options(options);
  validate(config);
  check(!trains_part(config) && config.head_epochs == 0, ErrorKind::kValue, "find-lr", "trains the whole model: trainable is ",
        quote(config.trainable), ". Hint: --trainable all, without --freeze, --freeze-until and --head-epochs.");
  task.check_data(*train);
  task.see(*train);
  nn::Module& model = task.model();
  const WeightsGuard weights(model);
  const Rng outside = default_rng();
  std::optional<nn::ModeGuard> mode;  // as in a training run: what is in evaluation in a model in training stays there
  if (!model.training()) mode.emplace(model, true);
  const PrecisionGuard precision(precision_from_name(config.precision));
  LoaderOptions loading{.batch_size = config.batch_size, .seed = config.seed, .join_last_one = nn::has_batch_norm(model)};
  set_augmentation(config, loading);
  loading.groups = config.groups, loading.least_in_group = least_in_group(model);
  Loader loader = make_loader(task, train, loading);
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(config, model);
  LrFinding finding;
  RunningLoss running;
  double lowest = std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < options.updates && !finding.diverged && !finding.stopped; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(options.updates - 1);
    const double lr = options.low * std::pow(options.high / options.low, part);
    const Batch batch = loader.batch(i / loader.batches(), i % loader.batches());
    const Rng rng = Rng(config.seed).at(static_cast<uint64_t>(i));
    const double value = backward_in_groups(task, batch, config.groups, rng).total, norm = grad_norm(optimizer->groups());
    finding.diverged = !std::isfinite(value) || !std::isfinite(norm);
    if (finding.diverged) break;
    const double mean = running.add(value);
    finding.points.push_back({lr, value, value});
    lowest = std::min(lowest, mean);
    finding.diverged = mean > options.stop_factor * lowest || !update(*optimizer, lr, clip_scale(norm, config.clip_norm));
    finding.stopped = options.stop && options.stop();
  }
  default_rng() = outside;
  suggest(finding);
  return finding;
}

}  // namespace vitrail
