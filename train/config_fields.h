// The fields of TrainConfig in one table: name, member, range and help. JSON, validation and the flags of `vitrail train`
// follow from it: a new field is a member in train/config.h and a line here.
#pragma once

#include <cstdint>

namespace vitrail {

// The rule that a value must keep.
struct Count {  // a whole number of [low, high]; for a list, each of its members
  int64_t low, high;
};
struct Amount {};    // a finite number of at least 0
struct Fraction {};  // of [0, 1)
struct Part {};      // of [0, 1]
struct Share {};     // of (0, 1]
struct Half {};      // of [0, 0.5]
struct Angle {};     // of [0, 180]
struct UpTo {        // of [0, high]
  double high;
};
struct Choice {};  // a name or a switch, checked where it is used

constexpr int64_t kMostEpochs = 1000000;

template <class Config, class Fn>
void for_each_augmentation_field(Config& c, Fn&& fn) {
  const char* const usual = nullptr;
  fn("crop_scale", c.crop_scale, Part{}, "Random resized crop: least part of the area, as 0.08; 0: none", usual);
  fn("crop_padding", c.crop_padding, Count{0, 1024}, "Random crop after padding by this", usual);
  fn("mirror", c.mirror, Choice{}, "true: exchange left and right in half of the cases", usual);
  fn("flip_vertical", c.flip_vertical, Choice{}, "true: exchange top and bottom in half of the cases", usual);
  fn("rotate", c.rotate, Angle{}, "Turn by up to so many degrees either way", usual);
  fn("augment", c.augment, Choice{}, "none, randaugment, trivial, three (3-Augment)", usual);
  fn("magnitude", c.magnitude, UpTo{10}, "randaugment: its magnitude, of 10", usual);
  fn("magnitude_std", c.magnitude_std, UpTo{10}, "randaugment: standard deviation of the magnitude", usual);
  fn("jitter", c.jitter, UpTo{10}, "Brightness, contrast, saturation changed by up to this part, as 0.3", usual);
  fn("hue", c.hue, Half{}, "Hue turned by up to this part of the circle", usual);
  fn("grayscale", c.grayscale, Part{}, "Probability of losing the colours", usual);
  fn("blur", c.blur, Part{}, "Probability of a Gaussian blur", usual);
  fn("erase", c.erase, Part{}, "Probability of random erasing, as 0.25", usual);
  fn("mixup", c.mixup, UpTo{100}, "Alpha of mixup, as 0.8; 0: none", usual);
  fn("cutmix", c.cutmix, UpTo{100}, "Alpha of CutMix, as 1; 0: none", usual);
  fn("mix_switch", c.mix_switch, Part{}, "Part of the batches with CutMix where both are on", usual);
  fn("mixup_off_epoch", c.mixup_off_epoch, Count{0, kMostEpochs}, "Mix nothing after so many epochs; 0: always mix", usual);
  fn("repeats", c.repeats, Count{1, 1000}, "Repeated augmentation: each image so often in a row", usual);
}

template <class Config, class Fn>
void for_each_trained_part_field(Config& c, Fn&& fn) {
  const char* const usual = nullptr;
  fn("trainable", c.trainable, Choice{}, "all, head, lora, partial, bitfit, pattern: the rest keeps its weights", usual);
  fn("trainable_blocks", c.trainable_blocks, Count{1, 1024}, "partial: train the last so many blocks", usual);
  fn("trainable_pattern", c.trainable_pattern, Choice{}, "pattern: what to train, as \"blocks.10-11.*,norm.*,head.*\"", usual);
  fn("freeze", c.freeze, Choice{}, "Parameters that keep their weights, as \"patch_embed.*,pos_embed,blocks.0-5.*\"", usual);
  fn("freeze_until", c.freeze_until, Count{0, 1024}, "Keep the weights of the embedding and of so many blocks; 0: none", usual);
  fn("head_epochs", c.head_epochs, Count{0, kMostEpochs}, "Train the head alone in the first epochs", usual);
  fn("head_alone_lr", c.head_alone_lr, Amount{}, "In those epochs, factor of the head's rate", usual);
  fn("lora_rank", c.lora_rank, Count{1, 4096}, "lora: rank of the updates", usual);
  fn("lora_alpha", c.lora_alpha, Amount{}, "lora: the updates count alpha / rank times", usual);
  fn("lora_dropout", c.lora_dropout, Fraction{}, "lora: dropout of what the updates read", usual);
  fn("lora_targets", c.lora_targets, Choice{}, "lora: linear layers, as \"attn.qkv,mlp.fc1\" or \"attn.q,attn.v\"", usual);
  fn("lora_scaling", c.lora_scaling, Choice{}, "lora: standard, or rslora: alpha / sqrt(rank)", usual);
  fn("lora_dora", c.lora_dora, Choice{}, "lora: true: train the lengths of the rows too (DoRA)", usual);
}

// fn(name, member, rule, help, flag) for every field that the result depends on; the flag is "--name" with dashes, or its own.
template <class Config, class Fn>
void for_each_recipe_field(Config& c, Fn&& fn) {
  const char* const usual = nullptr;
  fn("epochs", c.epochs, Count{1, kMostEpochs}, "Times that every image is seen", usual);
  fn("max_steps", c.max_steps, Count{0, int64_t{1} << 40}, "Stop after so many updates; 0: after the epochs", usual);
  fn("batch_size", c.batch_size, Count{1, int64_t{1} << 20}, "Images per update", usual);
  fn("seed", c.seed, Count{0, INT64_MAX}, "The run is a function of it", usual);
  fn("precision", c.precision, Choice{}, "f32, or bf16: operands of the products of linear layers and attention in bf16",
     usual);
  fn("optimizer", c.optimizer, Choice{}, "adamw, adam, sgd, lion, rmsprop, muon, lamb, lars", usual);
  fn("lr", c.lr, Amount{}, "Highest learning rate; --lr-scaling multiplies it", usual);
  fn("lr_scaling", c.lr_scaling, Choice{},
     "none; linear: lr times batch size / base batch; sqrt: times the square root of that", usual);
  fn("base_batch", c.base_batch, Count{1, int64_t{1} << 20}, "linear, sqrt: the batch size that lr is meant for", usual);
  fn("weight_decay", c.weight_decay, Amount{}, "On matrices only", usual);
  fn("beta1", c.beta1, Fraction{}, "adamw, adam, lion, muon, lamb: decay of the mean of the gradients", usual);
  fn("beta2", c.beta2, Fraction{}, "adamw, adam, lion, muon, lamb: decay of the mean of their squares", usual);
  fn("momentum", c.momentum, Fraction{}, "sgd, rmsprop, muon, lars", usual);
  fn("nesterov", c.nesterov, Choice{}, "sgd, muon: Nesterov's momentum", usual);
  fn("schedule", c.schedule, Choice{}, "constant, linear, cosine, step, multistep, polynomial", usual);
  fn("min_lr", c.min_lr, Amount{}, "Rate at the end of linear, cosine, polynomial", usual);
  fn("warmup", c.warmup, Part{}, "Part of the run in which the rate rises", usual);
  fn("warmup_epochs", c.warmup_epochs, UpTo{kMostEpochs},
     "Epochs in which the rate rises, instead of --warmup; 0: --warmup counts", usual);
  fn("step_epochs", c.step_epochs, Count{1, kMostEpochs}, "step: epochs between two drops of the rate", usual);
  fn("milestones", c.milestones, Count{0, kMostEpochs}, "multistep: epochs at which the rate drops, as 30,60", usual);
  fn("gamma", c.gamma, Amount{}, "step, multistep: factor of a drop", usual);
  fn("power", c.power, Amount{}, "polynomial: its exponent", usual);
  fn("label_smoothing", c.label_smoothing, Fraction{}, "Target mass spread over all classes", usual);
  fn("clip_norm", c.clip_norm, Amount{}, "Largest gradient norm; 0: no clipping", usual);
  fn("distillation", c.distillation, Choice{}, "soft or hard: learn from --teacher, its probabilities or its answers", usual);
  fn("distillation_alpha", c.distillation_alpha, Part{}, "Part of the loss that is the teacher's", usual);
  fn("distillation_temperature", c.distillation_temperature, UpTo{1000}, "soft: what both models' logits are divided by",
     usual);
  fn("ema_decay", c.ema_decay, Fraction{}, "Decay of the average of the weights, as 0.999; 0: none", "--ema");
  for_each_augmentation_field(c, fn);
  fn("sampling", c.sampling, Choice{}, "shuffled, or balanced: each class equally often", usual);
  fn("class_weights", c.class_weights, Choice{},
     "none; balanced or auto: images of rare classes count more in the loss; or by name, as cat=2,dog=0.5", usual);
  for_each_trained_part_field(c, fn);
  fn("layer_decay", c.layer_decay, Share{}, "Factor between the rates of two blocks, deeper ones higher, as 0.75", usual);
  fn("head_lr", c.head_lr, Amount{}, "Factor of the rate of the head", usual);
  fn("drop_path", c.drop_path, Fraction{}, "Stochastic depth of the deepest block; 0: as the model says", usual);
  fn("eval_every", c.eval_every, Count{1, kMostEpochs}, "Epochs between two tests", usual);
  fn("eval_metric", c.eval_metric, Choice{},
     "Test score that chooses the best model: first (top1), top5, loss, macro-f1, balanced-accuracy; of several labels map, micro-f1, exact-match", usual);
  fn("patience", c.patience, Count{0, kMostEpochs}, "Stop after so many epochs without a better test; 0: never", usual);
  fn("min_delta", c.min_delta, Amount{}, "By how much a test must be better to count, as 0.001", usual);
  fn("stop_metric", c.stop_metric, Choice{}, "Score that patience watches: first (that of --eval-metric), or another", usual);
  fn("groups", c.groups, Count{1, int64_t{1} << 20}, "Groups of a batch, one forward and backward pass each", usual);
}

// Those that say how to run, and change no result.
template <class Config, class Fn>
void for_each_field(Config& c, Fn&& fn) {
  for_each_recipe_field(c, fn);
  fn("threads", c.threads, Count{0, 1024}, "Processors to use; 0: all. The result does not depend on it", nullptr);
  fn("workers", c.workers, Count{0, 256}, "Threads, of those, that prepare batches ahead. The result does not depend on it",
     nullptr);
  fn("grad_checkpointing", c.grad_checkpointing, Choice{}, "true: compute each block again in the backward pass", nullptr);
  fn("save_every", c.save_every, Count{0, kMostEpochs}, "Epochs between two checkpoints; 0: only at the end", nullptr);
  fn("save_steps", c.save_steps, Count{0, int64_t{1} << 40}, "Updates between two checkpoints; 0: none within an epoch",
     nullptr);
  fn("save_minutes", c.save_minutes, Count{0, 1000000}, "Minutes between two checkpoints within an epoch; 0: none", nullptr);
}

}  // namespace vitrail
