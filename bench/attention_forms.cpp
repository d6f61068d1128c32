// Plain attention (BLIS products around a softmax) against the tiled form, turn by turn, over the fused qkv buffer.
#include <cmath>

#include "bench/timing.h"
#include "tensor/kernels/attention_detail.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

struct Sizes {
  int64_t tokens, heads, batch, width;
};

Tensor part(const Tensor& qkv, const Sizes& s, int which) {
  return transpose(select(reshape(qkv, {s.batch, s.tokens, 3, s.heads, s.width}), 2, which), 1, 2);
}

AttentionResult result_for(const Sizes& s, AttentionKeep keep) {
  AttentionResult r;
  r.output = transpose(empty({s.batch, s.tokens, s.heads, s.width}), 1, 2);
  if (keep == AttentionKeep::kProbabilities) r.probabilities = empty({s.batch, s.heads, s.tokens, s.tokens});
  if (keep == AttentionKeep::kStatistics) r.statistics = empty({s.batch, s.heads, s.tokens, 2});
  return r;
}

// The median time of each function in milliseconds; the functions run in turn.
std::vector<double> turn_by_turn(const std::vector<std::function<void()>>& works) {
  std::vector<std::vector<double>> times(works.size());
  for (int round = 0; round < 16; ++round) {
    for (size_t i = 0; i < works.size(); ++i) {
      const double start = bench::now();
      int repeats = 0;
      for (; repeats == 0 || bench::now() - start < 0.02; ++repeats) works[i]();
      if (round > 0) times[i].push_back(1e3 * (bench::now() - start) / repeats);
    }
  }
  std::vector<double> medians;
  for (const std::vector<double>& t : times) medians.push_back(bench::median(t));
  return medians;
}

void compare(const Sizes& s) {
  using enum AttentionKeep;
  const Tensor qkv = rand_normal({s.batch, s.tokens, 3 * s.heads * s.width}, 0, 1, Rng(1)), dqkv = empty_like(qkv);
  const Tensor dy = transpose(rand_normal({s.batch, s.tokens, s.heads, s.width}, 0, 1, Rng(2)), 1, 2);
  const detail::AttentionCall call{s.batch,
                                   s.heads,
                                   s.tokens,
                                   s.tokens,
                                   s.width,
                                   s.width,
                                   part(qkv, s, 0),
                                   part(qkv, s, 1),
                                   part(qkv, s, 2),
                                   {},
                                   1 / std::sqrt(double(s.width)),
                                   Precision::kF32};
  AttentionGradients d{part(dqkv, s, 0), part(dqkv, s, 1), part(dqkv, s, 2), {}};
  AttentionResult plain = result_for(s, kProbabilities), kept = result_for(s, kProbabilities),
                  again = result_for(s, kStatistics), nothing = result_for(s, kNothing);
  const std::vector<double> ms = turn_by_turn(
      {[&] { detail::attention_forward_plain<float>(call, plain); },
       [&] { detail::attention_backward_plain<float>(call, dy, plain, d); },
       [&] { detail::attention_forward_tiled(call, nothing); }, [&] { detail::attention_forward_tiled(call, kept); },
       [&] { detail::attention_backward_tiled(call, dy, kept, d); }, [&] { detail::attention_forward_tiled(call, again); },
       [&] { detail::attention_backward_tiled(call, dy, again, d); }});
  std::printf("N %3d H %2d B %2d K %2d  %7.3f + %7.3f  %7.3f  %7.3f + %7.3f  %7.3f + %7.3f   %5.2f  %5.2f  %5.2f\n",
              int(s.tokens), int(s.heads), int(s.batch), int(s.width), ms[0], ms[1], ms[2], ms[3], ms[4], ms[5], ms[6],
              ms[0] / ms[2], (ms[0] + ms[1]) / (ms[3] + ms[4]), (ms[0] + ms[1]) / (ms[5] + ms[6]));
  std::fflush(stdout);
}

}  // namespace

int main() {
  std::printf(
      "Attention forward + backward in ms, f32, %d threads; at the right how many times faster than plain: inference,\n"
      "training with P kept, training with P computed again.\n%22s%17s  %7s  %17s  %17s\n",
      num_threads(), "", "plain, P kept", "infer", "P kept", "P again");
  for (const Sizes& s : std::vector<Sizes>{{65, 3, 64, 64},
                                           {197, 3, 16, 64},
                                           {197, 6, 8, 64},
                                           {197, 12, 8, 64},
                                           {577, 12, 2, 64},
                                           {64, 2, 64, 32},
                                           {64, 4, 64, 32},
                                           {197, 3, 1, 64},
                                           {197, 12, 1, 64}}) {
    compare(s);
  }
}
