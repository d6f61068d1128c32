// What training a part of a model saves: seconds of a training step and memory at its peak, for all of the model, its last
// blocks, low-rank updates, biases and norms, and the head alone. The ways take turns, each against all of the model in the
// same round. make bench-finetune ARGS="[model] [batch] [rounds]"
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "bench/timing.h"
#include "models/presets.h"
#include "tensor/storage.h"
#include "train/finetune/trained_part.h"

using namespace vitrail;

namespace {

constexpr int64_t kClasses = 10;
constexpr int kSteps = 3;  // timed in a round, after one of warm-up

struct Way {
  const char* name;
  TrainConfig config;
};

TrainConfig training(const char* trainable, const char* targets = "attn.qkv", bool dora = false) {
  TrainConfig c;
  c.trainable = trainable, c.lora_targets = targets, c.lora_dora = dora;
  return c;
}

std::vector<Way> ways() {
  return {{"full", training("all")},
          {"partial, 2 blocks", training("partial")},
          {"lora r 8, attn.qkv", training("lora")},
          {"lora r 8, attn.q,attn.v", training("lora", "attn.q,attn.v")},
          {"lora r 8, attn.*,mlp.*", training("lora", "attn.*,mlp.*")},
          {"dora r 8, attn.qkv", training("lora", "attn.qkv", true)},
          {"bitfit", training("bitfit")},
          {"probe", training("head")}};
}

struct Cost {
  std::vector<double> seconds, ratios;  // of each round: the median of its steps, and over that of the whole model
  std::vector<double> processor;        // the same ratio of processor time, which other programs disturb less
  int64_t peak = 0, trained = 0;
};

struct Seconds {
  double wall, processor;
};

Seconds one_round(const Way& way, const std::string& preset, int64_t batch, Cost& cost) {
  const auto model = models::make_model(preset, Rng(1), {.num_classes = kClasses});
  choose_trained(*model, way.config);
  model->train();
  cost.trained = 0;
  for (const nn::NamedParameter& p : model->named_parameters())
    if (p.parameter->requires_grad()) cost.trained += p.parameter->numel();
  const auto optimizer = make_optimizer(way.config, *model);
  const Tensor images = rand_normal({batch, model->in_chans(), model->img_height(), model->img_width()}, 0, 1, Rng(2));
  const Tensor labels = rand_int({batch}, 0, kClasses, Rng(3));
  std::vector<double> seconds, processor;
  for (int i = 0; i <= kSteps; ++i) {
    if (i == 1) reset_peak_memory();
    const double start = bench::now();
    const std::clock_t ticks = std::clock();
    optimizer->zero_grad();
    cross_entropy(model->forward(images), labels).backward();
    optimizer->step(1e-4);
    if (i == 0) continue;
    seconds.push_back(bench::now() - start);
    processor.push_back(static_cast<double>(std::clock() - ticks) / CLOCKS_PER_SEC);
  }
  cost.peak = memory_stats().peak_bytes;
  return {bench::median(seconds), bench::median(processor)};
}

}  // namespace

int main(int argc, char** argv) {
  const std::string preset = argc > 1 ? argv[1] : "vit_tiny_patch16_224";
  const int64_t batch = argc > 2 ? std::atoll(argv[2]) : 16, rounds = argc > 3 ? std::atoll(argv[3]) : 5;
  std::printf("%s, batch %lld, %s, %d threads, medians of %lld rounds\n\n", preset.c_str(), static_cast<long long>(batch),
              processor_name().c_str(), num_threads(), static_cast<long long>(rounds));
  const std::vector<Way> all = ways();
  std::vector<Cost> costs(all.size());
  for (int64_t round = 0; round < rounds; ++round) {
    Seconds full{};
    for (size_t i = 0; i < all.size(); ++i) {
      const Seconds taken = one_round(all[i], preset, batch, costs[i]);
      if (i == 0) full = taken;
      costs[i].seconds.push_back(taken.wall);
      costs[i].ratios.push_back(taken.wall / full.wall);
      costs[i].processor.push_back(taken.processor / full.processor);
    }
  }
  std::printf(
      "| trained | parameters | seconds a step | of full | processor time, of full | peak memory, MB | of full |\n"
      "|---|---|---|---|---|---|---|\n");
  for (size_t i = 0; i < all.size(); ++i) {
    const Cost& c = costs[i];
    std::printf("| %s | %lld | %.3f | %.2f | %.2f | %.0f | %.2f |\n", all[i].name, static_cast<long long>(c.trained),
                bench::median(c.seconds), bench::median(c.ratios), bench::median(c.processor),
                static_cast<double>(c.peak) / 1e6, static_cast<double>(c.peak) / static_cast<double>(costs[0].peak));
  }
  return 0;
}
