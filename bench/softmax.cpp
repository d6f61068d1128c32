// Softmax over the last axis: rows of attention scores, and rows of logits.
#include "bench/timing.h"

using namespace vitrail;

int main() {
  const bench::Table table("Softmax, f32");
  for (const bench::Work& w : bench::works()) {
    const Variable x = bench::leaf({w.batch * w.heads * w.tokens, w.tokens});
    bench::bench_op(table, cat(w.name, " [", x.size(0), ", ", w.tokens, "]"), [&] { return softmax(x); }, {x});
  }
  const Variable logits = bench::leaf({512, 1000});
  bench::bench_op(table, "logits [512, 1000]", [&] { return softmax(logits); }, {logits});
}
