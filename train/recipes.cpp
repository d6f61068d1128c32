#include "train/recipes.h"

#include <algorithm>
#include <numeric>
#include <variant>

#include "base/json.h"
#include "base/text.h"
#include "data/sets/registry.h"

namespace vitrail {

namespace {

bool drawn(const DatasetInfo& data) { return is_drawn(data.name); }

// Photographs have room for a crop of any size; small pictures are shifted instead.
void crop(TrainConfig& c, const DatasetInfo& data, double scale) {
  if (drawn(data)) return;
  if (std::min(data.height, data.width) >= 64)
    c.crop_scale = scale, c.crop_padding = 0;
  else
    c.crop_padding = data.width <= 28 ? 2 : data.width / 8;
}

// vit.md, section 3.4, "lesson 1" and the default hyper-parameters; RandAugment for colour as in its table of small ViTs.
TrainConfig scratch_small(const RecipeInput& in) {
  TrainConfig c = recipe_for(in.data);
  c.epochs = in.data.channels == 1 ? 25 : 30;
  c.lr = 1e-3, c.min_lr = 1e-5, c.weight_decay = 0.05, c.warmup = 0.05, c.batch_size = 128;
  c.label_smoothing = 0.1, c.clip_norm = 1;
  crop(c, in.data, 0.35);
  if (in.data.channels == 3 && !drawn(in.data)) c.augment = "randaugment", c.magnitude = 9, c.magnitude_std = 0.5;
  return c;
}

// Hassani et al., arXiv:2104.05704: AdamW, 10 of 200 epochs of warm-up, mixup, CutMix, automatic augmentation, label smoothing.
TrainConfig scratch_cct(const RecipeInput& in) {
  TrainConfig c = scratch_small(in);
  c.epochs = 40;
  c.lr = 7e-4;  // 1e-3 sqrt(128 / 256)
  c.mixup = 0.8, c.cutmix = 1, c.mix_switch = 0.5;
  return c;
}

// Our own measurement on CIFAR-10 (docs/results.md): the hidden matrices by Muon (K. Jordan, 2024, "Muon: an optimizer for
// hidden layers"), CutMix in about half of the batches and a little mixup in the others, neither in the last sixth of the run;
// random erasing throughout.
TrainConfig scratch_muon(const RecipeInput& in) {
  TrainConfig c = recipe_for(in.data);
  c.epochs = 45, c.batch_size = 128, c.precision = "bf16";
  c.optimizer = "muon", c.lr = 0.01, c.momentum = 0.95, c.min_lr = 1e-5, c.weight_decay = 0.05, c.warmup = 0.05;
  c.label_smoothing = 0.1, c.clip_norm = 1;
  crop(c, in.data, 0.35);
  c.mixup = 0.2, c.cutmix = 1, c.mix_switch = 0.5, c.mixup_off_epoch = 38;
  c.erase = 0.25;
  return c;
}

// vit.md, section 3.4: AdamW 5e-5 (of 2e-5 to 5e-5), small models 2e-4 (of 1e-4 to 3e-4); layer decay 0.75, head x 10, 10 %
// warm-up, stochastic depth 0.1.
TrainConfig trained_model(const RecipeInput& in) {
  TrainConfig c = recipe_for(in.data);
  c.epochs = 10, c.batch_size = 64;
  c.lr = in.parameters > 1'000'000 ? 5e-5 : 2e-4, c.min_lr = 1e-6, c.weight_decay = 0.05, c.warmup = 0.1;
  c.layer_decay = 0.75, c.head_lr = 10, c.drop_path = 0.1, c.label_smoothing = 0.1, c.clip_norm = 1;
  crop(c, in.data, 0.35);
  return c;
}

// A new head is trained alone at first, at five times its later rate, so that it does not pull at the trained part:
// docs/transfer.md has the measurement.
TrainConfig finetune(const RecipeInput& in) {
  TrainConfig c = trained_model(in);
  if (in.new_head) c.head_epochs = 1, c.head_alone_lr = 5;
  return c;
}

// The same for the last two blocks alone.
TrainConfig partial(const RecipeInput& in) {
  TrainConfig c = trained_model(in);
  c.trainable = "partial", c.trainable_blocks = 2;
  return c;
}

// vit.md, sections 3.2 and 3.4: rank 8, alpha 16, a rate of 1e-3 to 5e-3; dropout 0.1 as in PEFT's example of image
// classification.
TrainConfig lora(const RecipeInput& in) {
  TrainConfig c = trained_model(in);
  c.trainable = "lora", c.lora_rank = 8, c.lora_alpha = 16, c.lora_dropout = 0.1;
  c.lr = in.parameters > 1'000'000 ? 1e-3 : 2e-3, c.weight_decay = 0, c.layer_decay = 1, c.head_lr = 1, c.drop_path = 0;
  return c;
}

// Ben Zaken et al., arXiv:2106.10199, appendix A.2: rates from 1e-4 to 1e-3, higher than for the whole model.
TrainConfig bitfit(const RecipeInput& in) {
  TrainConfig c = trained_model(in);
  c.trainable = "bitfit", c.lr = 1e-3, c.weight_decay = 0, c.layer_decay = 1, c.head_lr = 1, c.drop_path = 0;
  return c;
}

// The head alone on features of a frozen model, without augmentation or decay.
TrainConfig probe(const RecipeInput&) {
  TrainConfig c;
  c.epochs = 20, c.batch_size = 128;
  c.lr = 1e-3, c.min_lr = 0, c.weight_decay = 0, c.warmup = 0.05, c.label_smoothing = 0;
  c.trainable = "head";
  return c;
}

// Touvron et al., arXiv:2012.12877, table 9, and the authors' main.py: rate 5e-4 for a batch of 512, in proportion for others.
TrainConfig deit(const RecipeInput& in) {
  TrainConfig c;
  c.epochs = 300, c.batch_size = 256;
  c.lr = 5e-4 * 256 / 512, c.min_lr = 1e-5, c.weight_decay = 0.05, c.warmup = 5.0 / 300;
  c.label_smoothing = 0.1, c.clip_norm = 0, c.ema_decay = 0.99996, c.drop_path = 0.1;
  crop(c, in.data, 0.08);
  c.mirror = in.data.mirror_keeps_class && !drawn(in.data);
  c.augment = "randaugment", c.magnitude = 9, c.magnitude_std = 0.5, c.erase = 0.25;
  c.mixup = 0.8, c.cutmix = 1, c.mix_switch = 0.5, c.repeats = 3;
  return c;
}

std::string sized(models::ViTConfig c, const DatasetInfo& data) {
  c.img_size = models::Size2d{data.height, data.width};
  c.patch_size = patch_for(data.height, data.width);
  c.in_chans = data.channels;
  c.num_classes = static_cast<int64_t>(data.class_names.size());
  return models::to_json(models::ModelConfig(c));
}

std::string small_vit(const DatasetInfo& data) {
  const char* preset = data.channels == 1 ? "vit_fashion" : "vit_cifar_d128L6h4m2";
  return sized(std::get<models::ViTConfig>(models::find_preset(preset).config), data);
}

std::string tiny_vit(const DatasetInfo& data) {
  return sized(std::get<models::ViTConfig>(models::find_preset("vit_tiny_patch16_224").config), data);
}

std::string usual_model(const DatasetInfo&) { return ""; }

}  // namespace

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all{
      {"scratch-small", "A small ViT from scratch, on thousands of small pictures", "vit.md 3.4, lesson 1", false,
       scratch_small, small_vit},
      {"scratch-cct", "A convolutional Transformer from scratch: the most accuracy for its cost", "arXiv:2104.05704", false,
       scratch_cct, usual_model},
      {"scratch-muon", "A convolutional Transformer from scratch with Muon, in bf16, with CutMix: measured on CIFAR-10",
       "docs/results.md", false, scratch_muon, usual_model},
      {"finetune", "All of a trained model, each block at its own rate (--init)", "vit.md 3.4; arXiv:2106.08254", true,
       finetune, usual_model},
      {"partial", "The last two blocks of a trained model and what follows them (--init)", "vit.md 3.4", true, partial,
       usual_model},
      {"lora", "Low-rank updates of a trained model's attention, and the head (--init)", "vit.md 3.2, 3.4; arXiv:2106.09685",
       true, lora, usual_model},
      {"bitfit", "Biases and norms of a trained model, and the head (--init)", "arXiv:2106.10199", true, bitfit, usual_model},
      {"probe", "Only the head of a trained model: minutes, and hundreds of pictures are enough (--init)", "vit.md 3.2", true,
       probe, usual_model},
      {"deit", "ViT-Ti as DeiT trains it: 300 epochs of heavy augmentation, for large sets", "arXiv:2012.12877", false, deit,
       tiny_vit},
  };
  return all;
}

const Recipe& find_recipe(const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const Recipe& recipe : recipes()) {
    if (recipe.name == name) return recipe;
    names.push_back(recipe.name);
    list += (list.empty() ? "" : ", ") + recipe.name;
  }
  const std::string near = nearest(name, names);
  fail(ErrorKind::kValue, "recipes", "no recipe has this name: it is ", quote(name),
       ". Hint: ", near.empty() ? "" : cat("did you mean ", near, "? "), "There are ", list, ".");
}

int64_t patch_for(int64_t height, int64_t width) {
  const int64_t least = std::min(height, width) < 64 ? 49 : 144, common = std::gcd(height, width);
  for (int64_t patch = common; patch > 1; --patch)
    if (common % patch == 0 && (height / patch) * (width / patch) >= least) return patch;
  return 1;
}

int64_t batch_for(int64_t images) {
  constexpr int64_t kUpdates = 10, kLeast = 8, kMost = 128;
  int64_t batch = kMost;
  while (batch > kLeast && (images + batch - 1) / batch < kUpdates) batch /= 2;
  return batch;
}

TrainConfig recipe_for(const Dataset& train) {
  TrainConfig config = recipe_for(train.info());
  if (train.reads_files()) config.batch_size = batch_for(train.size());
  return config;
}

models::ModelConfig with_drop_path(models::ModelConfig model, double drop_path) {
  if (drop_path == 0) return model;
  std::visit(
      [drop_path](auto& c) {
        if constexpr (requires { c.drop_path_rate; })
          c.drop_path_rate = drop_path;
        else
          fail(ErrorKind::kValue, "train config", "drop_path needs a model with blocks: it is ", drop_path,
               ". Hint: drop_path 0.");
      },
      model);
  return model;
}

}  // namespace vitrail
