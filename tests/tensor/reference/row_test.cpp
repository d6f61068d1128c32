// What works row by row: softmax, norms, the classification loss, reductions. The fast form against the plain one.
#include "tensor/ops.h"
#include "tests/support/plain_test.h"

namespace vitrail {
namespace {

using testing::check_plain;
using testing::Draws;
using testing::float_dtype;
using testing::random_tensor;
using testing::strided_tensor;

Shape random_shape(Draws& draw, int64_t least_rank) {
  Shape shape;
  for (int64_t i = draw(least_rank, 4); i > 0; --i) shape.push_back(draw(0, 9) == 0 ? 0 : draw(1, 20));
  return shape;
}

TEST_CASE("softmax, log_softmax and their gradients equal their plain forms") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 1)};
    const Shape shape = random_shape(draw, 0);
    const int axis = shape.empty() ? 0 : static_cast<int>(draw(-shape.size(), shape.size() - 1));
    Tensor x = strided_tensor(shape, float_dtype(seed), seed) * 3;
    if (!shape.empty() && x.numel() > 0 && draw(0, 1)) fill_(select(x, axis, 0), -INFINITY);
    const Tensor dy = strided_tensor(shape, float_dtype(seed), seed + 100);
    check_plain(PlainOp::kSoftmax, [&] {
      const Tensor y = softmax(x, axis);
      return std::vector<Tensor>{y, softmax_backward(dy, y, axis)};
    });
    check_plain(PlainOp::kLogSoftmax, [&] {
      const Tensor y = log_softmax(x, axis);
      return std::vector<Tensor>{y, log_softmax_backward(dy, y, axis)};
    });
  }
}

TEST_CASE("layer_norm, rms_norm and their gradients equal their plain forms") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 2)};
    const Dtype dtype = float_dtype(seed);
    Shape shape = random_shape(draw, 1);
    shape.back() = draw(2, 40);
    const Tensor x = strided_tensor(shape, dtype, seed) * 2 + 1, dy = strided_tensor(shape, dtype, seed + 1);
    const bool scaled = draw(0, 3) > 0;
    const Tensor w = scaled ? strided_tensor({shape.back()}, dtype, seed + 2) : Tensor(),
                 b = scaled ? strided_tensor({shape.back()}, dtype, seed + 3) : Tensor();
    check_plain(PlainOp::kLayerNorm, [&] {
      const LayerNormResult r = layer_norm_forward(x, w, b, 1e-3);
      const NormGradients d = layer_norm_backward(dy, x, w, r.mean, r.rstd);
      return std::vector<Tensor>{r.output, to(r.mean, dtype), to(r.rstd, dtype), d.dx, d.dweight, d.dbias};
    });
    check_plain(PlainOp::kRmsNorm, [&] {
      const RmsNormResult r = rms_norm_forward(x, w, 1e-3);
      const NormGradients d = rms_norm_backward(dy, x, w, r.rrms);
      return std::vector<Tensor>{r.output, to(r.rrms, dtype), d.dx, d.dweight, d.dbias};
    });
  }
  const Tensor x = random_tensor({7, 33}, Dtype::f32, 1);
  check_plain(
      PlainOp::kLayerNorm,
      [&] { return std::vector<Tensor>{to(layer_norm_forward(x, {}, {}, 1e-6, /*rounded=*/true).output, Dtype::f32)}; },
      1.0 / 256);
}

// Class indices with some ignored, or soft targets.
Tensor random_target(const Shape& logits, bool soft, Dtype dtype, uint64_t seed) {
  if (soft) return softmax(strided_tensor(logits, dtype, seed), 1);
  Shape rows = logits;
  rows.erase(1);
  const Tensor target = rand_int(rows, 0, logits[1], Rng(seed));
  return where(less(random_tensor(rows, Dtype::f32, seed), scalar(-1)), full({}, -100, Dtype::i64), target);
}

TEST_CASE("cross_entropy and nll_loss equal their plain forms with every option") {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 3)};
    const Dtype dtype = float_dtype(seed);
    Shape shape{draw(0, 6), draw(1, 9)};
    for (int64_t i = draw(0, 2); i > 0; --i) shape.push_back(draw(1, 4));
    CrossEntropyOptions o{.label_smoothing = draw(0, 1) ? 0.1 : 0, .reduction = static_cast<Reduction>(draw(0, 2))};
    if (draw(0, 1)) o.class_weights = square(strided_tensor({shape[1]}, dtype, seed + 1));
    const bool log_probabilities = draw(0, 1);
    const Tensor x = strided_tensor(shape, dtype, seed) * 4, target = random_target(shape, draw(0, 1), dtype, seed + 2);
    const char* op = log_probabilities ? "nll_loss" : "cross_entropy";
    const Tensor dy = random_tensor(class_loss_forward(op, x, target, o, log_probabilities).output.shape(), dtype, seed + 3);
    check_plain(PlainOp::kCrossEntropy, [&] {
      const ClassLossResult r = class_loss_forward(op, x, target, o, log_probabilities);
      return std::vector<Tensor>{r.output, class_loss_backward(dy, x, target, r, o, log_probabilities)};
    });
  }
}

TEST_CASE("reductions equal their plain forms over any axes") {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    CAPTURE(seed);
    Draws draw{Rng(seed, 4)};
    const Shape shape = random_shape(draw, 0);
    Axes axes;
    for (int i = 0; i < shape.size(); ++i) {
      if (draw(0, 1)) axes.push_back(i);
    }
    const bool keepdim = draw(0, 1), last = draw(0, 1);
    const Tensor x = strided_tensor(shape, float_dtype(seed), seed), whole = to(x * 50, Dtype::i64),
                 bytes = to(whole, Dtype::u8);
    check_plain(PlainOp::kReduce, [&] {
      return std::vector<Tensor>{sum(x, axes, keepdim),    sum(whole, axes, keepdim),  sum(bytes, axes, keepdim),
                                 mean(x, axes, keepdim),   prod(x, axes, keepdim),     prod(bytes, axes, keepdim),
                                 var(x, axes, keepdim, 0), logsumexp(x, axes, keepdim)};
    });
    if (x.numel() == 0) continue;
    const int axis = shape.empty() ? 0 : static_cast<int>(draw(0, shape.size() - 1));
    check_plain(PlainOp::kReduce, [&] {
      return std::vector<Tensor>{max(x, axes, keepdim), min(whole, axes, keepdim), max(bytes, axes, keepdim),
                                 argmax(x, axis, keepdim, last), argmin(whole, axis, keepdim, last)};
    });
  }
}

}  // namespace
}  // namespace vitrail
