#include "train/preflight.h"

#include <algorithm>
#include <variant>

#include "base/text.h"
#include "train/class_balance.h"

namespace vitrail {

namespace {

template <class... Kinds>
struct Overloaded : Kinds... {
  using Kinds::operator()...;
};
template <class... Kinds>
Overloaded(Kinds...) -> Overloaded<Kinds...>;

// Tokens that attention works on; -1 for a model without attention.
int64_t tokens_of(const models::ModelConfig& model) {
  return std::visit(Overloaded{[](const models::ViTConfig& c) {
                                 return (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w);
                               },
                               [](const models::CctConfig& c) {
                                 const models::Size2d grid = models::cct_grid(c);
                                 return grid.h * grid.w;
                               },
                               [](const auto&) { return int64_t{-1}; }},
                    model);
}

double largest_dropout(const models::ModelConfig& model) {
  return std::visit(Overloaded{[](const models::ViTConfig& c) {
                                 return std::max({c.drop_rate, c.pos_drop_rate, c.proj_drop_rate, c.attn_drop_rate, c.drop_path_rate});
                               },
                               [](const models::CctConfig& c) { return std::max({c.drop_rate, c.attn_drop_rate, c.drop_path_rate}); },
                               [](const models::CnnConfig& c) { return c.drop_rate; },
                               [](const models::MlpConfig& c) { return c.drop_rate; }, [](const auto&) { return 0.0; }},
                    model);
}

int64_t classes_of(const models::ModelConfig& model) {
  return std::visit([](const auto& c) { return c.num_classes; }, model);
}

// The highest rate that reports of working runs have; of LAMB and LARS that at which a step is a tenth of the weights: of our own
// runs with LAMB (docs/training.md) 0.1 learnt, 0.2 did not.
double highest_rate(const std::string& optimizer) {
  if (optimizer == "adamw" || optimizer == "adam" || optimizer == "rmsprop") return 3e-3;
  if (optimizer == "lion") return 1e-3;
  if (optimizer == "muon") return 2e-2;
  if (optimizer == "lamb") return 0.1;
  if (optimizer == "lars") return 100;
  return 1;  // sgd
}

}  // namespace

std::vector<std::string> preflight(const TrainConfig& config, const models::ModelConfig& model, int64_t images,
                                   bool from_model) {
  std::vector<std::string> notes;
  const auto warn = [&](bool fails, const auto&... parts) {
    if (fails) notes.push_back(cat(parts...));
  };
  const int64_t tokens = tokens_of(model);
  warn(tokens >= 0 && tokens < 16, "the model sees only ", tokens,
       tokens == 1 ? " patch" : " patches", " of a picture; fewer than 16 rarely learn. A smaller patch_size, or larger pictures.");
  const bool adaptive = config.optimizer != "sgd";
  const bool adam = config.optimizer == "adamw" || config.optimizer == "adam" || config.optimizer == "rmsprop";
  const double lr = scaled_lr(config);
  warn(from_model && config.trainable == "all" && adam && lr > 3e-4 && lr <= 3e-3, "a learning rate of ", lr,
       " is known to destroy what a trained model knows when all of it is trained: 2e-5 to 3e-4. A lower --lr, or --recipe "
       "lora, which bears 1e-3 to 5e-3.");
  // Low-rank updates start at zero and take higher rates (vit.md 3.2: PEFT's own example trains at 5e-3).
  const double rate = config.trainable == "lora" && adam ? 5e-3 : highest_rate(config.optimizer);
  warn(lr > rate, "a learning rate of ", lr, " is known to fail with ", config.optimizer,
       ": loss stays where it is, or becomes NaN. At most ", rate, ".");
  warn(adaptive && config.warmup == 0 && config.warmup_epochs == 0, "there is no warm-up; ", config.optimizer,
       " takes its largest steps at the start, when it knows least. --warmup 0.05.");
  warn(config.warmup_epochs > 0 && config.warmup_epochs >= static_cast<double>(config.epochs - config.head_epochs),
       "the warm-up of ", config.warmup_epochs,
       " epochs lasts as long as the run: the rate never falls. A smaller --warmup-epochs, or more --epochs.");
  const double dropout = largest_dropout(model);
  warn(dropout > 0.3, "a dropout of ", dropout, " is known to stop a Transformer from learning. At most 0.3, and 0.1 to begin with.");
  warn(config.weight_decay > 0.3 && adaptive, "a weight decay of ", config.weight_decay, " is known to pull the weights to zero. 0.05 to 0.1.");
  // The decay is weighed against the gradient: above ||g|| / ||p|| it is all that is left. Ours learnt with 1e-3, not with 5e-3.
  warn(config.weight_decay > 1e-3 && config.optimizer == "lars", "a weight decay of ", config.weight_decay,
       " is known to stop lars: what it takes from the weights outweighs the gradient. At most 0.001.");
  warn(config.batch_size > images, "a batch of ", config.batch_size, " is larger than the ", images,
       " training images: each epoch is one update. A smaller --batch-size.");
  const int64_t updates = images > 0 ? config.epochs * ((images + config.batch_size - 1) / config.batch_size) : 0;
  warn(config.batch_size <= images && config.max_steps == 0 && updates < 100, "the whole run is ", updates,
       " updates; fewer than 100 teach little. A smaller --batch-size, or more --epochs.");
  const int64_t classes = classes_of(model);
  warn(!from_model && classes > 0 && images / classes < 50 && images >= classes, "there are about ", images / std::max<int64_t>(1, classes),
       " images a class; from scratch, fewer than 50 are learned by heart. More pictures, or a trained model to start from (--init).");
  warn(config.sampling == "balanced" && is_balanced(config.class_weights),
       "balanced sampling and balanced class weights each make up for classes that differ in size: with both, rare ones count "
       "too much. One of "
       "them.");
  return notes;
}

}  // namespace vitrail
