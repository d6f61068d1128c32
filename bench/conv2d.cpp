// The convolutions of ResNet-18 (He et al., arXiv:1512.03385) with a 3 x 3 stem for 32 x 32 pixels.
// With --json: one line for bench/versus, all layers as often as they occur, forward and (--mode train) backward.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/timing.h"

using namespace vitrail;

namespace {

// bench/versus/works.py has the same table.
struct Layer {
  int64_t count, in, out, side, kernel, stride;
};
constexpr Layer kLayers[] = {{1, 3, 64, 32, 3, 1},   {4, 64, 64, 32, 3, 1},   {1, 64, 128, 32, 3, 2}, {3, 128, 128, 16, 3, 1},
                             {1, 64, 128, 32, 1, 2}, {1, 128, 256, 16, 3, 2}, {3, 256, 256, 8, 3, 1}, {1, 128, 256, 16, 1, 2},
                             {1, 256, 512, 8, 3, 2}, {3, 512, 512, 4, 3, 1},  {1, 256, 512, 8, 1, 2}};

struct Conv {
  Conv(const Layer& l, int64_t batch, bool train)
      : layer(l),
        x(rand_normal({batch, l.in, l.side, l.side}, 0, 1, Rng(1)), train),
        weight(rand_normal({l.out, l.in, l.kernel, l.kernel}, 0, 1, Rng(2)), train),
        dy(rand_normal({batch, l.out, l.side / l.stride, l.side / l.stride}, 0, 1, Rng(3))) {}
  Variable forward() const {
    const int64_t padding = layer.kernel / 2;
    return conv2d(x, weight, {},
                  {.stride_h = layer.stride, .stride_w = layer.stride, .padding_h = padding, .padding_w = padding});
  }
  std::string name() const {
    return cat(layer.in, " -> ", layer.out, ", ", layer.side, " x ", layer.side, ", ", layer.kernel, " x ", layer.kernel, " / ",
               layer.stride, ", ", layer.count, " times");
  }

  Layer layer;
  Variable x, weight;
  Tensor dy;
};

// Runs all layers once, as a network would.
void one_step(std::vector<Conv>& convs, bool train) {
  for (Conv& conv : convs) {
    for (int64_t i = 0; i < conv.layer.count; ++i) {
      const Variable y = conv.forward();
      if (train) y.backward(conv.dy), conv.x.zero_grad(), conv.weight.zero_grad();
    }
  }
}

void print_json(int64_t batch, bool train, int64_t steps, int64_t warmup) {
  const int64_t base = resident_bytes();
  std::vector<Conv> convs;
  for (const Layer& layer : kLayers) convs.emplace_back(layer, batch, train);
  std::vector<double> ms;
  for (int64_t i = 0; i < warmup + steps; ++i) {
    const double start = bench::now();
    one_step(convs, train);
    if (i >= warmup) ms.push_back(1e3 * (bench::now() - start));
  }
  const auto [least, most] = std::minmax_element(ms.begin(), ms.end());
  const nlohmann::ordered_json json{{"step_ms", {{"median", bench::median(ms)}, {"min", *least}, {"max", *most}}},
                                    {"peak_tensor_bytes", memory_stats().peak_bytes},
                                    {"peak_rss_bytes", peak_resident_bytes()},
                                    {"base_rss_bytes", base}};
  std::printf("%s\n", json.dump().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Convolutions of ResNet-18 at 32 x 32.");
  int64_t batch = 32, steps = 5, warmup = 2;
  int threads = 0;
  std::string mode = "train";
  bool json = false;
  app.add_option("--batch-size", batch)->check(CLI::Range(1, 4096));
  app.add_option("--steps", steps)->check(CLI::Range(1, 10000));
  app.add_option("--warmup", warmup)->check(CLI::Range(0, 10000));
  app.add_option("--threads", threads)->check(CLI::Range(1, 1024));
  app.add_option("--mode", mode)->check(CLI::IsMember({"train", "infer"}));
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);
  if (threads > 0) set_num_threads(threads);
  if (json) {
    print_json(batch, mode == "train", steps, warmup);
    return 0;
  }
  const bench::Table table("Convolutions of ResNet-18 at 32 x 32, batch 32, f32");
  for (const Layer& layer : kLayers) {
    const Conv conv(layer, batch, true);
    bench::bench_op(table, conv.name(), [&] { return conv.forward(); }, {conv.x, conv.weight});
  }
}
