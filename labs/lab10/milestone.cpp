// Milestone of lab 10: a roofline with pieces of work before and after, and the memory of attention and of checkpointed blocks.
// All runs on one thread, and the clock is that of the thread, so that other programs disturb little.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"
#include "base/file.h"
#include "base/number.h"
#include "base/svg.h"
#include "base/text.h"
#include "labs/common/milestone.h"
#include "labs/lab10/best_fit.h"
#include "labs/lab10/counted_memory.h"
#include "labs/lab10/fused.h"
#include "labs/lab10/online.h"
#include "labs/lab10/roofline.h"
#include "labs/lab10/tiled.h"
#include "nn/nn.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/probe.h"
#include "tensor/machine/simd.h"
#include "tensor/ops.h"
#include "tensor/plain.h"
#include "tensor/product/gemm.h"
#include "tensor/reference/attention.h"
#include "tensor/reference/matmul.h"

void* operator new(size_t bytes) { return lab::taken(bytes); }
void operator delete(void* data) noexcept { lab::given_back(data); }
void operator delete(void* data, size_t) noexcept { lab::given_back(data); }

using namespace vitrail;

namespace {

constexpr int64_t kTokens = 512, kWidth = 64, kRows = 2048, kCols = 768, kSide = 384;

double seconds_of(const std::function<void()>& work, int runs = 5) {
  return lab::least_seconds(lab::thread_seconds, runs, work);
}

int64_t tile_of_user() {
  const char* const text = std::getenv("TILE");
  return text ? parse_integer("labs", "TILE", text, 1, kTokens) : 64;
}

std::vector<float> filled(int64_t n, uint64_t seed) { return to_vector<float>(rand_normal({n}, 0, 1, Rng(seed))); }

// ---- the roof ----

double measured_peak() {
  constexpr int64_t kChains = 12, kRounds = 200000;
  std::vector<simd::Floats> x(kChains, simd::Floats{} + 1.0f);
  const double seconds =
      seconds_of([&] { lab::multiply_add(x.data(), kChains, kRounds, simd::Floats{} + 0.999f, simd::Floats{} + 0.001f); });
  return lab::multiply_add_cost(kChains, kRounds, simd::kLanes).flops / seconds / 1e9;
}

double measured_bandwidth() {
  constexpr int64_t kElements = int64_t{1} << 24;
  std::vector<float> x(static_cast<size_t>(kElements), 1.0f), y(x.size(), 0.5f);
  const double seconds = seconds_of([&] {
    for (size_t i = 0; i < x.size(); ++i) y[i] += 1.5f * x[i];
  });
  return lab::axpy_cost(kElements).bytes / seconds / 1e9;
}

// ---- pieces of work ----

struct Piece {
  std::string name;
  lab::Cost before, after;
  double seconds_before = 0, seconds_after = 0;
  bool same = false;  // both give the same result
};

// Of one element, counted as the ops that the formula shows: 12 for bias and GELU, 5 for the softmax.
Piece bias_and_gelu() {
  const double n = static_cast<double>(kRows * kCols);
  Piece piece{"bias and GELU", {12 * n, 4 * 4 * n}, {12 * n, 2 * 4 * n}};
  const std::vector<float> x = filled(kRows * kCols, 1), bias = filled(kCols, 2);
  std::vector<float> sum(x.size()), two(x.size()), one(x.size());
  piece.seconds_before = seconds_of([&] {
    for (int64_t i = 0; i < kRows * kCols; ++i)
      sum[static_cast<size_t>(i)] = x[static_cast<size_t>(i)] + bias[static_cast<size_t>(i % kCols)];
    for (size_t i = 0; i < sum.size(); ++i) {
      const auto z = static_cast<double>(sum[i]);
      two[i] = static_cast<float>(z * 0.5 * (1 + std::erf(z * 0.70710678118654752440)));
    }
  });
  piece.seconds_after = seconds_of([&] { lab::bias_gelu<float>(x.data(), bias.data(), one.data(), nullptr, kRows, kCols); });
  double worst = 0;
  for (size_t i = 0; i < one.size(); ++i) worst = std::max(worst, static_cast<double>(std::abs(one[i] - two[i])));
  piece.same = worst < 1e-5;
  return piece;
}

Piece softmax_of_rows() {
  const double n = static_cast<double>(kRows * kCols);
  Piece piece{"softmax", {5 * n, 4 * 4 * n}, {5 * n, 3 * 4 * n}};
  const std::vector<float> x = filled(kRows * kCols, 3);
  std::vector<float> three(x.size()), two(x.size());
  const int64_t all = kRows * kCols;  // one row, which no cache holds
  piece.seconds_before = seconds_of([&] {
    double largest = -INFINITY, total = 0;
    for (const float value : x) largest = std::max(largest, static_cast<double>(value));
    for (const float value : x) total += std::exp(static_cast<double>(value) - largest);
    for (size_t i = 0; i < x.size(); ++i) three[i] = static_cast<float>(std::exp(static_cast<double>(x[i]) - largest) / total);
  });
  piece.seconds_after = seconds_of([&] { lab::online_softmax(x.data(), two.data(), all); });
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, static_cast<double>(std::abs(two[i] / three[i] - 1)));
  piece.same = worst < 1e-4;
  return piece;
}

struct Head {
  lab::AttentionSize size{kTokens, kTokens, kWidth, 0.125, tile_of_user()};
  Tensor q = rand_normal({1, 1, kTokens, kWidth}, 0, 1, Rng(4), Dtype::f64),
         k = rand_normal({1, 1, kTokens, kWidth}, 0, 1, Rng(5), Dtype::f64),
         v = rand_normal({1, 1, kTokens, kWidth}, 0, 1, Rng(6), Dtype::f64), plain = zeros_like(q);
  std::vector<double> q_ = to_vector<double>(q), k_ = to_vector<double>(k), v_ = to_vector<double>(v), out = v_,
                      logsum = std::vector<double>(kTokens);
  void tiled() { lab::tiled_attention(size, q_.data(), k_.data(), v_.data(), out.data(), logsum.data()); }
};

// Both on plain loops: the ops of the framework, which keep scores and probabilities, and the tiles.
Piece attention_of_a_head(Head& head) {
  const double n = static_cast<double>(kTokens), d = static_cast<double>(kWidth), flops = 4 * n * n * d;
  Piece piece{"attention", {flops, 8 * (4 * n * d + 4 * n * n)}, {flops, 8 * 4 * n * d}};
  const PlainGuard plain_loops("all");
  piece.seconds_before =
      seconds_of([&] { head.plain = matmul(softmax(matmul(head.q, transpose(head.k)) * 0.125, -1), head.v); }, 3);
  piece.seconds_after = seconds_of([&] { head.tiled(); }, 3);
  double worst = 0;
  const std::vector<double> plain = to_vector<double>(head.plain);
  for (size_t i = 0; i < plain.size(); ++i) worst = std::max(worst, std::abs(plain[i] - head.out[i]));
  piece.same = worst < 1e-10;
  return piece;
}

Piece product() {
  const double n = static_cast<double>(kSide);
  Piece piece{"product", {2 * n * n * n, 12 * n * n}, {2 * n * n * n, 12 * n * n}};
  const std::vector<float> a = filled(kSide * kSide, 7), b = filled(kSide * kSide, 8);
  std::vector<float> plain(a.size()), fast(a.size());
  const MatrixView<const float> left{a.data(), kSide, kSide, kSide, 1}, right{b.data(), kSide, kSide, kSide, 1};
  piece.seconds_before = seconds_of(
      [&] {
        reference::gemm<float>(1, left, right, 0, {plain.data(), kSide, kSide, kSide, 1});
      },
      3);
  piece.seconds_after = seconds_of([&] { gemm<float>(1, left, right, 0, {fast.data(), kSide, kSide, kSide, 1}); });
  double worst = 0;
  for (size_t i = 0; i < plain.size(); ++i) worst = std::max(worst, static_cast<double>(std::abs(plain[i] - fast[i])));
  piece.same = worst < 1e-3;
  return piece;
}

// ---- memory ----

struct Bar {
  std::string name;
  int64_t before, after;  // bytes
};

Bar memory_of_attention(Head& head) {
  reset_peak_memory();
  const int64_t live = memory_stats().live_bytes;
  head.plain = matmul(softmax(matmul(head.q, transpose(head.k)) * 0.125, -1), head.v);
  return {"attention of 512 tokens", memory_stats().peak_bytes - live, lab::most_bytes_of([&] { head.tiled(); })};
}

// Bytes that a stack of blocks keeps for backward, and the seconds of forward and backward.
struct Stack {
  int64_t kept = 0;
  double seconds = 0;
  Tensor gradient;
};
Stack run_stack(bool twice) {
  Rng rng(9);
  std::vector<std::unique_ptr<nn::EncoderBlock>> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(std::make_unique<nn::EncoderBlock>(64, 4, rng));
  const Tensor input = rand_normal({8, 65, 64}, 0, 1, Rng(10));
  Stack stack;
  stack.seconds = seconds_of(
      [&] {
        const Variable leaf(input, true);
        const int64_t before = memory_stats().live_bytes;
        Variable x = leaf;
        for (const auto& block : blocks) {
          const auto part = [&block](const Variable& h) { return block->forward(h); };
          x = twice ? checkpoint(part, x) : part(x);
        }
        stack.kept = memory_stats().live_bytes - before;
        sum(square(x)).backward();
        stack.gradient = leaf.grad();
      },
      3);
  return stack;
}

// A step that never ends: activations come and stay, short-lived blocks come and go. Returns false if the books do not balance.
bool replay() {
  lab::BestFit memory(int64_t{64} << 20);
  const Rng rng(11);
  std::vector<int64_t> kept;
  uint64_t i = 0;
  for (int64_t at = 0; at >= 0; ++i) {
    const int64_t bytes = int64_t{1} << (10 + rng.below(2 * i, 10));
    at = memory.allocate(bytes);
    if (at < 0) break;
    if (rng.below(2 * i + 1, 4) > 0 && !kept.empty()) {  // an older one goes
      std::swap(kept[rng.below(3 * i, kept.size())], kept.back());
      memory.release(kept.back());
      kept.back() = at;
    } else {
      kept.push_back(at);
    }
  }
  const double used = static_cast<double>(memory.live_bytes()) / static_cast<double>(int64_t{64} << 20);
  std::printf("  allocator: the first request is refused after %d, with %.0f %% of the region in use\n", static_cast<int>(i),
              100 * used);
  for (const int64_t at : kept) memory.release(at);
  return memory.live_bytes() == 0 && memory.free_blocks() == 1;
}

// ---- the picture ----

struct Chart {
  static constexpr double kLeft = 60, kTop = 40, kWide = 400, kHigh = 300;
  static constexpr double kLeast = 0.1, kMost = 1000, kThin = 0.1, kThick = 1000;  // GFLOP/s; operations per byte
  Svg svg{860, 400, "text{font:13px sans-serif}.t{font-weight:bold}.e{text-anchor:end}.m{text-anchor:middle}"};

  static double x(double intensity) {
    return kLeft + kWide * std::log(std::clamp(intensity, kThin, kThick) / kThin) / std::log(kThick / kThin);
  }
  static double y(double rate) {
    return kTop + kHigh * (1 - std::log(std::clamp(rate, kLeast, kMost) / kLeast) / std::log(kMost / kLeast));
  }
  void frame(const lab::Machine& machine) {
    svg.text(kLeft, 24, "GFLOP/s over operations per byte; one thread", "class=\"t\"");
    for (const double value : {0.1, 1.0, 10.0, 100.0, 1000.0}) {
      svg.path(cat("M ", svg_number(kLeft), " ", svg_number(y(value)), " h ", svg_number(kWide)), "stroke=\"#ccc\"");
      svg.text(kLeft - 6, y(value) + 4, cat(value), "class=\"e\"");
      svg.text(x(value), kTop + kHigh + 18, cat(value), "class=\"m\"");
    }
    std::string path;
    for (int i = 0; i <= 100; ++i) {
      const double intensity = kThin * std::pow(kThick / kThin, i / 100.0);
      path += cat(i ? " L " : "M ", svg_number(x(intensity)), " ", svg_number(y(lab::roof(machine, {intensity, 1}))));
    }
    svg.path(path, "fill=\"none\" stroke=\"#000\" stroke-width=\"2.5\"");
  }
  void mark(double intensity, double rate, bool filled) {
    const double at = x(intensity), high = y(rate);
    svg.path(cat("M ", svg_number(at - 5), " ", svg_number(high), " a 5 5 0 1 0 10 0 a 5 5 0 1 0 -10 0"),
             filled ? "stroke=\"#000\" fill=\"#000\"" : "stroke=\"#000\" fill=\"#fff\"");
  }
  void piece(const Piece& p) {
    const double before = p.before.flops / p.seconds_before / 1e9, after = p.after.flops / p.seconds_after / 1e9;
    const double thin = p.before.flops / p.before.bytes, thick = p.after.flops / p.after.bytes;
    svg.path(cat("M ", svg_number(x(thin)), " ", svg_number(y(before)), " L ", svg_number(x(thick)), " ", svg_number(y(after))),
             "stroke=\"#000\" stroke-dasharray=\"3 3\"");
    mark(thin, before, false), mark(thick, after, true);
    svg.text(x(thick) + 8, y(after) + 18, p.name);
  }
  void bars(const std::vector<Bar>& bars) {
    svg.text(520, 24, "memory: before (hollow), after (filled)", "class=\"t\"");
    double at = 60;
    for (const Bar& bar : bars) {
      const double part = static_cast<double>(bar.after) / static_cast<double>(bar.before);
      svg.text(520, at, bar.name);
      svg.path(cat("M 520 ", svg_number(at + 8), " h 300 v 18 h -300 z"), "fill=\"#fff\" stroke=\"#000\"");
      svg.path(cat("M 520 ", svg_number(at + 30), " h ", svg_number(std::max(1.0, 300 * part)), " v 18 H 520 z"),
               "fill=\"#000\" stroke=\"#000\"");
      svg.text(520, at + 66, cat(bar.before, " and ", bar.after, " bytes"));
      at += 110;
    }
  }
};

int draw_all(const std::string& folder) {
  const int threads = num_threads();
  set_num_threads(1);
  const double own_peak = measured_peak(), peak = std::max(own_peak, measure_peak_gflops());
  const lab::Machine machine{peak, measured_bandwidth()};
  std::printf("  one thread: peak %.0f GFLOP/s (your loop %.0f), bandwidth %.1f GB/s, ridge at %.1f operations per byte\n",
              machine.gflops, own_peak, machine.gbytes, machine.gflops / machine.gbytes);
  Head head;
  const std::vector<Piece> pieces{product(), attention_of_a_head(head), bias_and_gelu(), softmax_of_rows()};
  Chart chart;
  chart.frame(machine);
  bool good = true;
  std::printf("  %-16s %22s %22s\n", "", "before: GFLOP/s, roof", "after: GFLOP/s, roof");
  for (const Piece& p : pieces) {
    std::printf("  %-16s %12.2f %9.1f %12.2f %9.1f%s\n", p.name.c_str(), p.before.flops / p.seconds_before / 1e9,
                lab::roof(machine, p.before), p.after.flops / p.seconds_after / 1e9, lab::roof(machine, p.after),
                p.same ? "" : "   DIFFERENT RESULTS");
    good = good && p.same;
    chart.piece(p);
  }
  const Stack plain = run_stack(false), twice = run_stack(true);
  const bool same_bits = bit_equal(plain.gradient, twice.gradient);
  const std::vector<Bar> bars{memory_of_attention(head), {"eight blocks, checkpointed", plain.kept, twice.kept}};
  for (const Bar& bar : bars)
    std::printf("  %s: %lld bytes before, %lld after\n", bar.name.c_str(), static_cast<long long>(bar.before),
                static_cast<long long>(bar.after));
  std::printf("  tiled attention with tiles of %lld: %.1f ms\n", static_cast<long long>(head.size.tile),
              1e3 * pieces[1].seconds_after);
  std::printf("  the checkpointed step takes %.2f times as long; the same bits: %s\n", twice.seconds / plain.seconds,
              same_bits ? "yes" : "NO");
  const bool balanced = replay();
  set_num_threads(threads);
  chart.bars(bars);
  write_file_atomically(folder + "/lab10.svg", chart.svg.str());
  std::printf("lab 10: attention with %.1f %% of the memory, blocks with %.0f %%\n",
              100 * static_cast<double>(bars[0].after) / static_cast<double>(bars[0].before),
              100 * static_cast<double>(bars[1].after) / static_cast<double>(bars[1].before));
  return good && same_bits && balanced ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
