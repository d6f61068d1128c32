// Fast attention in f32 against the plain form in f64, which is its definition: values, gradients, bits, memory.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/kernels/attention_detail.h"
#include "tensor/ops.h"
#include "tests/support/kernel_test.h"

using namespace vitrail;
using vitrail::testing::check_same_bits_for_any_threads;
using vitrail::testing::random_tensor;

namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();

struct Inputs {
  Tensor q, k, v, mask, dy;
};

Inputs random_inputs(int64_t batch, int64_t heads, int64_t n, int64_t m, int64_t width, int64_t value_width) {
  return {random_tensor({batch, heads, n, width}, Dtype::f32, 1), random_tensor({batch, heads, m, width}, Dtype::f32, 2),
          random_tensor({batch, heads, m, value_width}, Dtype::f32, 3), Tensor(),
          random_tensor({batch, heads, n, value_width}, Dtype::f32, 4)};
}

// Output, dq, dk, dv, dscores.
std::vector<Tensor> attend(const Inputs& in, AttentionKeep keep, double scale = 0, Precision precision = Precision::kF32) {
  const AttentionResult forward = attention_forward(in.q, in.k, in.v, in.mask, scale, keep, precision);
  const AttentionGradients g =
      attention_backward(in.dy, in.q, in.k, in.v, in.mask, forward, scale, /*with_scores=*/true, precision);
  return {forward.output, g.dq, g.dk, g.dv, g.dscores};
}

// The same by the definition, in f64.
std::vector<Tensor> attend_plainly(const Inputs& in, double scale = 0) {
  const auto wide = [](const Tensor& x) { return x.defined() && x.dtype() == Dtype::f32 ? to(x, Dtype::f64) : x; };
  return attend({wide(in.q), wide(in.k), wide(in.v), wide(in.mask), wide(in.dy)}, AttentionKeep::kProbabilities, scale);
}

double distance(const Tensor& a, const Tensor& b) {
  if (a.numel() == 0) return 0;
  return max(abs(sub(to(a, Dtype::f64), b))).item() / std::max(1.0, max(abs(b)).item());
}

void check_close(const std::vector<Tensor>& actual, const std::vector<Tensor>& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);  // output, dq, dk, dv, dscores
    CHECK(actual[i].shape() == wanted[i].shape());
    CHECK(distance(actual[i], wanted[i]) < 1e-5);
  }
}

void check_equal_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(bit_equal(a[i], b[i]));
  }
}

void check_against_plain(const Inputs& in) {
  CAPTURE(to_string(in.q.shape()));
  CAPTURE(to_string(in.v.shape()));
  const std::vector<Tensor> kept = attend(in, AttentionKeep::kProbabilities);
  check_close(kept, attend_plainly(in));
  check_equal_bits(attend(in, AttentionKeep::kStatistics), kept);
}

// A u8 mask that forbids about a third of the keys, and all of them to the first query.
Tensor random_mask(int64_t n, int64_t m) {
  const Tensor mask = to(greater(rand_uniform({n, m}, 0, 1, Rng(5)), scalar(0.33)), Dtype::u8);
  if (n > 0) fill_(slice(mask, 0, 0, 1), 0);
  return mask;
}

}  // namespace

TEST_CASE("fast attention equals its definition in value and every gradient, with P kept or computed again") {
  for (const int64_t n : {1, 17, 33, 65, 197, 577}) {
    for (const int64_t width : {8, 16, 20, 32, 48, 64, 80}) {
      const int64_t m = width % 16 == 0 ? n : n / 2 + 3;  // odd widths attend to another sequence
      Inputs in = random_inputs(1, 1, n, m, width, width == 20 ? 33 : width);
      if (width == 32) in.mask = random_mask(n, m);
      if (width == 80) in.mask = random_tensor({m}, Dtype::f32, 6);
      check_against_plain(in);
    }
  }
}

TEST_CASE("attention with bf16 products stays within their rounding, and P kept or computed again makes no difference") {
  for (const int64_t n : {1, 17, 33, 65, 197}) {
    for (const int64_t width : {1, 8, 20, 33, 48, 64, 80}) {
      CAPTURE(n);
      CAPTURE(width);
      Inputs in = random_inputs(2, 2, n, n % 3 == 2 ? n + 4 : n, width, width == 20 ? 33 : width);
      if (width == 33) in.mask = random_mask(n, in.k.size(2));
      const std::vector<Tensor> wanted = attend_plainly(in);
      const std::vector<Tensor> rounded = attend(in, AttentionKeep::kStatistics, 0, Precision::kBf16);
      for (size_t i = 0; i < wanted.size(); ++i) {
        CAPTURE(i);
        // A bf16 has 8 bits. Seen: at most 1.0 % of the largest element in the output, 1.3 % in dq, dk, dv, 2.3 % in dscores.
        CHECK(distance(rounded[i], wanted[i]) < 0.03);
      }
      if (detail::has_tiled_attention() && n > 1) CHECK(distance(rounded[0], wanted[0]) > 1e-5);  // f32 would be nearer
      check_equal_bits(attend(in, AttentionKeep::kProbabilities, 0, Precision::kBf16), rounded);
      check_same_bits_for_any_threads([&] { return attend(in, AttentionKeep::kStatistics, 0, Precision::kBf16); });
    }
  }
  for (const Inputs& in : {random_inputs(0, 2, 5, 6, 8, 8), random_inputs(2, 1, 0, 6, 8, 9), random_inputs(2, 1, 5, 0, 8, 9),
                           random_inputs(2, 1, 5, 6, 0, 9), random_inputs(2, 1, 5, 6, 8, 0)}) {
    const std::vector<Tensor> rounded = attend(in, AttentionKeep::kStatistics, 0, Precision::kBf16),
                              wanted = attend_plainly(in);
    for (size_t i = 0; i < wanted.size(); ++i) CHECK(distance(rounded[i], wanted[i]) < 0.03);
  }
}

TEST_CASE("fast attention takes masks per image, per head and per query") {
  Inputs in = random_inputs(2, 3, 19, 23, 12, 7);
  for (const Shape& shape : {Shape{2, 3, 19, 23}, Shape{3, 1, 23}, Shape{2, 1, 19, 1}, Shape{}}) {
    in.mask = random_tensor(shape, Dtype::f32, 7);
    check_against_plain(in);
  }
  in.mask = random_mask(19, 23);
  check_against_plain(in);
  check_against_plain(random_inputs(1, 2, 7, 5, 1, 1));
}

TEST_CASE("fast attention of nothing: no batch, no heads, no queries, no keys, no width") {
  for (const Inputs& in : {random_inputs(0, 2, 5, 6, 8, 8), random_inputs(2, 0, 5, 6, 8, 8), random_inputs(2, 1, 0, 6, 8, 9),
                           random_inputs(2, 1, 5, 0, 8, 9), random_inputs(2, 1, 5, 6, 0, 9), random_inputs(2, 1, 5, 6, 8, 0)}) {
    check_against_plain(in);
  }
}

TEST_CASE("fast attention has the same bits for any number of threads, whatever is kept") {
  for (const int64_t batch : {1, 6}) {
    Inputs in = random_inputs(batch, 2, 197, 131, 24, 24);
    in.mask = random_tensor({131}, Dtype::f32, 8);
    for (const AttentionKeep keep : {AttentionKeep::kStatistics, AttentionKeep::kProbabilities}) {
      check_same_bits_for_any_threads([&] { return attend(in, keep); });
    }
    const Tensor inference = attention_forward(in.q, in.k, in.v, in.mask).output;
    CHECK(bit_equal(inference, attend(in, AttentionKeep::kProbabilities)[0]));
    // One image by itself has other pieces of work, but the same bits.
    const auto last = [](const Tensor& x) { return slice(x, 0, x.size(0) - 1, x.size(0)); };
    CHECK(bit_equal(attention_forward(last(in.q), last(in.k), last(in.v), in.mask).output, last(inference)));
  }
}

TEST_CASE("a head alone and a head cut into pieces of queries for any number of threads have the same bits") {
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    const Inputs in = random_inputs(1, 3, 197, 65, 40, 40);
    check_same_bits_for_any_threads([&] {
      return std::vector<Tensor>{attention_forward(in.q, in.k, in.v, {}, 0, AttentionKeep::kNothing, precision).output};
    });
    // Some queries by themselves lie in other tiles.
    const auto all = attention_forward(in.q, in.k, in.v, {}, 0, AttentionKeep::kNothing, precision).output;
    const auto some = attention_forward(slice(in.q, 2, 90, 133), in.k, in.v, {}, 0, AttentionKeep::kNothing, precision).output;
    if (detail::has_tiled_attention()) CHECK(bit_equal(some, slice(all, 2, 90, 133)));
  }
}

TEST_CASE("attention with bf16 products multiplies what bf16 numbers hold exactly") {
  Inputs in = random_inputs(1, 2, 33, 65, 16, 16);
  for (Tensor* x : {&in.q, &in.k, &in.v, &in.dy}) {  // numbers of few bits, so that rounding changes none of them
    float* values = x->mutable_data<float>();
    for (int64_t i = 0; i < x->numel(); ++i) values[i] = std::round(values[i] * 16) / 16;
  }
  const std::vector<Tensor> rounded = attend(in, AttentionKeep::kStatistics, 0.3, Precision::kBf16);
  const AttentionResult forward = attention_forward(in.q, in.k, in.v, {}, 0.3, AttentionKeep::kProbabilities, Precision::kBf16);
  const AttentionResult exact = attention_forward(in.q, in.k, in.v, {}, 0.3, AttentionKeep::kProbabilities);
  // The scale is no bf16 number, yet the scores know it in full: it multiplies their f32 sums.
  CHECK(distance(forward.probabilities, to(exact.probabilities, Dtype::f64)) < 1e-6);
  if (detail::has_tiled_attention())
    CHECK(distance(rounded[4], attend_plainly(in, 0.3)[4]) < 1e-5);  // dscores: products of Q, K, dO, V
}

TEST_CASE("fast attention has the same bits for contiguous and strided inputs and gradients") {
  if (!detail::has_tiled_attention()) {
    MESSAGE("skipped: this build has the plain form only, and BLIS chooses its kernels by the strides");
    return;
  }
  for (const int64_t width : {20, 32}) {
    const Tensor qkv = random_tensor({2, 37, 3, 2, width}, Dtype::f32, 1), dy = random_tensor({2, 37, 2, width}, Dtype::f32, 2);
    const auto part = [](const Tensor& x, int64_t i) { return transpose(select(x, 2, i), 1, 2); };
    const Inputs views{part(qkv, 0), part(qkv, 1), part(qkv, 2), Tensor(), transpose(dy, 1, 2)};
    const Inputs copies{clone(views.q), clone(views.k), clone(views.v), Tensor(), clone(views.dy)};
    const std::vector<Tensor> expected = attend(copies, AttentionKeep::kStatistics);
    check_equal_bits(attend(views, AttentionKeep::kStatistics), expected);
    // Elements that lie apart, and gradients straight into a fused buffer.
    const auto apart = [](const Tensor& x) { return transpose(clone(transpose(x, 2, 3)), 2, 3); };
    const Inputs columns{apart(views.q), apart(views.k), apart(views.v), Tensor(), apart(views.dy)};
    check_equal_bits(attend(columns, AttentionKeep::kStatistics), expected);
    const Tensor dqkv = full(qkv.shape(), NAN);
    AttentionGradients g{part(dqkv, 0), part(dqkv, 1), part(dqkv, 2), {}};
    const AttentionResult forward = attention_forward(views.q, views.k, views.v, {}, 0, AttentionKeep::kStatistics);
    attention_backward_into(views.dy, views.q, views.k, views.v, {}, forward, 0, g);
    check_equal_bits({forward.output, g.dq, g.dk, g.dv}, {expected[0], expected[1], expected[2], expected[3]});
    AttentionGradients scattered{apart(g.dq), apart(g.dk), apart(g.dv), {}};
    attention_backward_into(views.dy, views.q, views.k, views.v, {}, forward, 0, scattered);
    check_equal_bits({scattered.dq, scattered.dk, scattered.dv}, {expected[1], expected[2], expected[3]});
  }
}

TEST_CASE("the probabilities that fast attention hands out are the softmax rows") {
  Inputs in = random_inputs(2, 2, 33, 41, 16, 16);
  in.mask = random_mask(33, 41);
  const Tensor p = attention_forward(in.q, in.k, in.v, in.mask, 0.3, AttentionKeep::kProbabilities).probabilities;
  const Tensor wide = attention_forward(to(in.q, Dtype::f64), to(in.k, Dtype::f64), to(in.v, Dtype::f64), in.mask, 0.3,
                                        AttentionKeep::kProbabilities)
                          .probabilities;
  CHECK(distance(p, wide) < 1e-6);
  CHECK(max(abs(select(p, 2, 0))).item() == 0);  // every key forbidden
  CHECK(max(abs(sub(sum(slice(p, 2, 1, 33), {3}), scalar(1)))).item() < 1e-6);
}

TEST_CASE("fast attention survives logits of ten thousand and masks of -inf") {
  Inputs in = random_inputs(1, 2, 21, 30, 16, 16);
  mul_(in.q, 100);
  mul_(in.k, 100);
  const std::vector<Tensor> found = attend(in, AttentionKeep::kStatistics, 1);
  for (const Tensor& x : found) CHECK(min(isfinite(x)).item() == 1);
  CHECK(distance(found[0], attend_plainly(in, 1)[0]) < 2e-3);  // f32 scores of 1e5 are known to a hundredth

  in = random_inputs(1, 2, 21, 30, 16, 16);
  in.mask = zeros({21, 30});
  fill_(slice(in.mask, 1, 10, 30), kForbidden);
  fill_(slice(in.mask, 0, 3, 5), kForbidden);
  fill_(slice(in.mask, 1, 0, 1), 1e4);
  check_against_plain(in);
  fill_(slice(in.mask, 1, 0, 1), -1e4);
  check_against_plain(in);
}

TEST_CASE("not a number in one query stays in its row, in one key reaches every row") {
  Inputs in = random_inputs(1, 1, 20, 26, 16, 16);
  fill_(slice(in.q, 2, 7, 8), NAN);
  Tensor finite = isfinite(attention_forward(in.q, in.k, in.v).output);
  CHECK(max(select(finite, 2, 7)).item() == 0);
  CHECK(sum(to(finite, Dtype::f32)).item() == 19 * 16);
  in = random_inputs(1, 1, 20, 26, 16, 16);
  fill_(slice(in.k, 2, 25, 26), NAN);
  CHECK(max(isfinite(attention_forward(in.q, in.k, in.v).output)).item() == 0);
}

TEST_CASE("inference allocates no N x M matrix, and the statistics are two numbers a query") {
  const int before = num_threads();
  set_num_threads(1);
  const int64_t n = 1024, matrix = n * n * 4;
  const Inputs in = random_inputs(2, 4, n, n, 16, 16);
  const int64_t output = in.q.numel() * 4, live = memory_stats().live_bytes;
  // The plain form works on one head at a time, the tiled one on a few queries of it.
  const int64_t room = output + (detail::has_tiled_attention() ? matrix / 4 : matrix + matrix / 4);
  reset_peak_memory();
  { const AttentionResult nothing = attention_forward(in.q, in.k, in.v); }
  CHECK(memory_stats().peak_bytes - live < room);
  if (detail::has_tiled_attention()) {
    reset_peak_memory();
    const AttentionResult kept = attention_forward(in.q, in.k, in.v, {}, 0, AttentionKeep::kStatistics);
    CHECK(kept.statistics.shape() == Shape{2, 4, n, 2});
    attention_backward(in.dy, in.q, in.k, in.v, {}, kept);
    CHECK(memory_stats().peak_bytes - live < 4 * output + matrix / 4 + matrix / 4);
  }
  set_num_threads(before);
}

TEST_CASE("P is kept below the limit and computed again above it; gradients without either are refused") {
  CHECK(attention_keep_for_backward(64 * 3 * 65 * 65, Dtype::f32) == AttentionKeep::kProbabilities);
  if (detail::has_tiled_attention()) {
    CHECK(attention_keep_for_backward(16 * 3 * 197 * 197, Dtype::f32) == AttentionKeep::kStatistics);
    CHECK(attention_keep_for_backward(int64_t{64} * 12 * 577 * 577, Dtype::f32) == AttentionKeep::kStatistics);
  }
  CHECK(attention_keep_for_backward(int64_t{64} * 12 * 577 * 577, Dtype::f64) == AttentionKeep::kProbabilities);
  const Inputs in = random_inputs(1, 1, 3, 3, 4, 4);
  CHECK_THROWS_WITH_AS(attention_backward(in.dy, in.q, in.k, in.v, {}, attention_forward(in.q, in.k, in.v)),
                       doctest::Contains("the forward pass kept nothing for the gradients"), Error);
}
