// Everything that a training run depends on beside model, data and weights, as one visible struct.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "train/optim/optim.h"
#include "train/optim/schedule.h"

namespace vitrail {

class JsonObject;
class JsonWriter;

struct TrainConfig {
  int64_t epochs = 10;
  int64_t max_steps = 0;  // stop after so many updates; 0: after `epochs`
  int64_t batch_size = 128;
  uint64_t seed = 0;    // initial weights, order of the images, augmentation, dropout: the run is a function of it
  int64_t threads = 0;  // 0: all processors that the process may use; no effect on the result
  int64_t workers = 0;  // threads of those that prepare batches ahead (data/prefetch.h); no effect on the result

  std::string precision = "f32";  // f32, or bf16: operands of products rounded (tensor/precision.h)

  std::string optimizer = "adamw";  // adamw, adam, sgd, lion, rmsprop, muon, lamb, lars (train/optim)
  double lr = 1e-3;
  std::string lr_scaling = "none";  // linear, sqrt: what lr is for a batch of base_batch images (scaled_lr())
  int64_t base_batch = 256;
  double weight_decay = 0.05;
  double beta1 = 0.9, beta2 = 0.999;  // adamw, adam, lion, lamb, muon's AdamW
  double momentum = 0.9;              // sgd, rmsprop, muon, lars
  bool nesterov = true;               // sgd, muon

  std::string schedule = "cosine";  // constant, linear, cosine, step, multistep, polynomial (train/optim/schedule.h)
  double min_lr = 1e-5;             // where linear, cosine and polynomial end; never above lr
  double warmup = 0.05;             // part of all steps
  double warmup_epochs = 0;         // above 0: epochs of warm-up, whatever `warmup` says
  int64_t step_epochs = 10;         // step: epochs between two drops
  std::vector<int64_t> milestones;  // multistep: epochs
  double gamma = 0.1;               // step, multistep
  double power = 1;                 // polynomial

  double label_smoothing = 0.1;
  double clip_norm = 1;  // 0: no clipping
  // What a teacher's answers count (train/task/distillation.h); which teacher is said beside the recipe.
  std::string distillation = "none";  // soft, hard
  double distillation_alpha = 0.5;
  double distillation_temperature = 3;  // soft
  double ema_decay = 0;  // 0: no averaging of the weights

  // Augmentation of each picture (data/transforms.h), in this order.
  double crop_scale = 0;     // random resized crop: the least part of the area; 0: none
  int64_t crop_padding = 0;  // random crop after padding by this; 0: none; without effect where crop_scale is on
  bool mirror = false;       // exchange left and right in half of the cases
  bool flip_vertical = false;
  double rotate = 0;                          // degrees, either way
  std::string augment = "none";               // randaugment, trivial, three (data/augment/policy.h)
  double magnitude = 9, magnitude_std = 0.5;  // randaugment
  double jitter = 0, hue = 0;                 // brightness, contrast and saturation; hue as part of the circle
  double grayscale = 0, blur = 0, erase = 0;  // probabilities
  // Of batches (data/augment/mixing.h).
  double mixup = 0, cutmix = 0;  // alpha; 0: none
  double mix_switch = 0.5;       // of CutMix, where both are on
  int64_t mixup_off_epoch = 0;   // nothing is mixed after so many epochs; 0: always
  int64_t repeats = 1;           // each image so many times in a row, fewer images per epoch

  // Of sets whose classes differ in size.
  std::string sampling = "shuffled";  // balanced: each class equally often (data/sampling.h)
  // The loss of an image of class c counts so many times (train/class_balance.h): balanced or auto: N / (K n_c); or by name,
  // cat=2,dog=0.5.
  std::string class_weights = "none";
  // Of trained models (train/optim/layer_decay.h).
  // What is trained (train/finetune/trained_part.h): all, head, lora, partial, bitfit, pattern. The rest keeps its values.
  std::string trainable = "all";
  int64_t trainable_blocks = 2;   // partial: the last so many blocks
  std::string trainable_pattern;  // pattern: paths, between commas (base/path_pattern.h)
  std::string freeze;             // paths that keep their values whatever `trainable` says
  int64_t freeze_until = 0;       // so do the patch embedding, tokens, positions and so many blocks
  // In the first epochs the head is trained alone, at the constant rate lr head_lr head_alone_lr; the schedule with its warm-up
  // begins behind them.
  int64_t head_epochs = 0;
  double head_alone_lr = 1;
  // Of low-rank updates (nn/lora.h).
  int64_t lora_rank = 8;
  double lora_alpha = 16, lora_dropout = 0;
  std::string lora_targets = "attn.qkv";
  std::string lora_scaling = "standard";  // rslora
  bool lora_dora = false;
  double layer_decay = 1;         // the rate of each block is that of the next times this
  double head_lr = 1;             // the rate of the head is lr times this
  double drop_path = 0;           // stochastic depth of the deepest block; 0: as the model says

  int64_t eval_every = 1;  // epochs between two tests; the last epoch is always tested
  // The score of the tests that says which epoch's model is best, and stands first in every list: the task's first, or its
  // name, as macro-f1 (train/task/scores.h).
  std::string eval_metric = "first";
  // The run ends after so many epochs without a test that is better by more than min_delta (train/early_stop.h); 0: never.
  int64_t patience = 0;
  double min_delta = 0;
  std::string stop_metric = "first";  // the score that is watched: eval_metric, or its name, as loss
  // Each batch is cut into so many groups of consecutive images (fewer if it has fewer images); each is a forward and backward
  // pass of its own, and the gradients are added (train/group_gradients.h): the memory of a small batch, the update of a large
  // one.
  int64_t groups = 1;

  // What changes no result: how to run, and how often to save the state of the run (train/checkpoint.h).
  bool grad_checkpointing = false;  // ViT: compute each block again in the backward pass instead of keeping what it needs
  int64_t save_every = 1;           // epochs between two checkpoints; 0: only at the end of the run
  int64_t save_steps = 0;           // updates between two checkpoints; 0: none within an epoch
  int64_t save_minutes = 10;        // minutes between two checkpoints within an epoch; 0: none

  friend bool operator==(const TrainConfig&, const TrainConfig&) = default;
};

// Error(kValue) naming the field, its value and its range.
void validate(const TrainConfig& config);

// A recipe for a set that the registry knows (vit.md, "lesson 1"): AdamW 1e-3 (grey images: 2e-3, 8 epochs), weight decay 0.05,
// batches of 128, 5 % warm-up, cosine, label smoothing 0.1, clipping at 1, random crops, mirrored where that keeps the class.
TrainConfig recipe_for(const DatasetInfo& info);

// Every field as a member of an object that is open; and read from one, in which other members may stand: what is missing keeps
// its value. Error(kValue) naming the key for a wrong type; validate() is the caller's.
void write_fields(JsonWriter& json, const TrainConfig& config);
void read_fields(JsonObject& json, TrainConfig& config);
// A JSON object with every field.
std::string to_json(const TrainConfig& config);
// The fields that the result depends on: not `threads` and others that say how to run. This is what a saved model records.
std::string recipe_json(const TrainConfig& config);
// Where the recipe of `other` differs from that of `own`, in words: "lr is 0.001, not 0.01". Empty if it does not.
std::vector<std::string> recipe_differences(const TrainConfig& own, const TrainConfig& other);
// Strict: Error(kValue) naming the key for an unknown key, a wrong type, a number out of range. Missing keys keep the values
// of `base`. `where` names the source in errors. Validates the result.
TrainConfig train_config_from_json(const std::string& text, const TrainConfig& base = {}, const std::string& where = "config");

// What a field is about, for lists that people read.
enum class FieldGroup { kRecipe, kAugmentation, kTrainedPart, kSaving, kMachine };

// A field as a flag of the command line: "--batch-size", "batch_size", "INT", its help with the default.
struct ConfigFlag {
  std::string flag, key, type, help;
  FieldGroup group = FieldGroup::kRecipe;
};
std::vector<ConfigFlag> config_flags(const TrainConfig& defaults);
// Sets one field from text, read whole. Error(kValue) naming the flag for an unknown key, or a text that is no value of it.
void set_field(TrainConfig& config, const std::string& key, const std::string& text);

// The highest learning rate of a run: lr, times batch_size / base_batch with lr_scaling linear (Goyal et al., arXiv:1706.02677,
// section 2.1), or the square root of that with sqrt (Krizhevsky, arXiv:1404.5997; You et al., arXiv:1904.00962, for LAMB).
// min_lr is not scaled.
double scaled_lr(const TrainConfig& config);
// "learning rate 0.001 x 512 / 256 = 0.002 (linear scaling)"; empty if lr is not scaled.
std::string scaling_note(const TrainConfig& config);
// The optimiser of the configuration over the parameters of the module, decaying as make_param_groups says.
std::unique_ptr<Optimizer> make_optimizer(const TrainConfig& config, nn::Module& module);
// What grad_checkpointing asks of the model. Error(kValue) if it has no Transformer blocks.
void use_grad_checkpointing(nn::Module& module);
// The schedule over a run of total_steps updates, steps_per_epoch of them an epoch; up to scaled_lr().
Schedule make_schedule(const TrainConfig& config, int64_t total_steps, int64_t steps_per_epoch);

}  // namespace vitrail
