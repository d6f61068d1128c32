// The mathematics of maps on matrices small enough for a pencil.
#include "models/explain/relevance.h"

#include <doctest/doctest.h>

#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models::explain;

Tensor attention_of(const std::vector<double>& values, int64_t layers, int64_t heads, int64_t tokens) {
  return from_vector(values, {layers, heads, tokens, tokens});
}

// Rows of positive numbers that sum to one.
Tensor random_attention(int64_t layers, int64_t heads, int64_t tokens) {
  return softmax(rand_normal({layers, heads, tokens, tokens}, 0, 2, Rng(4), Dtype::f64));
}

TEST_CASE(
    "rollout of three tokens and two layers is the product of both halves with the identity, the last layer on the left") {
  const Tensor a = attention_of({0, 1, 0, 0, 0, 1, 1, 0, 0,       // layer 1: 0 -> 1 -> 2 -> 0
                                 0.5, 0.5, 0, 0, 1, 0, 0, 0, 1},  // layer 2: token 0 looks at 0 and 1, the others at themselves
                                2, 1, 3);
  // A'_1 = [.5 .5 0; 0 .5 .5; .5 0 .5], A'_2 = [.75 .25 0; 0 1 0; 0 0 1], R = A'_2 A'_1
  const Tensor expected = from_vector(std::vector<double>{0.375, 0.5, 0.125, 0, 0.5, 0.5, 0.5, 0, 0.5}, {3, 3});
  CHECK(largest_difference(rollout(a), expected) < 1e-15);
}

TEST_CASE("rollout fuses heads by mean, max or min, and its rows sum to one whatever the options") {
  const Tensor a = attention_of({1, 0, 0, 1, 0, 1, 0, 1}, 1, 2, 2);  // head 1: the identity; head 2: all look at token 1
  CHECK(largest_difference(rollout(a), from_vector(std::vector<double>{0.75, 0.25, 0, 1}, {2, 2})) < 1e-15);
  // max: [1 1; 0 1], half of it and of the identity: [1 .5; 0 1], divided by row sums
  CHECK(largest_difference(rollout(a, {HeadFusion::kMax}), from_vector(std::vector<double>{2.0 / 3, 1.0 / 3, 0, 1}, {2, 2})) <
        1e-15);
  CHECK(largest_difference(rollout(a, {HeadFusion::kMin}), eye(2, Dtype::f64)) < 1e-15);
  for (const HeadFusion fusion : {HeadFusion::kMean, HeadFusion::kMax, HeadFusion::kMin})
    for (const double discard : {0.0, 0.3, 0.9})
      CHECK(largest_difference(sum(rollout(random_attention(3, 4, 7), {fusion, discard}), {1}), ones({7}, Dtype::f64)) < 1e-12);
}

TEST_CASE("what rollout discards are the smallest entries of each row") {
  const Tensor a = attention_of({0.5, 0.3, 0.2, 0.1, 0.6, 0.3, 0.2, 0.2, 0.6}, 1, 1, 3);
  // One of three entries of each row: 0.2, 0.1 and the second of the equal 0.2. A' = (A + I) / row sums
  const Tensor expected =
      from_vector(std::vector<double>{1.5 / 1.8, 0.3 / 1.8, 0, 0, 1.6 / 1.9, 0.3 / 1.9, 0.2 / 1.8, 0, 1.6 / 1.8}, {3, 3});
  CHECK(largest_difference(rollout(a, {HeadFusion::kMean, 0.34}), expected) < 1e-12);
}

TEST_CASE("attention of the identity stays the identity through any number of layers") {
  const Tensor a = contiguous(expand(reshape(eye(4, Dtype::f64), {1, 1, 4, 4}), {5, 2, 4, 4}));
  CHECK(largest_difference(rollout(a), eye(4, Dtype::f64)) < 1e-15);
}

TEST_CASE("gradient rollout adds E R layer by layer and leaves the identity out") {
  const Tensor e = from_vector(std::vector<double>{0, 2, 0, 0, 0, 1, 3, 0}, {2, 2, 2});
  // R1 = I + E1 = [1 2; 0 1]; R2 = R1 + E2 R1 with E2 = [0 1; 3 0]: [1 2; 0 1] + [0 1; 3 6] = [1 3; 3 7]
  CHECK(largest_difference(gradient_rollout(e), from_vector(std::vector<double>{0, 3, 3, 6}, {2, 2})) < 1e-15);
}

TEST_CASE("the map of patches is the pooled row without prefix tokens") {
  const Tensor r = from_vector(std::vector<double>{9, 1, 2, 9, 3, 4, 9, 5, 6}, {3, 3});
  const Tensor token = from_vector(std::vector<double>{1, 0, 0}, {3}),
               even = from_vector(std::vector<double>{0, 0.5, 0.5}, {3});
  CHECK(largest_difference(patch_map(r, token, 1, {1, 2}), from_vector(std::vector<double>{1, 2}, {1, 2})) < 1e-15);
  CHECK(largest_difference(patch_map(r, even, 1, {2, 1}), from_vector(std::vector<double>{4, 5}, {2, 1})) < 1e-15);
  CHECK(contains(message_of([&] { patch_map(r, token, 1, {2, 2}); }), "1 prefix tokens and 2 x 2 patches are 5"));
}

TEST_CASE("what is no attention is refused with its shape") {
  CHECK(contains(message_of([] { rollout(zeros({2, 3, 3})); }), "[rollout] attention is [L, H, T, T]"));
  CHECK(contains(message_of([] { rollout(zeros({0, 1, 3, 3})); }), "it is [0, 1, 3, 3]"));
  CHECK(contains(message_of([] {
                   rollout(zeros({1, 1, 3, 3}), {HeadFusion::kMean, 1});
                 }),
                 "discard must be in [0, 1): it is 1"));
  CHECK(contains(message_of([] { gradient_rollout(zeros({2, 3, 4})); }), "relevance is [L, T, T]: it is [2, 3, 4]"));
  CHECK(contains(message_of([] { last_attention(zeros({2, 2})); }), "[last_attention] attention is"));
}

}  // namespace
}  // namespace vitrail::testing
