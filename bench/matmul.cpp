// The three products of every linear layer: y = x W^T, dx = dy W, dW = dy^T x.
#include "bench/timing.h"
#include "tensor/ops/linear.h"

using namespace vitrail;

int main() {
  const bench::Table table("Products of the linear layers, f32");
  for (const bench::Work& w : bench::works()) {
    const struct {
      const char* name;
      int64_t in, out;
    } layers[] = {{"qkv", w.width, 3 * w.width},
                  {"proj", w.width, w.width},
                  {"fc1", w.width, 4 * w.width},
                  {"fc2", 4 * w.width, w.width}};
    for (const auto& layer : layers) {
      const Tensor x = rand_normal({w.rows(), layer.in}, 0, 1, Rng(1)),
                   weight = rand_normal({layer.out, layer.in}, 0, 1, Rng(2));
      const Tensor dy = rand_normal({w.rows(), layer.out}, 0, 1, Rng(3));
      const int64_t flops = 2 * w.rows() * layer.in * layer.out, bytes = 4 * (x.numel() + weight.numel() + dy.numel());
      const std::string name =
          cat(w.name, " ", layer.name, " [", w.rows(), ", ", layer.in, "] x [", layer.in, ", ", layer.out, "] ");
      table.row(name + "y", bench::median_seconds([&] { linear(x, weight); }), flops, bytes);
      table.row(name + "dx", bench::median_seconds([&] { linear_backward_input(dy, weight); }), flops, bytes);
      table.row(name + "dW", bench::median_seconds([&] { linear_backward_weight(dy, x); }), flops, bytes);
    }
  }
}
