// One page for one picture: how training would change it, where a small ViT looks, which pixels count, and what the model has
// learnt of places. PHOTO names a file (its short side is cut to the middle); without it a drawn scene is shown. The model
// learns eight shapes on drawn scenes, with the student's crops and mirrors; so of a photograph it says which shape it
// resembles.
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iostream>

#include "autograd/ops.h"
#include "base/file.h"
#include "base/html.h"
#include "data/augment/mixing.h"
#include "data/image/image.h"
#include "data/loader.h"
#include "data/sets/scenes.h"
#include "labs/common/milestone.h"
#include "labs/lab9/input_gradient.h"
#include "models/explain/attention.h"
#include "models/explain/overlay.h"
#include "models/explain/relevance.h"
#include "models/explain/structure.h"
#include "models/vit.h"
#include "tensor/ops.h"
#include "train/metrics.h"
#include "train/optim/optim.h"
#include "train/optim/schedule.h"

using namespace vitrail;
namespace explain = models::explain;

namespace {

constexpr int64_t kSide = 48, kPatch = 6, kGrid = kSide / kPatch, kBatch = 64, kTrained = 4000, kTested = 500, kEpochs = 12;

models::ViTConfig config() {
  models::ViTConfig c;
  c.img_size = kSide, c.patch_size = kPatch, c.num_classes = static_cast<int64_t>(scene_shapes().size());
  c.embed_dim = 64, c.depth = 4, c.num_heads = 4, c.mlp_ratio = 2;
  return c;
}

void train(models::ViT& model, Loader& loader) {
  AdamW optimizer(make_param_groups(model, 0.05));
  const Schedule schedule{.base_lr = 2e-3, .warmup_steps = loader.batches(), .total_steps = kEpochs * loader.batches()};
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    for (int64_t i = 0; i < loader.batches(); ++i) {
      const Batch batch = loader.batch(epoch, i);
      cross_entropy(model(batch.images), batch.labels).backward();
      optimizer.step(learning_rate(schedule, epoch * loader.batches() + i));
      optimizer.zero_grad();
    }
  }
}

double accuracy(models::ViT& model, Loader& loader) {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(model);
  int64_t right = 0;
  for (int64_t i = 0; i < loader.batches(); ++i) {
    const Batch batch = loader.batch(0, i);
    right += count_top_k(model(batch.images).value(), batch.labels, 1);
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(loader.samples());
}

// Each pixel as `times` x `times` pixels: sharp squares on every screen.
Tensor enlarged(const Tensor& picture, int64_t times) {
  const int64_t c = picture.size(0), h = picture.size(1), w = picture.size(2);
  return contiguous(
      reshape(contiguous(expand(reshape(picture, {c, h, 1, w, 1}), {c, h, times, w, times})), {c, h * times, w * times}));
}

std::string figure(const Tensor& picture, const std::string& caption) {
  return "<figure><img alt=\"" + html_escaped(caption) + "\" src=\"" + png_data_uri(encode_png(picture)) + "\"><figcaption>" +
         html_escaped(caption) + "</figcaption></figure>";
}

// Pictures that training would make of this one: the picture, then shifted and mirrored ones.
Tensor changed(const Tensor& picture) {
  std::vector<Tensor> all{picture};
  for (uint64_t key = 1; key < 6; ++key) all.push_back(random_mirror(random_crop(picture, 8, Rng(4).at(key)), Rng(5).at(key)));
  return stack(all, 0);
}

// The picture mixed with a drawn one: u8 [3, S, S], and what part of it is left.
std::pair<Tensor, double> mixed(const Tensor& picture, const Preprocessing& p, const augment::Mixing& mixing) {
  const Tensor other = SceneDataset(11, true, 1, kSide).sample(0).image;
  for (uint64_t key = 0;; ++key) {  // until the two are each other's partners and both can be seen
    Batch batch;
    batch.images = stack(std::vector<Tensor>{finish(picture, p), finish(other, p)}, 0);
    batch.labels = zeros({2}, Dtype::i64);
    batch.labels.mutable_data<int64_t>()[1] = 1;
    batch.targets.resize(2);
    augment::mix(batch, 0, 2, 2, mixing, Rng(6).at(key));
    const double left = batch.soft_labels.at({0, 0});
    if (left > 0.55 && left < 0.8) return {denormalize(select(batch.images, 0, 0), p), left};
  }
}

// A map [h, w] as grey: the largest value is black.
Tensor grey(const Tensor& map) {
  const Tensor inverse = mul(sub(scalar(1, Dtype::f64), explain::stretched(map)), 255);
  return convert_channels(to(reshape(contiguous(inverse), {1, map.size(0), map.size(1)}), Dtype::u8), 3);
}

struct Look {
  explain::AttentionRecord record;
  Tensor rollout, gradient, pixels, positions;  // pictures u8 [3, h, w]
  std::vector<double> probabilities;
};

Look look_at(models::ViT& model, const Tensor& picture, const Preprocessing& p) {
  const explain::Encoder encoder = explain::encoder_of(model, {kSide, kSide});
  const Tensor image = unsqueeze(finish(picture, p), 0);
  Look look{explain::record_attention(encoder, image), {}, {}, {}, {}, {}};
  const auto laid_over = [&](const Tensor& relation) {
    const Tensor map = explain::patch_map(relation, look.record.shares, encoder.prefix(), encoder.grid);
    return explain::overlay(enlarged(picture, 4), map, {});
  };
  look.rollout = laid_over(explain::rollout(look.record.attention));
  look.gradient = laid_over(explain::gradient_rollout(look.record.relevance));
  look.pixels = enlarged(grey(lab::saliency(lab::input_gradient(model, image, look.record.target))), 4);
  look.positions =
      enlarged(explain::similarity_picture(explain::position_similarity(encoder.positions), encoder.positions_grid), 2);
  look.probabilities = to_vector<double>(to(softmax(look.record.logits, 0), Dtype::f64));
  return look;
}

std::string answers(const Look& look) {
  std::string rows;
  for (size_t i = 0; i < look.probabilities.size(); ++i) {
    char percent[32];
    std::snprintf(percent, sizeof percent, "%.1f %%", 100 * look.probabilities[i]);
    rows += "<tr><td>" + html_escaped(scene_shapes()[i]) + "</td><td class=\"n\">" + percent + "</td></tr>";
  }
  return "<table>" + rows + "</table>";
}

std::string percent_of(double part) { return cat(static_cast<int>(std::lround(100 * part)), " %"); }

std::string page(const Tensor& picture, const Preprocessing& p, const Look& look, double right) {
  const auto [blended, kept] = mixed(picture, p, {.mixup = 1});
  const auto [pasted, left] = mixed(picture, p, {.cutmix = 1});
  const std::string shape = scene_shapes()[static_cast<size_t>(look.record.target)];
  std::string body = "<h1>What a small Vision Transformer sees</h1><div class=\"row\">";
  body += figure(enlarged(picture, 4), "the picture, 48 x 48 pixels");
  body += figure(look.rollout, "attention rollout: where the answer's token looked");
  body += figure(look.gradient, "gradient rollout: what of it spoke for \"" + shape + "\"");
  body += figure(look.pixels, "input gradient: dark pixels change the answer most");
  body += "</div><h2>What it answers</h2><p>It knows eight shapes and is right on " + std::to_string(std::lround(right)) +
          " of 100 drawn scenes. This is its answer; it cannot say that it knows none of them.</p>" + answers(look);
  body += "<h2>How training changes the picture</h2><div class=\"row\">";
  body += figure(enlarged(contact_sheet(changed(picture), 6, 2), 2), "as it is, and five times shifted, some of them mirrored");
  body += figure(enlarged(blended, 2), "mixup: " + percent_of(kept) + " of this picture, and so of its label");
  body += figure(enlarged(pasted, 2), "CutMix: " + percent_of(left) + " of it is left");
  body += "</div><h2>What it has learnt of places</h2>";
  body += figure(look.positions, "each small picture: how much the position of one patch is like those of all others");
  return html_page("What a small Vision Transformer sees", body,
                   ".row{display:flex;flex-wrap:wrap;gap:1em}img{max-width:100%}");
}

// The picture, the three maps, and one crop of the page's as a sheet for the handout.
Tensor sheet(const Tensor& picture, const Look& look) {
  return contact_sheet(stack(std::vector<Tensor>{enlarged(picture, 4), look.rollout, look.gradient, look.pixels}, 0), 4, 6);
}

int draw_all(const std::string& out) {
  const char* photo = std::getenv("PHOTO");
  const auto scenes = std::make_shared<SceneDataset>(9, true, kTrained, kSide);
  Preprocessing p = preprocessing_for(scenes->info());
  Tensor picture = SceneDataset(9, false, 8, kSide).scene(3).image;
  p.resize = ResizeMode::kShortSide, p.resize_height = p.resize_width = kSide;
  if (photo) picture = fit(read_image(photo), p);
  models::ViT model(config(), Rng(1));
  const auto start = std::chrono::steady_clock::now();
  Loader loader(scenes, Transform{p, {.crop_padding = 4, .mirror = true}}, {.batch_size = kBatch, .seed = 2});
  train(model, loader);
  Loader test(std::make_shared<SceneDataset>(9, false, kTested, kSide), Transform{p, {}}, {.batch_size = 100, .train = false});
  const double right = accuracy(model, test);
  const Look look = look_at(model, picture, p);
  const auto target = static_cast<size_t>(look.record.target);
  std::printf("  a ViT that knows eight shapes: %.1f %% right on %lld drawn scenes, %.0f s\n", right,
              static_cast<long long>(kTested), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  std::printf("  your picture: %s, %.1f %%; the page is %s/lab9.html\n", scene_shapes()[target].c_str(),
              100 * look.probabilities[target], out.c_str());
  write_file_atomically(out + "/lab9.html", page(picture, p, look, right));
  write_png(out + "/lab9.png", sheet(picture, look));
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
