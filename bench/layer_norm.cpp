// Layer normalisation of the residual stream.
#include "bench/timing.h"

using namespace vitrail;

int main() {
  const bench::Table table("Layer norm, f32");
  for (const bench::Work& w : bench::works()) {
    const Variable x = bench::leaf({w.rows(), w.width}), weight = bench::leaf({w.width}, 2), bias = bench::leaf({w.width}, 3);
    bench::bench_op(table, cat(w.name, " [", w.rows(), ", ", w.width, "]"), [&] { return layer_norm(x, weight, bias); },
                    {x, weight, bias});
  }
}
