// Four ways to learn ten letters, of each of which there are few pictures, from a model that reads digits: from scratch, a
// probe on frozen features, LoRA, and everything. Then the same weights on larger pictures, with and without resampled
// positions.
//
// Theorem: with B = 0 a model with low-rank updates is the model without them, to the bit; so is the unmerged one.
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "autograd/ops.h"
#include "base/file.h"
#include "base/svg.h"
#include "data/sets/glyphs.h"
#include "labs/common/milestone.h"
#include "models/vit.h"
#include "models/weights/class_rows.h"
#include "models/weights/position_resampling.h"
#include "nn/nn.h"
#include "tensor/ops.h"
#include "train/metrics.h"
#include "train/optim/layer_decay.h"
#include "train/optim/schedule.h"
#include "train/probe/features.h"
#include "train/probe/head.h"
#include "train/probe/ridge.h"

using namespace vitrail;

namespace {

constexpr int64_t kClasses = 10, kBatch = 50, kDigits = 3000, kTested = 1000, kSide = 28, kLargeSide = 42, kPatch = 7;

struct Pictures {
  Tensor images;                // f32 [N, 1, S, S], -1 to 1
  Tensor targets;               // i64 [N]
  std::vector<int64_t> labels;  // the same
};

// The first `count` digits (labels 0 to 9 of the glyphs) or letters (10 to 19, counted from 0 here) of a stream.
Pictures drawn(bool letters, bool train, int64_t count) {
  const GlyphDataset glyphs(8, train, 2 * count);  // balanced in blocks of twenty
  Pictures p{empty({count, 1, kSide, kSide}), {}, {}};
  float* out = p.images.mutable_data<float>();
  for (int64_t i = 0; i < glyphs.size(); ++i) {
    const int64_t label = glyphs.label(i);
    if ((label >= kClasses) != letters) continue;
    p.labels.push_back(label % kClasses);
    const Tensor image = glyphs.sample(i).image;
    for (int64_t k = 0; k < kSide * kSide; ++k) *out++ = static_cast<float>(image.data<uint8_t>()[k]) / 127.5f - 1;
  }
  p.targets = from_vector(p.labels, {count});
  return p;
}

models::ViTConfig config(int64_t side = kSide) {
  models::ViTConfig c;
  c.img_size = side, c.patch_size = kPatch, c.in_chans = 1, c.num_classes = kClasses;
  c.embed_dim = 64, c.depth = 4, c.num_heads = 4, c.mlp_ratio = 2;
  return c;
}

double accuracy(models::Classifier& model, const Pictures& test) {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(model);
  int64_t right = 0;
  for (int64_t from = 0; from < test.targets.size(0); from += 250)
    right += count_top_k(model(slice(test.images, 0, from, from + 250)).value(), slice(test.targets, 0, from, from + 250), 1);
  return 100.0 * static_cast<double>(right) / static_cast<double>(test.targets.size(0));
}

void train(models::Classifier& model, std::vector<ParamGroup> groups, const Pictures& data, int64_t epochs, double lr) {
  AdamW optimizer(std::move(groups));
  const int64_t n = data.targets.size(0), batch = std::min(n, kBatch), steps = n / batch;
  const Schedule schedule{.base_lr = lr, .warmup_steps = steps, .total_steps = epochs * steps};
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const Tensor order = rand_permutation(n, Rng(9).at(static_cast<uint64_t>(epoch)));
    for (int64_t step = 0; step < steps; ++step) {
      const Tensor rows = slice(order, 0, step * batch, (step + 1) * batch);
      cross_entropy(model(index_select(data.images, 0, rows)), index_select(data.targets, 0, rows)).backward();
      optimizer.step(learning_rate(schedule, epoch * steps + step));
      optimizer.zero_grad();
    }
  }
}

// A copy of the reader of digits whose head is that of the letters: zeros, since it knows none of their names.
std::unique_ptr<models::ViT> for_letters(models::ViT& digits) {
  auto model = std::make_unique<models::ViT>(config(), Rng(3));
  model->load_state_dict(digits.state_dict());
  const std::vector<std::string>& names = glyph_names();
  const ClassRows rows = keep_class_rows(model->head->weight.value(), model->head->bias.value(),
                                         {names.begin(), names.begin() + kClasses}, {names.begin() + kClasses, names.end()});
  copy_(model->head->weight.value(), rows.weight);
  copy_(model->head->bias.value(), rows.bias);
  return model;
}

int64_t trained_numbers(nn::Module& model) {
  int64_t count = 0;
  for (const nn::NamedParameter& p : model.named_parameters()) count += p.parameter->requires_grad() ? p.parameter->numel() : 0;
  return count;
}

struct Way {
  std::string name;
  double right = 0;        // percent
  int64_t parameters = 0;  // trained
  double seconds = 0;
};

Way measured(const std::string& name, const std::function<std::pair<double, int64_t>()>& run) {
  const auto start = std::chrono::steady_clock::now();
  const auto [right, parameters] = run();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("  %-22s %5.1f %% right, %7lld parameters trained, %5.1f s\n", name.c_str(), right,
              static_cast<long long>(parameters), seconds);
  std::fflush(stdout);
  return {name, right, parameters, seconds};
}

bool bits_of(models::ViT& model, const Tensor& images, const Tensor& wanted) {
  const NoGradGuard no_grad;
  const nn::EvalGuard evaluation(model);
  return bit_equal(model(images).value(), wanted);
}

bool theorem_holds = true;

std::pair<double, int64_t> with_updates(models::ViT& digits, const Pictures& few, const Pictures& test, int64_t rank) {
  const auto model = for_letters(digits);
  const Tensor some = slice(test.images, 0, 0, 100);
  // The head of letters is zero: the head of digits shows whether a bit has changed.
  const Tensor before = [&] {
    const NoGradGuard no_grad;
    const nn::EvalGuard evaluation(digits);
    return digits(some).value();
  }();
  models::ViT twin(config(), Rng(3));
  twin.load_state_dict(digits.state_dict());
  Rng rng(4), again(4);
  nn::add_lora(twin, {.rank = rank, .targets = "attn.*,mlp.*"}, again);
  theorem_holds = theorem_holds && bits_of(twin, some, before);
  nn::merge_lora(twin);
  nn::unmerge_lora(twin);
  theorem_holds = theorem_holds && bits_of(twin, some, before);

  nn::add_lora(*model, {.rank = rank, .targets = "attn.*,mlp.*"}, rng);
  nn::freeze_all_but(*model, [](const std::string& path) { return nn::is_lora(path) || is_head(path); });
  train(*model, single_group(*model), few, 40, 5e-3);
  const int64_t parameters = trained_numbers(*model);
  nn::merge_lora(*model);
  return {accuracy(*model, test), parameters};
}

std::vector<Way> four_ways(models::ViT& digits, const Pictures& few, const Pictures& test, int64_t rank) {
  std::vector<Way> ways;
  ways.push_back(measured("from scratch", [&] {
    models::ViT model(config(), Rng(5));
    train(model, make_param_groups(model, 0.05), few, 40, 1e-3);
    return std::pair(accuracy(model, test), trained_numbers(model));
  }));
  ways.push_back(measured("probe (ridge)", [&] {
    const auto model = for_letters(digits);
    const RidgeProbe probe = fit_ridge(standardised(features_of(*model, few.images)), few.labels, kClasses);
    copy_(model->head->weight.value(), probe.head.weight);
    copy_(model->head->bias.value(), probe.head.bias);
    return std::pair(accuracy(*model, test), probe.head.weight.numel() + probe.head.bias.numel());
  }));
  ways.push_back(measured(cat("LoRA, rank ", rank), [&] { return with_updates(digits, few, test, rank); }));
  ways.push_back(measured("everything, by layer", [&] {
    const auto model = for_letters(digits);
    train(*model, scaled_by_layer(make_param_groups(*model, 0.05), 0.8, 2), few, 40, 2e-3);
    return std::pair(accuracy(*model, test), trained_numbers(*model));
  }));
  return ways;
}

// The digits' reader on pictures of kLargeSide: its positions resampled, or moved row by row as they lie.
double on_larger(models::ViT& digits, const Pictures& test, bool resampled) {
  models::ViT large(config(kLargeSide), Rng(3));
  constexpr int64_t kFrom = kSide / kPatch, kTo = kLargeSide / kPatch;
  const Tensor old = digits.pos_embed.value();
  Tensor positions = zeros({1, 1 + kTo * kTo, old.size(2)});
  if (resampled)
    positions = resample_positions(old, {kFrom, kFrom}, {kTo, kTo}, 1, PositionRule::kTimmNpz);
  else
    copy_(slice(positions, 1, 0, old.size(1)), old);
  nn::StateDict state = digits.state_dict();
  for (auto& [name, value] : state)
    if (name == "pos_embed") value = positions;
  large.load_state_dict(state);
  return accuracy(large, {resize(test.images, kLargeSide, kLargeSide), test.targets, {}});
}

// A bar with stripes, so that no colour is needed.
void bar(Svg& svg, double x, double y, double width, double height, bool striped) {
  svg.rect(x, y, width, height, striped ? "fill=\"#fff\" stroke=\"#333\"" : "fill=\"#333\"");
  std::string stripes;
  for (double at = x + 4; striped && at < x + width; at += 6)
    stripes += cat("M", svg_number(at), " ", svg_number(y), "v", svg_number(height));
  if (!stripes.empty()) svg.path(stripes, "stroke=\"#333\" fill=\"none\"");
}

std::string one_decimal(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", x);
  return text;
}

std::string picture(const std::vector<Way>& ways, int64_t shots, double small, double resampled, double moved) {
  Svg svg(760, 330, "text{font:13px sans-serif}.small{font-size:11px;fill:#444}");
  svg.text(20, 24, cat("ten letters from ", shots, " pictures each"));
  svg.text(190, 44, "right, of 1000 others (%)", "class=\"small\"");
  svg.text(480, 44, "trained parameters (each line: ten times more)", "class=\"small\"");
  for (int power = 2; power <= 6; ++power)
    svg.path(cat("M", 480 + 50 * (power - 2), " 52V200"), "stroke=\"#bbb\" fill=\"none\"");
  for (size_t i = 0; i < ways.size(); ++i) {
    const double y = 60 + 35 * static_cast<double>(i);
    svg.text(180, y + 17, ways[i].name, "text-anchor=\"end\"");
    bar(svg, 190, y, 2.2 * ways[i].right, 24, false);
    svg.text(195 + 2.2 * ways[i].right, y + 17, one_decimal(ways[i].right), "class=\"small\"");
    const double length = 50 * (std::log10(static_cast<double>(ways[i].parameters)) - 2);
    bar(svg, 480, y, length, 24, true);
    svg.text(485 + length, y + 17, cat(ways[i].parameters), "class=\"small\"");
  }
  svg.text(20, 236, "the reader of digits, pictures of 28 x 28 and of 42 x 42 (% right)");
  const std::pair<const char*, double> rows[] = {
      {"28 x 28", small}, {"42 x 42, resampled", resampled}, {"42 x 42, not", moved}};
  for (int i = 0; i < 3; ++i) {
    const double y = 246 + 26 * i;
    svg.text(180, y + 14, rows[i].first, "text-anchor=\"end\"");
    bar(svg, 190, y, 2.2 * rows[i].second, 18, i == 2);
    svg.text(195 + 2.2 * rows[i].second, y + 14, one_decimal(rows[i].second), "class=\"small\"");
  }
  return svg.str();
}

int64_t number_of(const char* name, int64_t otherwise, int64_t most) {
  const char* words = std::getenv(name);
  return words ? std::clamp<int64_t>(std::atoll(words), 1, most) : otherwise;
}

int draw_all(const std::string& out) {
  const int64_t shots = number_of("SHOTS", 20, 500), rank = number_of("RANK", 4, 64);
  const Pictures digits = drawn(false, true, kDigits), digits_test = drawn(false, false, kTested);
  models::ViT reader(config(), Rng(1));
  measured("digits, before", [&] {
    train(reader, make_param_groups(reader, 0.05), digits, 15, 2e-3);
    return std::pair(accuracy(reader, digits_test), trained_numbers(reader));
  });
  const Pictures few = drawn(true, true, kClasses * shots), test = drawn(true, false, kTested);
  const std::vector<Way> ways = four_ways(reader, few, test, rank);
  const double small = accuracy(reader, digits_test), resampled = on_larger(reader, digits_test, true),
               moved = on_larger(reader, digits_test, false);
  std::printf("  digits of 42 x 42: %.1f %% right with resampled positions, %.1f %% without (28 x 28: %.1f %%)\n", resampled,
              moved, small);
  write_file_atomically(out + "/lab8.svg", picture(ways, shots, small, resampled, moved));
  if (!theorem_holds)
    std::printf("  The theorem does not hold: an update with B = 0, or one that is taken out, changes bits.\n");
  return theorem_holds ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
