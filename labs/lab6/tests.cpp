// Lab 6: attention against its formulas (labs/lab6/by_hand.h), its gradients against central differences, layers by direct
// calls.
#include "labs/lab6/by_hand.h"

#include "autograd/gradcheck.h"
#include "autograd/modes.h"
#include "autograd/ops.h"
#include "labs/common/weights.h"
#include "nn/encoder_block.h"
#include "tensor/ops.h"
#include "tensor/ops/attention.h"
#include "tensor/plain.h"
#include "tensor/precision.h"

using namespace vitrail;

namespace {

using lab::fixed, lab::randomise;

// The plain loops, with P.
AttentionResult attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {}, double scale = 0) {
  const PlainGuard plain("attention");
  return attention_forward(q, k, v, mask, scale, AttentionKeep::kProbabilities);
}

AttentionGradients attend_back(const Tensor& dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask = {},
                               double scale = 0) {
  const PlainGuard plain("attention");
  AttentionResult forward;
  forward.probabilities = zeros({q.size(0), q.size(1), q.size(2), k.size(2)}, Dtype::f64);
  return attention_backward(dy, q, k, v, mask, forward, scale, true);
}

// A u8 mask of this shape in which every row allows at least one key.
Tensor random_mask(lab::Dice& dice, const Shape& shape) {
  std::vector<uint8_t> allowed(static_cast<size_t>(checked_numel(shape)));
  for (uint8_t& a : allowed) a = static_cast<uint8_t>(dice.roll(0, 1));
  const size_t keys = static_cast<size_t>(shape[shape.size() - 1]);
  for (size_t row = 0; row < allowed.size(); row += keys)
    allowed[row + static_cast<size_t>(dice.roll(0, static_cast<int64_t>(keys) - 1))] = 1;
  return from_vector(allowed, shape);
}

// The rows of axis 2 in reverse order.
Tensor reversed(const Tensor& x) { return flip(x, {2}); }

// Three keys alike whose values are 1, multiplied in bf16: a third is 0.333984375 there.
Tensor thirds() {
  const PlainGuard plain("attention");
  return attention_forward(zeros({1, 1, 1, 2}), zeros({1, 1, 3, 2}), ones({1, 1, 3, 1}), {}, 0, AttentionKeep::kProbabilities,
                           Precision::kBf16)
      .output;
}

std::string digits_of(const AttentionResult& r) { return lab::digits(r.output, 4) + " | " + lab::digits(r.probabilities, 4); }

}  // namespace

LAB_PROBE("6.1") { return digits_of(attend(fixed({1, 2, 2, 2}, 1), fixed({1, 2, 3, 2}, 2), fixed({1, 2, 3, 2}, 3))); }
LAB_PROBE("6.1") {
  return digits_of(attend(full({1, 1, 1, 1}, 1e4, Dtype::f64), reshape(arange(1, 3, 1, Dtype::f64), {1, 1, 2, 1}),
                          fixed({1, 1, 2, 1}, 3), {}, 1));
}
LAB_PROBE("6.1") {
  return digits_of(attend(full({1, 1, 1, 1}, -1e4, Dtype::f64), reshape(arange(1, 3, 1, Dtype::f64), {1, 1, 2, 1}),
                          fixed({1, 1, 2, 1}, 3), {}, 1));
}
LAB_PROBE("6.1") {
  const Tensor mask = from_vector(std::vector<uint8_t>{1, 0, 1, 0, 0, 0}, {2, 3});
  return digits_of(attend(fixed({1, 1, 2, 2}, 1), fixed({1, 1, 3, 2}, 2), fixed({1, 1, 3, 1}, 3), mask));
}
LAB_PROBE("6.1") {
  return digits_of(attend(fixed({1, 1, 2, 2}, 1), fixed({1, 1, 3, 2}, 2), fixed({1, 1, 3, 1}, 3), fixed({2, 3}, 4)));
}

LAB_PROBE("6.1") { return lab::digits(thirds(), 6); }

TEST_SUITE("6.1") {
  TEST_CASE("attention is its definition, number by number, for any strides") {
    const Tensor q = lab::random({2, 3, 4, 3}, 611), k = lab::random({2, 3, 5, 3}, 612), v = lab::random({2, 3, 5, 2}, 613);
    for (const double scale : {0.0, 0.3, 2.0}) {
      CAPTURE(scale);
      const AttentionResult r = attend(q, k, v, {}, scale);
      const Tensor p = by_hand::probabilities(q, k, {}, scale > 0 ? scale : 1 / std::sqrt(3.0));
      CHECK(lab::difference(r.probabilities, p, 1e-12) == "");
      CHECK(lab::difference(r.output, by_hand::weighted(p, v), 1e-12) == "");
    }
  }
  TEST_CASE("more queries than keys, and in single precision") {
    const Tensor q = lab::random({1, 2, 6, 4}, 614, 0, 1, Dtype::f32), k = lab::random({1, 2, 3, 4}, 615, 0, 1, Dtype::f32),
                 v = lab::random({1, 2, 3, 5}, 616, 0, 1, Dtype::f32);
    const Tensor p = by_hand::probabilities(q, k, {}, 0.5);
    CHECK(lab::difference(attend(q, k, v).output, by_hand::weighted(p, v), 1e-5) == "");
  }
  TEST_CASE("each row of P sums to one") {
    const AttentionResult r =
        attend(lab::random({2, 2, 5, 3}, 617), lab::random({2, 2, 7, 3}, 618), lab::random({2, 2, 7, 3}, 619));
    CHECK(lab::difference(sum(r.probabilities, {3}), ones({2, 2, 5}, Dtype::f64), 1e-12) == "");
  }
  TEST_CASE("equal scores give the mean of the values") {
    const Tensor v = lab::random({2, 1, 6, 4}, 620);
    const Tensor out = attend(zeros({2, 1, 3, 2}, Dtype::f64), lab::random({2, 1, 6, 2}, 621), v).output;
    CHECK(lab::difference(out, expand(mean(v, {2}, true), {2, 1, 3, 4}), 1e-12) == "");
  }
  TEST_CASE("scores of 10 000 choose the largest key, scores of -10 000 too") {
    const Tensor k = reshape(from_vector(std::vector<double>{1, 3, 2}, {3}), {1, 1, 3, 1}), v = lab::random({1, 1, 3, 4}, 622);
    const Tensor up = full({1, 1, 1, 1}, 1e4, Dtype::f64), down = full({1, 1, 1, 1}, -1e4, Dtype::f64);
    CHECK(lab::difference(attend(up, k, v, {}, 1).output, slice(v, 2, 1, 2), 1e-12) == "");
    CHECK(lab::difference(attend(down, k, v, {}, 1).output, slice(v, 2, 0, 1), 1e-12) == "");
  }
  TEST_CASE("a number added to all scores of a row changes nothing") {
    const Tensor q = lab::random({1, 2, 4, 3}, 623), k = lab::random({1, 2, 5, 3}, 624), v = lab::random({1, 2, 5, 3}, 625);
    const Tensor shift = lab::random({1, 2, 4, 1}, 626, 0, 3000);
    CHECK(lab::difference(attend(q, k, v, expand(shift, {1, 2, 4, 5})).output, attend(q, k, v).output, 1e-9) == "");
  }
  TEST_CASE("the order of keys and values does not matter; the order of queries is that of the rows") {
    const Tensor q = lab::random({1, 2, 4, 3}, 627), k = lab::random({1, 2, 5, 3}, 628), v = lab::random({1, 2, 5, 2}, 629);
    const Tensor out = attend(q, k, v).output;
    CHECK(lab::difference(attend(q, reversed(k), reversed(v)).output, out, 1e-12) == "");
    CHECK(lab::difference(attend(reversed(q), k, v).output, reversed(out), 1e-12) == "");
  }
  TEST_CASE("keys that a mask forbids count for nothing, the others share what is left") {
    lab::Dice dice(630);
    const Tensor q = lab::random({2, 2, 4, 3}, 631), k = lab::random({2, 2, 6, 3}, 632), v = lab::random({2, 2, 6, 2}, 633);
    const Tensor mask = random_mask(dice, {2, 2, 4, 6});
    const Tensor p = by_hand::probabilities(q, k, mask, 1 / std::sqrt(3.0));
    const AttentionResult r = attend(q, k, v, mask);
    CHECK(lab::difference(r.probabilities, p, 1e-12) == "");
    CHECK(lab::difference(r.output, by_hand::weighted(p, v), 1e-12) == "");
  }
  TEST_CASE("a float mask is added to the scaled scores") {
    const Tensor q = lab::random({2, 2, 4, 3}, 634), k = lab::random({2, 2, 5, 3}, 635), v = lab::random({2, 2, 5, 2}, 636);
    const Tensor mask = lab::random({2, 2, 4, 5}, 637);
    const Tensor p = by_hand::probabilities(q, k, mask, 1 / std::sqrt(3.0));
    CHECK(lab::difference(attend(q, k, v, mask).output, by_hand::weighted(p, v), 1e-12) == "");
  }
  TEST_CASE("a query that may look at nothing gets zeros, not NaN") {
    const Tensor mask = from_vector(std::vector<uint8_t>{1, 0, 1, 0, 0, 0}, {2, 3});
    const Tensor q = lab::random({1, 1, 2, 4}, 638), k = lab::random({1, 1, 3, 4}, 639), v = lab::random({1, 1, 3, 4}, 640);
    CHECK(lab::difference(select(attend(q, k, v, mask).output, 2, 1), zeros({1, 1, 4}, Dtype::f64), 0) == "");
  }
  TEST_CASE("in bf16 the probabilities are rounded as factors: f(p[j])") {
    CHECK(lab::difference(thirds(), full({1, 1, 1, 1}, 3 * 0.333984375), 1e-6) == "");
  }
}

namespace {

// The gradients as formulas: dV = P^T dO, dP = dO V^T, dS = P (dP - rowsum(dP P)), dQ = scale dS K, dK = scale dS^T Q.
AttentionGradients gradients_by_hand(Tensor dy, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                                     double scale) {
  Tensor p = by_hand::probabilities(q, k, mask, scale);
  const Tensor pv = sum(mul(by_hand::weighted(p, v), dy), {3}, true);  // rowsum(dP P) = rowsum(O dO)
  const Tensor ds = mul(p, sub(matmul(dy, transpose(v)), pv));
  return {mul(matmul(ds, k), scale), mul(matmul(transpose(ds), q), scale), matmul(transpose(p), dy), ds};
}

// lab::difference() that says which gradient it is.
std::string of(const char* name, const Tensor& given, const Tensor& wanted, double tolerance) {
  const std::string text = lab::difference(given, wanted, tolerance);
  return text.empty() ? "" : cat(name, ": ", text);
}

std::string digits_of(const AttentionGradients& g) {
  return lab::digits(g.dq, 4) + " | " + lab::digits(g.dk, 4) + " | " + lab::digits(g.dv, 4) + " | " + lab::digits(g.dscores, 4);
}

}  // namespace

LAB_PROBE("6.2") {
  return digits_of(attend_back(fixed({1, 1, 2, 1}, 5), fixed({1, 1, 2, 2}, 1), fixed({1, 1, 3, 2}, 2), fixed({1, 1, 3, 1}, 3)));
}
LAB_PROBE("6.2") {
  return digits_of(attend_back(fixed({1, 1, 1, 2}, 5), fixed({1, 1, 1, 1}, 1), fixed({1, 1, 2, 1}, 2), fixed({1, 1, 2, 2}, 3)));
}

LAB_PROBE("6.2") {
  const auto g =
      attend_back(fixed({1, 1, 2, 1}, 5), fixed({1, 1, 2, 2}, 1), fixed({1, 1, 3, 2}, 2), fixed({1, 1, 3, 1}, 3), {}, 0.3);
  return digits_of(g);
}

TEST_SUITE("6.2") {
  TEST_CASE("the gradients are their formulas, for any strides") {
    const Tensor q = lab::random({2, 2, 4, 3}, 651), k = lab::random({2, 2, 5, 3}, 652), v = lab::random({2, 2, 5, 2}, 653),
                 dy = lab::random({2, 2, 4, 2}, 654);
    for (const double scale : {0.4, 1.5}) {
      CAPTURE(scale);
      const AttentionGradients wanted = gradients_by_hand(dy, q, k, v, {}, scale), given = attend_back(dy, q, k, v, {}, scale);
      CHECK(of("dS", given.dscores, wanted.dscores, 1e-11) == "");
      CHECK(of("dV", given.dv, wanted.dv, 1e-11) == "");
      CHECK(of("dQ", given.dq, wanted.dq, 1e-11) == "");
      CHECK(of("dK", given.dk, wanted.dk, 1e-11) == "");
    }
  }
  TEST_CASE("central differences say the same of q, k, v and a learned mask") {
    const PlainGuard plain("attention");
    const Variable q(lab::random({1, 2, 3, 2}, 655), true), k(lab::random({1, 2, 4, 2}, 656), true),
        v(lab::random({1, 2, 4, 3}, 657), true), mask(lab::random({1, 2, 3, 4}, 658), true);
    const auto fn = [](const std::vector<Variable>& in) { return attention(in[0], in[1], in[2], in[3]); };
    CHECK(gradcheck(fn, {q, k, v, mask}).message == "");
  }
  TEST_CASE("the gradients of the scores of one query sum to zero") {
    const AttentionGradients g = attend_back(lab::random({1, 3, 5, 2}, 659), lab::random({1, 3, 5, 4}, 660),
                                             lab::random({1, 3, 6, 4}, 661), lab::random({1, 3, 6, 2}, 662));
    CHECK(max(abs(g.dscores)).item() > 1e-3);
    CHECK(lab::difference(sum(g.dscores, {3}), zeros({1, 3, 5}, Dtype::f64), 1e-12) == "");
  }
  TEST_CASE("if all values are equal, it does not matter where one looks: only the values get a gradient") {
    const Tensor v = expand(lab::random({1, 2, 1, 3}, 663), {1, 2, 5, 3}), dy = lab::random({1, 2, 4, 3}, 664);
    const AttentionGradients g = attend_back(dy, lab::random({1, 2, 4, 2}, 665), lab::random({1, 2, 5, 2}, 666), v);
    CHECK(of("dQ", g.dq, zeros({1, 2, 4, 2}, Dtype::f64), 1e-12) == "");
    CHECK(of("dK", g.dk, zeros({1, 2, 5, 2}, Dtype::f64), 1e-12) == "");
    CHECK(of("dV summed over the keys", sum(g.dv, {2}), sum(dy, {2}), 1e-12) == "");
  }
  TEST_CASE("two queries give keys and values the sum of what each gives") {
    const Tensor q = lab::random({1, 1, 2, 3}, 667), k = lab::random({1, 1, 4, 3}, 668), v = lab::random({1, 1, 4, 3}, 669),
                 dy = lab::random({1, 1, 2, 3}, 670);
    const AttentionGradients both = attend_back(dy, q, k, v);
    const AttentionGradients first = attend_back(slice(dy, 2, 0, 1), slice(q, 2, 0, 1), k, v),
                             second = attend_back(slice(dy, 2, 1, 2), slice(q, 2, 1, 2), k, v);
    CHECK(of("dK", both.dk, add(first.dk, second.dk), 1e-12) == "");
    CHECK(of("dV", both.dv, add(first.dv, second.dv), 1e-12) == "");
  }
  TEST_CASE("forbidden keys and values get no gradient") {
    lab::Dice dice(671);
    const Tensor q = lab::random({1, 2, 3, 2}, 672), k = lab::random({1, 2, 4, 2}, 673), v = lab::random({1, 2, 4, 2}, 674),
                 dy = lab::random({1, 2, 3, 2}, 675), mask = random_mask(dice, {1, 2, 3, 4});
    const AttentionGradients wanted = gradients_by_hand(dy, q, k, v, mask, 1 / std::sqrt(2.0)),
                             given = attend_back(dy, q, k, v, mask);
    CHECK(of("dK", given.dk, wanted.dk, 1e-12) == "");
    CHECK(of("dV", given.dv, wanted.dv, 1e-12) == "");
    CHECK(of("dQ", given.dq, wanted.dq, 1e-12) == "");
  }
}

#include "labs/lab6/tests_layers.h"
#include "labs/lab6/tests_masks.h"
