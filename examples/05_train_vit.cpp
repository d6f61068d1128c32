// 05: a Vision Transformer, assembled from layers in this file, trained to read drawn digits and letters.
//
// What it teaches: patches become tokens, a class token collects the information, a linear head classifies it; warm-up and
// cosine schedule, AdamW, gradient clipping. (models/vit.h is the same thing with every option.)
// What to expect: about 81 % test accuracy after four epochs, in under two minutes on two cores, and a row of test images with
// the model's answers in build/05_train_vit.png.
#include <cstdio>
#include <filesystem>

#include "autograd/ops.h"
#include "data/image/image.h"
#include "data/loader.h"
#include "data/sets/registry.h"
#include "nn/nn.h"
#include "train/metrics.h"
#include "train/optim/clip.h"
#include "train/optim/optim.h"
#include "train/optim/schedule.h"

using namespace vitrail;

// B batch, N tokens, D width, P patch side.
class SmallViT : public nn::Layer {
 public:
  SmallViT(int64_t side, int64_t P, int64_t D, int64_t depth, int64_t heads, int64_t classes, Rng& rng)
      : patch_embed(P, P, 1, D, rng),
        cls_token(nn::normal({1, 1, D}, 1e-6, rng), true),
        pos_embed(nn::trunc_normal({1, (side / P) * (side / P) + 1, D}, 0.02, rng), true),
        norm(D),
        head(D, classes, rng) {
    register_module("patch_embed", patch_embed);
    register_parameter("cls_token", cls_token);
    register_parameter("pos_embed", pos_embed);
    for (int64_t i = 0; i < depth; ++i) blocks.add(D, heads, rng, nn::BlockOptions{.mlp_ratio = 2});
    register_module("blocks", blocks);
    register_module("norm", norm);
    register_module("head", head);
  }

  Variable forward(const Variable& images) override {
    const Variable patches = patch_embed(images);                                  // [B, 1, H, W] -> [B, N, D]
    const Variable cls = expand(cls_token, {images.size(0), 1, patches.size(2)});  // [B, 1, D]
    Variable x = concat({cls, patches}, 1) + pos_embed;                            // [B, N + 1, D]
    for (auto& block : blocks) x = (*block)(x);
    return head(select(norm(x), 1, 0));  // the class token: [B, D] -> [B, classes]
  }

  nn::PatchEmbed patch_embed;
  Variable cls_token, pos_embed;
  nn::ModuleList<nn::EncoderBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear head;
};

double accuracy(SmallViT& model, Loader& loader) {
  const NoGradGuard no_grad;
  RunningMean mean;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    mean.add(top_k_accuracy(model(batch.images).value(), batch.labels), static_cast<double>(batch.labels.numel()));
  }
  return mean.mean();
}

// The first sixteen test images as one picture, and the model's prediction for each on the terminal.
void show_some(SmallViT& model, const Dataset& data, Loader& loader) {
  const NoGradGuard no_grad;
  const Tensor best = argmax(model(loader.batch(0, 0).images).value(), 1);
  std::vector<Tensor> images;
  for (int64_t i = 0; i < 16; ++i) {
    images.push_back(data.sample(i).image);
    std::printf("%s%s ", data.class_names()[static_cast<size_t>(best.at({i}))].c_str(),
                best.at({i}) == static_cast<double>(data.label(i)) ? "" : "(!)");
  }
  std::filesystem::create_directories("build");
  write_png("build/05_train_vit.png", contact_sheet(stack(images, 0), 16));
  std::printf("<- what it reads in build/05_train_vit.png, (!) where it is wrong\n");
}

int main() {
  const DatasetPtr train_set = open_dataset("glyphs", Split::kTrain), test_set = open_dataset("glyphs", Split::kTest);
  const Transform transform{preprocessing_for(train_set->info()), {}};
  Loader train(train_set, transform, {.batch_size = 128, .seed = 1});
  Loader test(test_set, transform, {.batch_size = 256, .train = false});

  Rng rng(1);
  SmallViT model(28, /*P=*/4, /*D=*/64, /*depth=*/4, /*heads=*/4, train_set->num_classes(), rng);
  std::printf("%s", to_string(summarize(model, {1, 1, 28, 28}), 1).c_str());
  AdamW optimizer(make_param_groups(model, /*weight_decay=*/0.05));
  const int64_t epochs = 4;
  Schedule schedule{.kind = ScheduleKind::kCosine, .base_lr = 2e-3, .total_steps = epochs * train.batches()};
  schedule.warmup_steps = schedule.total_steps / 20;

  model.train();
  for (int64_t epoch = 0, step = 0; epoch < epochs; ++epoch) {
    RunningMean loss_mean;
    for (int64_t i = 0; i < train.batches(); ++i, ++step) {
      const Batch batch = train.batch(epoch, i);
      const Variable loss = cross_entropy(model(batch.images), batch.labels, {.label_smoothing = 0.1});
      loss.backward();
      clip_grad_norm(model, 1.0);
      optimizer.step(learning_rate(schedule, step));
      optimizer.zero_grad();
      loss_mean.add(loss.item());
    }
    std::printf("epoch %lld  loss %.3f  test accuracy %.1f %%\n", static_cast<long long>(epoch + 1), loss_mean.mean(),
                100 * accuracy(model, test));
    std::fflush(stdout);
  }
  show_some(model, *test_set, test);
}
