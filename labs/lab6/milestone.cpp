// The mirror task. A picture shows 16 signs of 8 kinds, one in each patch; output i must name the sign of patch 15 - i.
//
// Theorem: what cannot see patch 15 - i is right once in eight. The test proves it by number: each picture stands in the test
// eight times, with all eight signs in patch 15 - i and everything else the same, and only output i counts.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "autograd/ops.h"
#include "base/file.h"
#include "base/svg.h"
#include "labs/common/milestone.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "tensor/plain.h"
#include "train/metrics.h"
#include "train/optim/optim.h"

using namespace vitrail;

namespace {

constexpr int64_t kTokens = 16, kSigns = 8, kSide = 8, kGrid = 4, kWidth = 32, kBatch = 32;

// Eight signs of 6 x 6 points; a frame of one point stays free.
// A disc, a ring, a cross, a plus, a triangle, a bar, stripes, a chessboard.
const char* const kPoints[kSigns] = {
    "..##...####.############.####...##..", ".####.#....##....##....##....#.####.", "#....#.#..#...##....##...#..#.#....#",
    "..##....##..############..##....##..", "#.....##....###...####..#####.######", "............############............",
    "######......######......######......", "#.#.#..#.#.##.#.#..#.#.##.#.#..#.#.#",
};

// 1 for ink, -1 for paper.
float ink(int64_t sign, int64_t y, int64_t x) {
  if (y < 1 || y > 6 || x < 1 || x > 6) return -1;
  return kPoints[sign][(y - 1) * 6 + x - 1] == '#' ? 1 : -1;
}

// signs [B, 16] -> pictures [B, 1, 32, 32], patches row by row
Tensor drawn(const Tensor& signs) {
  Tensor pictures = empty({signs.size(0), 1, kGrid * kSide, kGrid * kSide});
  float* point = pictures.mutable_data<float>();
  for (int64_t b = 0; b < signs.size(0); ++b) {
    for (int64_t y = 0; y < kGrid * kSide; ++y) {
      for (int64_t x = 0; x < kGrid * kSide; ++x) {
        const int64_t token = y / kSide * kGrid + x / kSide;
        *point++ = ink(static_cast<int64_t>(signs.at({b, token})), y % kSide, x % kSide);
      }
    }
  }
  return pictures;
}

class MirrorReader : public nn::Module {
 public:
  MirrorReader(int64_t heads, Rng&& rng)
      : patches(kSide, kSide, 1, kWidth, rng),
        place(nn::normal({1, kTokens, kWidth}, 0.5, rng), true),
        block(kWidth, heads, rng, {.mlp_ratio = 2}),
        head(kWidth, kSigns, rng) {
    register_module("patches", patches);
    register_parameter("place", place);
    register_module("block", block);
    register_module("head", head);
  }
  Variable embed(const Tensor& pictures) { return patches(pictures) + place; }
  // The whole block.
  Variable whole(const Tensor& pictures) { return head(block(embed(pictures))); }
  // The block without its attention: every token for itself.
  Variable blind(const Tensor& pictures) {
    const Variable x = embed(pictures);
    return head(x + block.mlp(block.norm2(x)));
  }
  // The block, where a mask forbids every token the one place that it is asked about.
  Variable covered(const Tensor& pictures) {
    Tensor mask = ones({kTokens, kTokens}, Dtype::u8);
    for (int64_t i = 0; i < kTokens; ++i) mask.mutable_data<uint8_t>()[i * kTokens + kTokens - 1 - i] = 0;
    const Variable x = embed(pictures), normed = block.norm1(x), y = x + block.attn.cross(normed, normed, mask);
    return head(y + block.mlp(block.norm2(y)));
  }

  nn::PatchEmbed patches;
  Variable place;
  nn::EncoderBlock block;
  nn::Linear head;
};

using Answer = std::function<Variable(const Tensor&)>;

struct Curve {
  std::vector<double> right;  // share of each step's batch
  int64_t steps_to_99 = 0;
};

Curve train(MirrorReader& model, const Answer& answer, int64_t steps) {
  AdamW optimizer(single_group(model));
  Curve curve;
  for (int64_t step = 0; step < steps; ++step) {
    const Tensor signs = rand_int({kBatch, kTokens}, 0, kSigns, Rng(7).at(static_cast<uint64_t>(step)));
    const Tensor mirrored = flatten(flip(signs, {1}));
    const Variable scores = reshape(answer(drawn(signs)), {kBatch * kTokens, kSigns});
    cross_entropy(scores, mirrored).backward();
    optimizer.step(3e-3);
    optimizer.zero_grad();
    curve.right.push_back(top_k_accuracy(scores.value(), mirrored));
    if (curve.steps_to_99 == 0 && curve.right.back() >= 0.99) curve.steps_to_99 = step + 1;
  }
  return curve;
}

struct Score {
  int64_t right = 0, asked = 0;
};

// For each place i: two pictures, each with all eight signs in patch 15 - i. In f64, so that rounding cannot part equal tokens.
Score test(const Answer& answer) {
  const NoGradGuard no_grad;
  Score score;
  for (int64_t i = 0; i < kTokens; ++i) {
    Tensor signs = rand_int({2 * kSigns, kTokens}, 0, kSigns, Rng(8).at(static_cast<uint64_t>(i)));
    copy_(slice(signs, 0, kSigns, 2 * kSigns), expand(slice(signs, 0, kSigns, kSigns + 1), {kSigns, kTokens}));
    copy_(slice(signs, 0, 0, kSigns), expand(slice(signs, 0, 0, 1), {kSigns, kTokens}));
    for (int64_t n = 0; n < 2 * kSigns; ++n) signs.mutable_data<int64_t>()[n * kTokens + kTokens - 1 - i] = n % kSigns;
    const Tensor named = argmax(answer(to(drawn(signs), Dtype::f64)).value(), 2);
    for (int64_t n = 0; n < 2 * kSigns; ++n) {
      score.right += named.at({n, i}) == static_cast<double>(n % kSigns);
      ++score.asked;
    }
  }
  return score;
}

double percent(const Score& s) { return 100 * static_cast<double>(s.right) / static_cast<double>(s.asked); }

void draw_signs(Svg& svg, const Tensor& signs, double left, double top, double point) {
  std::string ink_path;
  for (int64_t y = 0; y < kGrid * kSide; ++y) {
    for (int64_t x = 0; x < kGrid * kSide; ++x) {
      const auto sign = static_cast<int64_t>(signs.at({0, y / kSide * kGrid + x / kSide}));
      if (ink(sign, y % kSide, x % kSide) > 0)
        ink_path += cat("M", left + static_cast<double>(x) * point, " ", top + static_cast<double>(y) * point, "h", point, "v",
                        point, "h-", point, "z");
    }
  }
  svg.path(ink_path, "fill=\"#222\"");
  for (int64_t n = 0; n < kTokens; ++n) {
    const double x = left + static_cast<double>(n % kGrid * kSide) * point,
                 y = top + static_cast<double>(n / kGrid * kSide) * point;
    svg.rect(x, y, kSide * point, kSide * point, "fill=\"none\" stroke=\"#999\"");
    svg.text(x + 3, y + 11, std::to_string(n), "class=\"small\"");
  }
}

// The mean over the heads of P: squares whose area is the probability.
void draw_map(Svg& svg, const Tensor& map, double left, double top, double cell) {
  svg.rect(left, top, kTokens * cell, kTokens * cell, "fill=\"none\" stroke=\"#999\"");
  for (int64_t i = 0; i < kTokens; ++i) {
    for (int64_t j = 0; j < kTokens; ++j) {
      const double p = map.at({i, j}), side = std::sqrt(p) * (cell - 1);
      if (p < 0.004) continue;
      svg.rect(left + (static_cast<double>(j) + 0.5) * cell - side / 2, top + (static_cast<double>(i) + 0.5) * cell - side / 2,
               side, side);
    }
  }
}

void draw_curve(Svg& svg, const std::vector<double>& right, double left, double bottom, double width, double height,
                const std::string& attributes) {
  std::string commands;
  const size_t step = 5;
  for (size_t i = 0; i < right.size(); i += step) {
    const double x = left + width * static_cast<double>(i) / static_cast<double>(right.size());
    commands += (i ? "L" : "M") + svg_number(x) + " " + svg_number(bottom - height * right[i]);
  }
  svg.path(commands, "fill=\"none\" stroke=\"#222\" " + attributes);
}

std::string picture(MirrorReader& model, const Curve& with, const Curve& without) {
  const NoGradGuard no_grad;
  const Tensor signs = rand_int({1, kTokens}, 0, kSigns, Rng(9));
  model.block.attn.keep_attention_map = true;
  model.whole(to(drawn(signs), Dtype::f64));
  Svg svg(760, 290,
          "text{font:13px sans-serif}.small{font-size:9px;fill:#555;stroke:#fff;stroke-width:2px;paint-order:stroke}");
  svg.text(20, 24, "a picture: 16 signs");
  draw_signs(svg, signs, 20, 40, 6);
  svg.text(240, 24, "where token i (row) looks");
  draw_map(svg, mean(select(model.block.attn.attention_map, 0, 0), {0}), 240, 40, 13);
  svg.text(500, 24, "right, of the signs of patch 15 - i");
  svg.path("M500 40V240H750", "fill=\"none\" stroke=\"#999\"");
  for (const int share : {0, 50, 100}) svg.text(494, 244 - 2 * share, cat(share, " %"), "text-anchor=\"end\" class=\"small\"");
  svg.path("M500 215H750", "stroke=\"#999\" stroke-dasharray=\"2 3\"");
  draw_curve(svg, with.right, 500, 240, 250, 200, "stroke-width=\"2\"");
  draw_curve(svg, without.right, 500, 240, 250, 200, "stroke-dasharray=\"5 3\"");
  svg.text(510, 258, cat("solid: with attention; dashed: without; 0 to ", with.right.size(), " steps"), "class=\"small\"");
  return svg.str();
}

int draw_all(const std::string& out) {
  const char* words = std::getenv("HEADS");
  const int64_t heads = words ? std::atoll(words) : 1;
  const PlainGuard plain("attention");
  MirrorReader blind(heads, Rng(3)), reader(heads, Rng(3));
  // Watched layers run one by one, by the block's equation.
  const nn::ObserverGuard watch(reader, [](const nn::Observation&) {});
  const Curve without = train(
      blind, [&](const Tensor& x) { return blind.blind(x); }, 400);
  const Curve with = train(
      reader, [&](const Tensor& x) { return reader.whole(x); }, 400);
  blind.to(Dtype::f64);
  reader.to(Dtype::f64);
  const Score alone = test([&](const Tensor& x) { return blind.blind(x); });
  const Score seeing = test([&](const Tensor& x) { return reader.whole(x); });
  reader.block.attn.keep_attention_gradient = true;  // composed of separate ops
  const Score covered = test([&](const Tensor& x) { return reader.covered(x); });
  reader.block.attn.keep_attention_gradient = false;
  std::printf("  without attention:       %6.2f %% right (one in eight is a theorem)\n", percent(alone));
  std::printf("  with the answer masked:  %6.2f %% right (the same theorem)\n", percent(covered));
  std::printf("  with attention:          %6.2f %% right, 99 %% after %lld steps\n", percent(seeing),
              static_cast<long long>(with.steps_to_99));
  write_file_atomically(out + "/lab6.svg", picture(reader, with, without));
  const bool holds = alone.right * kSigns == alone.asked && covered.right * kSigns == covered.asked;
  if (!holds) std::printf("  The theorem does not hold: something lets a token see what it cannot see.\n");
  return holds && seeing.right == seeing.asked ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
