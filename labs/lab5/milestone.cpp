// Milestone of lab 5: the loss of one network under four optimisers, and a run that is killed and taken up again on its own
// curve, to the bit.
#include <cmath>
#include <cstdio>
#include <memory>

#include "base/file.h"
#include "base/svg.h"
#include "base/text.h"
#include "data/sets/registry.h"
#include "labs/common/milestone.h"
#include "models/presets.h"
#include "train/task/classification.h"
#include "train/trainer.h"

using namespace vitrail;

namespace {

constexpr int64_t kImages = 3200, kEpochs = 10, kBatch = 64;
constexpr double kKilledAt = 0.4;  // part of the run

struct Kind {
  const char* name;
  const char* optimizer;
  double momentum, lr;
  const char* dash;  // told apart without colour
};
constexpr Kind kKinds[] = {{"SGD", "sgd", 0, 0.5, "2 3"},
                           {"SGD, momentum 0.9", "sgd", 0.9, 0.1, "9 4"},
                           {"AdamW", "adamw", 0.9, 3e-3, ""},
                           {"Muon", "muon", 0.95, 1e-2, "9 3 2 3"}};

TrainConfig config_of(const Kind& kind) {
  TrainConfig config;
  config.epochs = kEpochs, config.batch_size = kBatch, config.seed = 1;
  config.optimizer = kind.optimizer, config.momentum = kind.momentum, config.nesterov = false, config.lr = kind.lr;
  config.warmup = 0.1, config.min_lr = 1e-4, config.weight_decay = 0.01, config.ema_decay = 0.98, config.label_smoothing = 0;
  return config;
}

// A small Vision Transformer and all that it is trained with.
struct Experiment {
  DatasetPtr data;
  std::unique_ptr<models::Classifier> model;
  std::unique_ptr<ClassificationTask> task;
  std::vector<double> losses;
  std::unique_ptr<Trainer> trainer;

  explicit Experiment(const Kind& kind) {
    DatasetOptions options;
    options.train_size = kImages;
    data = open_dataset("glyphs", Split::kTrain, options);
    models::ViTConfig vit;
    vit.img_size = 28, vit.patch_size = 7, vit.in_chans = 1, vit.num_classes = data->num_classes();
    vit.embed_dim = 32, vit.depth = 2, vit.num_heads = 2, vit.mlp_ratio = 2, vit.proj_drop_rate = 0.05;
    Rng rng(1);
    model = models::make_model(models::ModelConfig(vit), rng);
    const TrainConfig config = config_of(kind);
    task = std::make_unique<ClassificationTask>(
        *model, classification_options(config, preprocessing_for(data->info()), data->class_names()));
    TrainCallbacks callbacks;
    callbacks.quiet = true;
    callbacks.on_update = [this](const StepReport& report) { losses.push_back(report.loss); };
    trainer = std::make_unique<Trainer>(*task, data, nullptr, config, callbacks);
  }
  // Up to `end` updates; all that are left without it.
  void run(size_t end = SIZE_MAX) {
    while (losses.size() < end && trainer->step()) {
    }
  }
};

// Axes of a panel: updates from left to right, loss from 0 to `top` upwards.
struct Panel {
  double left, steps, top;
  const char* title;
  static constexpr double kWidth = 300, kHeight = 200, kAbove = 50;
  double x(double step) const { return left + kWidth * step / steps; }
  double y(double loss) const { return kAbove + kHeight * (1 - std::min(loss, top) / top); }

  void frame(Svg& svg) const {
    svg.text(left, 24, title, "class=\"t\"");
    for (int loss = 0; loss <= static_cast<int>(top); ++loss) {
      svg.path("M " + svg_number(left) + " " + svg_number(y(loss)) + " h " + svg_number(kWidth), "stroke=\"#ccc\"");
      svg.text(left - 6, y(loss) + 4, std::to_string(loss), "class=\"e\"");
    }
    svg.text(left, kAbove - 10, "loss");
    svg.text(left + kWidth, kAbove + kHeight + 18, cat(static_cast<int64_t>(steps), " updates"), "class=\"e\"");
  }

  // The mean of the last twenty losses, at every second update from `begin` on.
  void curve(Svg& svg, const std::vector<double>& losses, size_t begin, const std::string& attributes) const {
    std::string path;
    for (size_t i = begin; i < losses.size(); i += 2) {
      const size_t first = i < 19 ? 0 : i - 19;
      double mean = 0;
      for (size_t k = first; k <= i; ++k) mean += losses[k] / static_cast<double>(i - first + 1);
      path += (path.empty() ? "M " : " L ") + svg_number(x(static_cast<double>(i))) + " " + svg_number(y(mean));
    }
    svg.path(path, "fill=\"none\" stroke=\"#000\" " + attributes);
  }
};

std::string dashed(const char* dash) { return cat("stroke-width=\"1.6\" stroke-dasharray=\"", dash, "\""); }

int draw_all(const std::string& folder) {
  std::vector<std::vector<double>> curves;
  for (const Kind& kind : kKinds) {
    Experiment experiment(kind);
    experiment.run();
    curves.push_back(experiment.losses);
    std::printf("  %-18s loss %.3f -> %.3f in %d updates\n", kind.name, curves.back().front(), curves.back().back(),
                static_cast<int>(curves.back().size()));
    std::fflush(stdout);
  }
  // AdamW once more: killed, its state kept, and taken up by a trainer of a new model.
  const std::vector<double>& whole = curves[2];
  const auto cut = static_cast<size_t>(kKilledAt * static_cast<double>(whole.size()));
  RunState saved;
  {
    Experiment first(kKinds[2]);
    first.run(cut);
    saved = first.trainer->state();
  }
  Experiment second(kKinds[2]);
  second.trainer->restore(saved);
  second.losses.assign(whole.begin(), whole.begin() + static_cast<int64_t>(cut));  // of the first part: drawn, not compared
  second.run();
  double largest = second.losses.size() == whole.size() ? 0 : INFINITY;
  for (size_t i = cut; i < std::min(whole.size(), second.losses.size()); ++i)
    largest = std::max(largest, std::abs(second.losses[i] - whole[i]));
  std::printf("lab 5: killed after %d of %d updates and resumed: the largest difference of the losses is %g\n",
              static_cast<int>(cut), static_cast<int>(whole.size()), largest);

  const auto steps = static_cast<double>(whole.size());
  Svg svg(740, 330, "text{font:13px sans-serif}.t{font-weight:bold}.e{text-anchor:end}");
  const Panel left{40, steps, 3, "One small ViT, four optimisers"}, right{410, steps, 3, "AdamW: killed, and resumed"};
  left.frame(svg), right.frame(svg);
  for (size_t k = 0; k < curves.size(); ++k) {
    left.curve(svg, curves[k], 0, dashed(kKinds[k].dash));
    const double x = 40 + 120 * static_cast<double>(k % 2), y = 290 + 20 * static_cast<double>(k / 2);
    svg.path(cat("M ", svg_number(x), " ", svg_number(y), " h 36"), "stroke=\"#000\" " + dashed(kKinds[k].dash));
    svg.text(x + 42, y + 4, kKinds[k].name);
  }
  right.curve(svg, whole, 0, "stroke-opacity=\"0.35\" stroke-width=\"6\"");
  right.curve(svg, second.losses, cut, "stroke-width=\"1.6\"");
  const double x = right.x(static_cast<double>(cut));
  svg.path(cat("M ", svg_number(x), " 50 v 200"), "stroke=\"#000\" stroke-dasharray=\"3 3\"");
  svg.text(x + 5, 62, "killed here");
  svg.text(410, 294, "grey: not interrupted, black: resumed");
  svg.text(410, 314, cat("largest difference: ", largest));
  write_file_atomically(folder + "/lab5.svg", svg.str());
  const bool good = largest == 0;
  if (!good)
    std::printf("A resumed run must have the bits of one that was not interrupted: something is missing in the state.\n");
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
