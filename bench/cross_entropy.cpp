// The loss over rows of logits.
#include "bench/timing.h"

using namespace vitrail;

int main() {
  const bench::Table table("Cross entropy, f32");
  const struct { int64_t rows, classes; } shapes[] = {{8, 1000}, {64, 10}, {512, 1000}, {64, 21843}};
  for (const auto& s : shapes) {
    const Variable logits = bench::leaf({s.rows, s.classes});
    const Tensor labels = rand_int({s.rows}, 0, s.classes, Rng(2));
    bench::bench_op(table, cat("[", s.rows, ", ", s.classes, "]"), [&] { return cross_entropy(logits, labels); }, {logits});
  }
}
