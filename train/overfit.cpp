#include "train/overfit.h"

#include <cmath>
#include <variant>

#include "tensor/precision.h"
#include "tensor/rng.h"
#include "train/finetune/trained_part.h"
#include "train/interrupt.h"
#include "train/optim/clip.h"

namespace vitrail {

TrainConfig overfit_config(const TrainConfig& config) {
  TrainConfig c;  // without augmentation
  c.batch_size = config.batch_size, c.seed = config.seed, c.threads = config.threads, c.precision = config.precision;
  c.optimizer = config.optimizer, c.lr = config.lr, c.lr_scaling = config.lr_scaling, c.base_batch = config.base_batch;
  c.beta1 = config.beta1, c.beta2 = config.beta2;
  c.momentum = config.momentum, c.nesterov = config.nesterov, c.clip_norm = config.clip_norm;
  c.layer_decay = config.layer_decay, c.head_lr = config.head_lr;
  c.trainable = config.trainable, c.trainable_blocks = config.trainable_blocks, c.trainable_pattern = config.trainable_pattern;
  c.freeze = config.freeze, c.freeze_until = config.freeze_until;
  c.lora_rank = config.lora_rank, c.lora_alpha = config.lora_alpha, c.lora_targets = config.lora_targets;
  c.lora_scaling = config.lora_scaling, c.lora_dora = config.lora_dora;
  c.schedule = "constant", c.warmup = 0, c.weight_decay = 0, c.label_smoothing = 0;
  return c;
}

models::ModelConfig without_dropout(models::ModelConfig model) {
  std::visit(
      [](auto& c) {
        if constexpr (requires { c.drop_rate; }) c.drop_rate = 0;
        if constexpr (requires { c.attn_drop_rate; }) c.attn_drop_rate = 0;
        if constexpr (requires { c.drop_path_rate; }) c.drop_path_rate = 0;
        if constexpr (requires { c.pos_drop_rate; }) c.pos_drop_rate = c.proj_drop_rate = c.patch_drop_rate = 0;
      },
      model);
  return model;
}

OverfitResult overfit_one_batch(Task& task, const Batch& batch, const TrainConfig& config,
                                const std::function<void(const OverfitStep&)>& on_step, int64_t most_steps) {
  const PrecisionGuard precision(precision_from_name(config.precision));
  choose_trained(task.model(), config);
  task.model().train();
  const auto optimizer = make_optimizer(config, task.model());
  OverfitResult result;
  for (int64_t step = 0; step <= most_steps && !interrupt_signal(); ++step) {
    default_rng() = Rng(config.seed).at(static_cast<uint64_t>(step));
    const Loss loss = task.loss(batch);
    optimizer->zero_grad();
    loss.total.backward();
    result.last = {step, loss.total.item(), loss.parts, grad_norm(optimizer->groups())};
    check(std::isfinite(result.last.loss) && std::isfinite(result.last.grad_norm), ErrorKind::kNumeric, "overfit",
          "the loss is not finite after ", step, " updates. Hint: a lower rate than ", scaled_lr(config), ".");
    if (step == 0) result.first_loss = result.last.loss;
    if (on_step) on_step(result.last);
    result.learnt =
        loss.parts.empty() ? result.last.loss <= 0.1 * result.first_loss : loss.parts.front().value >= 1;
    if (result.learnt || step == most_steps) break;
    optimizer->step(scaled_lr(config), clip_scale(result.last.grad_norm, config.clip_norm));
  }
  optimizer->zero_grad();
  return result;
}

}  // namespace vitrail
