// Left or right. A picture of 4 x 4 patches shows a disc in one patch and a square in another; is the disc further left?
//
// Theorem: a ViT without positions is right in exactly half of the cases. If disc and square change places, the picture is the
// same set of patches, so it gives the same answer to both; but the right answers differ. Each test picture comes with its
// twin.
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "autograd/modes.h"
#include "autograd/ops.h"
#include "base/file.h"
#include "base/svg.h"
#include "labs/common/milestone.h"
#include "models/cct.h"
#include "models/vit.h"
#include "tensor/ops.h"
#include "train/metrics.h"
#include "train/optim/optim.h"

using namespace vitrail;
using models::CctConfig;
using models::ViTConfig;

namespace {

constexpr int64_t kSide = 8, kGrid = 4, kPixels = kSide * kGrid, kBatch = 64, kTwins = 256;

struct Pictures {
  Tensor images, labels;  // f32 [B, 1, 32, 32]; i64 [B], 1 where the disc is further left
};

bool in_disc(int64_t y, int64_t x) { return (2 * y - 7) * (2 * y - 7) + (2 * x - 7) * (2 * x - 7) <= 36; }
bool in_square(int64_t y, int64_t x) { return y >= 1 && y <= 6 && x >= 1 && x <= 6; }

void draw(float* image, int64_t patch, bool disc) {
  float* corner = image + patch / kGrid * kSide * kPixels + patch % kGrid * kSide;
  for (int64_t y = 0; y < kSide; ++y) {
    for (int64_t x = 0; x < kSide; ++x) corner[y * kPixels + x] += (disc ? in_disc(y, x) : in_square(y, x)) ? 1.0f : 0.0f;
  }
}

// Patch a and patch b of an image change places, with their noise.
void exchange(float* image, int64_t a, int64_t b) {
  for (int64_t y = 0; y < kSide; ++y) {
    float* row_a = image + (a / kGrid * kSide + y) * kPixels + a % kGrid * kSide;
    float* row_b = image + (b / kGrid * kSide + y) * kPixels + b % kGrid * kSide;
    std::swap_ranges(row_a, row_a + kSide, row_b);
  }
}

// `pairs` pictures and behind each its twin.
Pictures pictures(int64_t pairs, const Rng& rng) {
  Pictures made{rand_normal({2 * pairs, 1, kPixels, kPixels}, 0, 0.3, rng.at(0)), empty({2 * pairs}, Dtype::i64)};
  const Rng places = rng.at(1);
  for (int64_t i = 0; i < pairs; ++i) {
    const auto at = static_cast<uint64_t>(4 * i);
    const int64_t left = static_cast<int64_t>(places.below(at, kGrid - 1)),
                  right = left + 1 + static_cast<int64_t>(places.below(at + 1, static_cast<uint64_t>(kGrid - 1 - left)));
    const int64_t a = static_cast<int64_t>(places.below(at + 2, kGrid)) * kGrid + left,
                  b = static_cast<int64_t>(places.below(at + 3, kGrid)) * kGrid + right;
    float* image = made.images.mutable_data<float>() + 2 * i * kPixels * kPixels;
    draw(image, a, true);
    draw(image, b, false);
    std::copy(image, image + kPixels * kPixels, image + kPixels * kPixels);
    exchange(image + kPixels * kPixels, a, b);
    made.labels.mutable_data<int64_t>()[2 * i] = 1;
    made.labels.mutable_data<int64_t>()[2 * i + 1] = 0;
  }
  return made;
}

ViTConfig vit(const char* positions) {
  ViTConfig c;
  c.img_size = kPixels, c.patch_size = kSide, c.in_chans = 1, c.num_classes = 2, c.embed_dim = 32, c.depth = 2, c.num_heads = 2,
  c.mlp_ratio = 2, c.pos_embed = positions;
  return c;
}

// KERNEL=1, 3, 5, ...: the side of its convolutions.
CctConfig cct() {
  CctConfig c;
  if (const char* kernel = std::getenv("KERNEL")) c.conv_kernel = std::atoll(kernel);
  c.img_size = kPixels, c.in_chans = 1, c.num_classes = 2, c.embed_dim = 32, c.conv_width = 16, c.pos_embed = "none";
  return c;
}

struct Result {
  std::string name;
  int64_t parameters = 0, right = 0, asked = 0;
  double largest_difference = 0;  // of the logits of twins
  double percent() const { return 100 * static_cast<double>(right) / static_cast<double>(asked); }
};

void train(models::Classifier& model, int64_t steps) {
  AdamW optimizer(make_param_groups(model, 0.01));
  model.train();
  for (int64_t step = 0; step < steps; ++step) {
    const Pictures batch = pictures(kBatch / 2, Rng(5).at(static_cast<uint64_t>(step)));
    cross_entropy(model(batch.images), batch.labels).backward();
    optimizer.step(step < 30 ? 1e-4 * static_cast<double>(step + 1)
                             : 3e-3 * (1 - static_cast<double>(step) / static_cast<double>(steps)) + 1e-5);
    optimizer.zero_grad();
  }
}

// In f64, so that the order in which equal patches are added up cannot decide.
Result test(const std::string& name, models::Classifier& model) {
  const NoGradGuard no_grad;
  Result r;
  r.name = name, r.parameters = model.num_parameters();
  model.eval();
  model.to(Dtype::f64);
  const Pictures all = pictures(kTwins, Rng(6));
  const Tensor logits = model(to(all.images, Dtype::f64)).value(), named = argmax(logits, 1);
  for (int64_t i = 0; i < 2 * kTwins; ++i) {
    r.right += named.at({i}) == all.labels.at({i});
    ++r.asked;
    if (i % 2 == 1) r.largest_difference = std::max(r.largest_difference, std::abs(logits.at({i, 0}) - logits.at({i - 1, 0})));
  }
  return r;
}

void draw_picture(Svg& svg, const Tensor& images, int64_t which, double left, double top) {
  const double pixel = 5;
  for (int64_t patch = 0; patch < kGrid * kGrid; ++patch)
    svg.rect(left + static_cast<double>(patch % kGrid) * 40, top + static_cast<double>(patch / kGrid) * 40, 40, 40,
             "fill=\"none\" stroke=\"#bbb\"");
  std::string dark;
  for (int64_t y = 0; y < kPixels; ++y) {
    for (int64_t x = 0; x < kPixels; ++x) {
      if (images.at({which, 0, y, x}) > 0.65)
        dark += cat("M", left + static_cast<double>(x) * pixel, " ", top + static_cast<double>(y) * pixel, "h5v5h-5z");
    }
  }
  svg.path(dark, "fill=\"#222\"");
}

std::string picture(const std::vector<Result>& results) {
  Svg svg(760, 250, "text{font:13px sans-serif}.small{font-size:11px;fill:#444}");
  const Tensor images = pictures(3, Rng(11)).images;
  svg.text(20, 24, "left: the disc");
  draw_picture(svg, images, 2, 20, 40);
  svg.text(200, 24, "right: its twin, the same patches");
  draw_picture(svg, images, 3, 200, 40);
  svg.text(430, 24, "right answers");
  for (const int share : {50, 100}) {
    const double x = 430 + 2.6 * share;
    svg.path(cat("M", svg_number(x), " 40V200"), "stroke=\"#999\" stroke-dasharray=\"2 3\"");
    svg.text(x, 216, cat(share, " %"), "text-anchor=\"middle\" class=\"small\"");
  }
  for (size_t i = 0; i < results.size(); ++i) {
    const double y = 44 + 40 * static_cast<double>(i);
    svg.text(430, y + 9, results[i].name, "class=\"small\"");
    svg.rect(430, y + 14, 2.6 * results[i].percent(), 14, i == 0 ? "fill=\"none\" stroke=\"#222\"" : "fill=\"#666\"");
    char text[16];
    std::snprintf(text, sizeof text, "%.2f %%", results[i].percent());
    svg.text(430 + 2.6 * results[i].percent() + 6, y + 25, text, "class=\"small\"");
  }
  return svg.str();
}

template <class Config>
Result run(const std::string& name, const Config& config, int64_t steps) {
  typename Config::Model model(config, Rng(2));
  train(model, steps);
  const Result r = test(name, model);
  std::printf("  %-26s %6.2f %% right, %6lld parameters, twins differ by %.1e\n", name.c_str(), r.percent(),
              static_cast<long long>(r.parameters), r.largest_difference);
  std::fflush(stdout);
  return r;
}

int draw_all(const std::string& out) {
  const std::vector<Result> results = {
      run("ViT without positions", vit("none"), 400), run("ViT, learned positions", vit("learn"), 400),
      run("ViT, sin-cos positions", vit("sincos2d"), 400), run("CCT without positions", cct(), 400)};
  write_file_atomically(out + "/lab7.svg", picture(results));
  const bool holds = 2 * results[0].right == results[0].asked;
  const bool counted = results[1].parameters == models::count_parameters(vit("learn"));
  if (!holds) std::printf("  The theorem does not hold: something lets the model tell where a patch stands.\n");
  if (!counted)
    std::printf("  count_parameters() says %lld.\n", static_cast<long long>(models::count_parameters(vit("learn"))));
  return holds && counted && results[1].percent() >= 99 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
