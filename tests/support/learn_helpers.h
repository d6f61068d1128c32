// A model and a data set small enough to train in a test.
#pragma once

#include "data/sets/registry.h"
#include "models/presets.h"
#include "train/trainer.h"

namespace vitrail::testing {

// ViT of width 32, 2 blocks, 16 patches of 7 x 7 pixels.
inline std::unique_ptr<models::Classifier> tiny_vit(const DatasetInfo& info, uint64_t seed = 0, double drop = 0) {
  models::ViTConfig config;
  config.img_size = 28;
  config.patch_size = 7;
  config.in_chans = info.channels;
  config.num_classes = static_cast<int64_t>(info.class_names.size());
  config.embed_dim = 32;
  config.depth = 2;
  config.num_heads = 2;
  config.mlp_ratio = 2;
  config.proj_drop_rate = drop;
  config.drop_path_rate = drop;
  Rng rng(seed);
  return models::make_model(models::ModelConfig(config), rng);
}

inline DatasetPtr glyphs(int64_t size, Split split = Split::kTrain) {
  DatasetOptions options;
  options.train_size = options.test_size = size;
  return open_dataset("glyphs", split, options);
}

inline TrainConfig quick(int64_t epochs, int64_t batch_size) {
  TrainConfig config;
  config.epochs = epochs;
  config.batch_size = batch_size;
  config.label_smoothing = 0;
  return config;
}

}  // namespace vitrail::testing
