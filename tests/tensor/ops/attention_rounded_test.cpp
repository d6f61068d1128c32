// Attention over q, k, v that were rounded to bf16 before: the same bits as attention that rounds them.
#include <doctest/doctest.h>

#include <vector>

#include "tensor/ops.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/rounding.h"
#include "tests/support/kernel_test.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::check_same_bits_for_any_threads;
using vitrail::testing::random_tensor;
using vitrail::testing::refuses;

namespace {

constexpr int64_t kBatch = 2, kHeads = 2;

Tensor part(const Tensor& qkv, int64_t i) { return transpose(select(qkv, 2, i), 1, 2); }

// Output, P (or the statistics), dqkv, dscores of a fused [B, N, 3, H, K].
std::vector<Tensor> attend(const Tensor& qkv, const Tensor& mask, const Tensor& dy, AttentionKeep keep) {
  const Tensor q = part(qkv, 0), k = part(qkv, 1), v = part(qkv, 2), dqkv = empty_like(qkv);
  const AttentionResult forward = attention_forward(q, k, v, mask, 0, keep, Precision::kBf16);
  AttentionGradients g{part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), full({kBatch, kHeads, q.size(2), q.size(2)}, NAN)};
  attention_backward_into(dy, q, k, v, mask, forward, 0, g, Precision::kBf16);
  return {transpose(forward.output, 1, 2), forward.probabilities.defined() ? forward.probabilities : forward.statistics, dqkv,
          g.dscores};
}

void check_rounded(int64_t tokens, int64_t width, const Tensor& mask) {
  const Tensor qkv = random_tensor({kBatch, tokens, 3, kHeads, width}, Dtype::f32, 1), rounded = round_to_bf16(qkv);
  const Tensor dy = transpose(random_tensor({kBatch, tokens, kHeads, width}, Dtype::f32, 2), 1, 2);
  for (const AttentionKeep keep : {AttentionKeep::kProbabilities, AttentionKeep::kStatistics}) {
    const std::vector<Tensor> found = attend(rounded, mask, dy, keep), wanted = attend(qkv, mask, dy, keep);
    for (size_t i = 0; i < found.size(); ++i) {
      CAPTURE(i);
      const bool product_only = i % 2 == 0;
      CHECK(bit_equal(found[i], product_only ? round_to_bf16(wanted[i]) : wanted[i]));
    }
    check_same_bits_for_any_threads([&] { return attend(rounded, mask, dy, keep); });
  }
}

}  // namespace

TEST_CASE("attention over rounded q, k, v gives the rounded results of attention that rounds them") {
  if (!attention_takes_rounded(Precision::kBf16)) {
    MESSAGE("skipped: this build has the plain form only");
    return;
  }
  for (const int64_t tokens : {1, 17, 65, 197}) {
    for (const int64_t width : {1, 8, 20, 33, 64, 80}) {
      CAPTURE(tokens);
      CAPTURE(width);
      check_rounded(tokens, width, {});
    }
    check_rounded(tokens, 20, random_tensor({tokens}, Dtype::f32, 3));
    Tensor allowed = to(greater(rand_uniform({tokens, tokens}, 0, 1, Rng(5)), scalar(0.33)), Dtype::u8);
    fill_(slice(allowed, 0, 0, 1), 0);
    check_rounded(tokens, 64, allowed);
  }
}

TEST_CASE("attention of no rounded queries or keys gives zeros") {
  if (!attention_takes_rounded(Precision::kBf16)) return;
  const auto rounded = [](int64_t tokens) { return round_to_bf16(random_tensor({1, 2, tokens, 8}, Dtype::f32, 1)); };
  for (const auto& [queries, keys] : {std::pair<int64_t, int64_t>{5, 0}, {0, 5}}) {
    const Tensor q = rounded(queries), k = rounded(keys);
    const AttentionResult forward = attention_forward(q, k, k, {}, 0, AttentionKeep::kStatistics, Precision::kBf16);
    const AttentionGradients g = attention_backward(zeros({1, 2, queries, 8}), q, k, k, {}, forward, 0, true, Precision::kBf16);
    CHECK(bit_equal(contiguous(transpose(forward.output, 1, 2)), round_to_bf16(zeros({1, queries, 2, 8}))));
    CHECK(bit_equal(g.dq, round_to_bf16(zeros({1, 2, queries, 8}))));
    CHECK(bit_equal(g.dk, round_to_bf16(zeros({1, 2, keys, 8}))));
    CHECK(bit_equal(g.dv, g.dk));
  }
}

TEST_CASE("rounded q, k, v are refused where attention cannot take them as they are") {
  const Tensor x = random_tensor({1, 2, 5, 8}, Dtype::f32, 1), r = round_to_bf16(x);
  CHECK(!attention_takes_rounded(Precision::kF32));
  CHECK(refuses([&] { attention_forward(r, r, r); }, ErrorKind::kValue, "precision is f32"));
  CHECK(refuses([&] { attention_forward(x, r, r); }, ErrorKind::kValue, "q is f32, k is bf16"));
  if (!attention_takes_rounded(Precision::kBf16)) {
    CHECK(refuses([&] { attention_forward(r, r, r, {}, 0, {}, Precision::kBf16); }, ErrorKind::kValue, "the tiled form"));
    return;
  }
  const Tensor apart = transpose(round_to_bf16(contiguous(transpose(x, 2, 3))), 2, 3);
  CHECK(refuses([&] { attention_forward(apart, r, r, {}, 0, AttentionKeep::kNothing, Precision::kBf16); }, ErrorKind::kValue,
                "must have no gaps: strides of the last axis are 5, 1, 1"));
  const AttentionResult kept = attention_forward(r, r, r, {}, 0, AttentionKeep::kStatistics, Precision::kBf16);
  CHECK(refuses([&] { attention_backward(r, r, r, r, {}, kept, 0, false, Precision::kBf16); }, ErrorKind::kValue,
                "q is bf16, dy is bf16"));
  AttentionGradients g{empty_like(x), empty_like(r), empty_like(r), {}};
  CHECK(
      refuses([&] { attention_backward_into(x, r, r, r, {}, kept, 0, g, Precision::kBf16); }, ErrorKind::kValue, "dq is f32"));
}
