// Self-attention over the fused qkv buffer, forward and backward.
#include "bench/timing.h"

using namespace vitrail;

int main() {
  const bench::Table table("Attention over qkv [B, N, 3 H 64], f32");
  std::vector<bench::Work> works = bench::works();
  works.push_back({"B/16, 384 x 384", 2, 577, 768, 12});
  for (const bench::Work& w : works) {
    const Variable qkv = bench::leaf({w.batch, w.tokens, 3 * w.width});
    const std::string name = cat(w.name, " B ", w.batch, " N ", w.tokens, " H ", w.heads);
    bench::bench_op(table, name, [&] { return qkv_attention(qkv, w.heads); }, {qkv});
  }
}
