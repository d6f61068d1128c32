// GELU of the hidden layer of the MLP.
#include "bench/timing.h"

using namespace vitrail;

int main() {
  const bench::Table table("GELU, f32");
  for (const bench::Work& w : bench::works()) {
    const Variable x = bench::leaf({w.rows(), 4 * w.width});
    bench::bench_op(table, cat(w.name, " [", w.rows(), ", ", 4 * w.width, "]"), [&] { return gelu(x); }, {x});
  }
}
