// Gradient checks of the losses, over every reduction.
#include <cmath>

#include "autograd/ops/layers.h"
#include "autograd/ops/math.h"
#include "autograd/ops/shape.h"
#include "tensor/ops.h"
#include "tests/op_cases_parts.h"

namespace vitrail::testing {
namespace {

// Rows of probabilities that add up to one.
Tensor soft_targets(const Shape& shape, uint64_t seed, int axis = 1) { return softmax(leaf(shape, seed).value(), axis); }

Tensor with_ignored(Tensor index, int64_t ignored) {
  for (int64_t i = 0; i < index.numel(); i += 2) fill_(select(flatten(index), 0, i), static_cast<double>(ignored));
  return index;
}

// cross_entropy or nll_loss: they share targets, weights and reductions.
template <class Fn>
OpCase class_loss(const char* name, Fn loss) {
  const auto with = [loss](const Tensor& target, const CrossEntropyOptions& options = {}) {
    return unary([=](const Variable& x) { return loss(x, target, options); });
  };
  const Tensor weights = uniform_leaf({5}, 100, 0.2, 2).value();
  const Tensor rows = random_index({4}, 5, 101), pixels = random_index({2, 3, 2}, 5, 102);
  using enum Reduction;
  const CrossEntropyOptions sum{.reduction = kSum}, none{.reduction = kNone}, smooth{.label_smoothing = 0.2};
  const CrossEntropyOptions weighted{.class_weights = weights};
  const CrossEntropyOptions both{.label_smoothing = 0.1, .class_weights = weights};
  const CrossEntropyOptions each{.label_smoothing = 0.1, .class_weights = weights, .reduction = kNone};
  const CrossEntropyOptions skip{.label_smoothing = 0.1, .class_weights = weights, .ignore_index = 3};
  return {name,
          {{"mean", {leaf({4, 5}, 1)}, with(rows)},
           {"sum", {leaf({4, 5}, 2)}, with(rows, sum)},
           {"none", {leaf({4, 5}, 3)}, with(rows, none)},
           {"pixels", {leaf({2, 5, 3, 2}, 4)}, with(pixels)},
           {"pixels, none", {leaf({2, 5, 3, 2}, 5)}, with(pixels, none)},
           {"label smoothing", {leaf({4, 5}, 6)}, with(rows, smooth)},
           {"class weights", {leaf({4, 5}, 7)}, with(rows, weighted)},
           {"smoothing and weights", {leaf({4, 5}, 8)}, with(rows, both)},
           {"pixels, smoothing, weights, none", {leaf({2, 5, 3, 2}, 9)}, with(pixels, each)},
           {"half ignored", {leaf({4, 5}, 10)}, with(with_ignored(clone(rows), -100))},
           {"ignored class 3, smoothing, weights", {leaf({4, 5}, 11)}, with(with_ignored(clone(rows), 3), skip)},
           {"all ignored", {leaf({4, 5}, 12)}, with(full({4}, -100, Dtype::i64))},
           {"soft targets", {leaf({4, 5}, 13)}, with(soft_targets({4, 5}, 103))},
           {"soft targets, smoothing, weights", {leaf({4, 5}, 14)}, with(soft_targets({4, 5}, 104), both)},
           {"soft pixels, none", {leaf({2, 5, 3, 2}, 15)}, with(soft_targets({2, 5, 3, 2}, 105), each)},
           {"transposed", {transposed_leaf({4, 5}, 16)}, with(rows)},
           {"strided", {strided_leaf({2, 5, 3, 2}, 17)}, with(pixels)},
           {"expanded", {expanded_leaf({1, 5}, {4, 5}, 18)}, with(rows)},
           {"one class", {leaf({3, 1}, 19)}, with(zeros({3}, Dtype::i64))},
           {"no rows", {leaf({0, 5}, 20)}, with(zeros({0}, Dtype::i64))},
           {"no rows, none", {leaf({0, 5}, 21)}, with(zeros({0}, Dtype::i64), none)}}};
}

using Maker = std::function<Variable(const Shape&, uint64_t)>;

// A loss of two tensors of one shape: all reductions, layouts, one side constant.
template <class Fn>
OpCase pair_loss(const char* name, Fn loss, const Maker& left, const Maker& right, bool twice_is_smooth = true) {
  using enum Reduction;
  const auto with = [loss](Reduction reduction) {
    return binary([=](const Variable& x, const Variable& t) { return loss(x, t, reduction); });
  };
  const OpFunction twice = [loss](const std::vector<Variable>& in) { return loss(in[0], in[0], kSum); };
  const auto turned = [](const Variable& x) { return Variable(transpose(x.value()), true); };
  const auto skipped = [](const Variable& x) { return Variable(slice(x.value(), 1, 0, 8, 2), true); };
  const auto repeated = [](const Variable& x) { return Variable(expand(x.value(), {3, 4}), true); };
  OpCase result{name,
                {{"mean", {left({3, 4}, 1), right({3, 4}, 2)}, with(kMean)},
                 {"sum", {left({3, 4}, 3), right({3, 4}, 4)}, with(kSum)},
                 {"none", {left({2, 3, 4}, 5), right({2, 3, 4}, 6)}, with(kNone)},
                 {"constant target", {left({3, 4}, 7), constant(right({3, 4}, 8))}, with(kMean)},
                 {"constant x", {constant(left({3, 4}, 9)), right({3, 4}, 10)}, with(kMean)},
                 {"transposed", {turned(left({4, 3}, 11)), right({3, 4}, 12)}, with(kMean)},
                 {"strided", {skipped(left({3, 8}, 13)), skipped(right({3, 8}, 14))}, with(kNone)},
                 {"expanded", {repeated(left({3, 1}, 15)), right({3, 4}, 16)}, with(kMean)},
                 {"size 1", {left({1, 1}, 17), right({1, 1}, 18)}, with(kMean)},
                 {"size 0, sum", {left({0, 4}, 19), right({0, 4}, 20)}, with(kSum)},
                 {"size 0, none", {left({2, 0}, 21), right({2, 0}, 22)}, with(kNone)}}};
  if (twice_is_smooth) result.samples.push_back({"twice", {right({3, 4}, 23)}, twice});
  return result;
}

// Operands whose difference is never close to a kink: multiples of 0.4, and those plus 0.1, so |x - t| is 0.1 or 0.3 modulo
// 0.4.
Variable on_grid(const Shape& shape, uint64_t seed) {
  return Variable(mul(round(mul(leaf(shape, seed).value(), 3)), 0.4), true);
}
Variable off_grid(const Shape& shape, uint64_t seed) { return Variable(add(on_grid(shape, seed).value(), 0.1), true); }

std::vector<OpCase> pair_losses() {
  const Maker probability = [](const Shape& shape, uint64_t seed) { return uniform_leaf(shape, seed, 0.05, 0.95); };
  const auto smooth_l1 = [](double beta) {
    return [beta](const Variable& x, const Variable& t, Reduction r) { return smooth_l1_loss(x, t, beta, r); };
  };
  OpCase smooth = pair_loss("smooth_l1_loss", smooth_l1(1), on_grid, off_grid);
  for (const double beta : {0.2, 0.6}) {
    const auto fn = smooth_l1(beta);
    smooth.samples.push_back({"beta " + std::to_string(beta).substr(0, 3),
                              {on_grid({3, 4}, 31), off_grid({3, 4}, 32)},
                              binary([fn](const Variable& x, const Variable& t) { return fn(x, t, Reduction::kMean); })});
  }
  smooth.samples.push_back({"beta 0",
                            {on_grid({3, 4}, 33), off_grid({3, 4}, 34)},
                            binary([](const Variable& x, const Variable& t) { return smooth_l1_loss(x, t, 0); })});
  return {pair_loss(
              "mse_loss", [](const Variable& x, const Variable& t, Reduction r) { return mse_loss(x, t, r); }, leaf, leaf),
          pair_loss(
              "l1_loss", [](const Variable& x, const Variable& t, Reduction r) { return l1_loss(x, t, r); }, on_grid, off_grid),
          smooth,
          pair_loss(
              "bce_with_logits", [](const Variable& x, const Variable& t, Reduction r) { return bce_with_logits(x, t, r); },
              leaf, probability),
          pair_loss(
              "kl_div", [](const Variable& x, const Variable& t, Reduction r) { return kl_div(x, t, r); }, leaf, probability)};
}

}  // namespace

std::vector<OpCase> loss_cases() {
  std::vector<OpCase> cases = pair_losses();
  cases.push_back(class_loss("cross_entropy", [](const Variable& x, const Tensor& target, const CrossEntropyOptions& options) {
    return cross_entropy(x, target, options);
  }));
  cases.push_back(class_loss("nll_loss", [](const Variable& x, const Tensor& target, const CrossEntropyOptions& options) {
    return nll_loss(x, target, options);
  }));
  return cases;
}

}  // namespace vitrail::testing
