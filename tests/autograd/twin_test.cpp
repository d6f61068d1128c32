// Every coarse op has a composed twin from primitive ops: the twin is the definition, the coarse op its fast form. Both must
// agree in value and in every gradient.
//
// The twin runs in f64. Against it, relative to the largest magnitude (at least 1): the op in f64 within 1e-11, in f32 within
// 2e-5, which is what a few hundred roundings of 6e-8 leave.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/ops/fused.h"
#include "tensor/ops.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

using Inputs = std::vector<Variable>;
using Function = std::function<Variable(const Inputs&)>;

constexpr double kTight = 1e-11, kSingle = 2e-5;

Tensor normal(const Shape& shape, uint64_t seed) { return rand_normal(shape, 0, 1, Rng(seed), Dtype::f64); }

// An extent in [1, limit].
int64_t extent(const Rng& rng, uint64_t which, int64_t limit) { return 1 + static_cast<int64_t>(rng.below(which, limit)); }

// {value, gradient of each input} for a fixed random cotangent.
std::vector<Tensor> run(const Function& fn, const std::vector<Tensor>& values, Dtype dtype) {
  Inputs inputs;
  for (const Tensor& value : values) inputs.push_back(Variable(clone(to(value, dtype)), true));
  const Variable y = fn(inputs);
  y.backward(to(normal(y.shape(), 999), dtype));
  std::vector<Tensor> results{y.value()};
  for (const Variable& x : inputs) results.push_back(x.grad());
  return results;
}

double distance(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  if (a.numel() == 0) return 0;
  return max(abs(to(a, Dtype::f64) - b)).item() / std::max(1.0, max(abs(b)).item());
}

void check_twins(const Function& op, const Function& twin, const std::vector<Tensor>& values) {
  const std::vector<Tensor> wanted = run(twin, values, Dtype::f64);
  for (const Dtype dtype : {Dtype::f64, Dtype::f32}) {
    const std::vector<Tensor> found = run(op, values, dtype);
    for (size_t i = 0; i < wanted.size(); ++i) {
      CAPTURE(name_of(dtype));
      CAPTURE(to_string(values[0].shape()));
      CAPTURE(i);  // 0 is the value, i the gradient of input i - 1
      REQUIRE(found[i].defined());
      CHECK(distance(found[i], wanted[i]) < (dtype == Dtype::f64 ? kTight : kSingle));
    }
  }
}

// x normalised over axes, variance with divisor n.
Variable standardised(const Variable& x, const Axes& axes, double eps) {
  return (x - mean(x, axes, true)) / sqrt(var(x, axes, true, 0) + eps);
}

// e^x / sum e^x, without the shift that protects from overflow.
Variable plain_softmax(const Variable& x, int axis) {
  const Variable e = exp(x);
  return e / sum(e, {axis}, true);
}

// [C] as [1, C, 1, ...] beside x.
Variable per_channel(const Variable& v, const Variable& x) {
  Shape shape = x.shape();
  for (int axis = 0; axis < shape.size(); ++axis) shape[axis] = axis == 1 ? v.size(0) : 1;
  return reshape(v, shape);
}

// One group of a convolution: for each tap of the filter, the shifted image times the tap's matrix.
Variable plain_conv2d(const Variable& x, const Variable& w, const Conv2dOptions& o, int64_t out_h, int64_t out_w) {
  const Variable padded = pad(x, {0, 0, o.padding_h, o.padding_w}, {0, 0, o.padding_h, o.padding_w});
  Variable total = zeros({x.size(0), out_h, out_w, w.size(0)}, x.dtype());
  for (int64_t p = 0; p < w.size(2); ++p) {
    for (int64_t q = 0; q < w.size(3); ++q) {
      const int64_t top = p * o.dilation_h, left = q * o.dilation_w;
      const Variable rows = slice(padded, 2, top, top + (out_h - 1) * o.stride_h + 1, o.stride_h);
      const Variable shifted = slice(rows, 3, left, left + (out_w - 1) * o.stride_w + 1, o.stride_w);
      total = total + matmul(permute(shifted, {0, 2, 3, 1}), transpose(select(select(w, 3, q), 2, p)));
    }
  }
  return permute(total, {0, 3, 1, 2});
}

Variable plain_conv2d(const Inputs& in, const Conv2dOptions& o) {
  const Variable &x = in[0], &w = in[1];
  const int64_t out_h = (x.size(2) + 2 * o.padding_h - o.dilation_h * (w.size(2) - 1) - 1) / o.stride_h + 1;
  const int64_t out_w = (x.size(3) + 2 * o.padding_w - o.dilation_w * (w.size(3) - 1) - 1) / o.stride_w + 1;
  std::vector<Variable> groups;
  const std::vector<Variable> xs = chunk(x, o.groups, 1), ws = chunk(w, o.groups, 0);
  for (size_t g = 0; g < xs.size(); ++g) groups.push_back(plain_conv2d(xs[g], ws[g], o, out_h, out_w));
  return concat(groups, 1) + per_channel(in[2], x);
}

// w_c ((1 - smoothing) onehot + smoothing / C), [B, C, d1, ...].
Tensor target_mass(const Tensor& target, int64_t classes, const CrossEntropyOptions& o, int rank) {
  std::vector<int> order{0, rank - 1};
  for (int axis = 2; axis < rank; ++axis) order.push_back(axis - 1);
  const Tensor hot = permute(one_hot(target, classes, Dtype::f64), order);
  Shape channel = hot.shape();
  for (int axis = 0; axis < rank; ++axis) channel[axis] = axis == 1 ? classes : 1;
  return (hot * (1 - o.label_smoothing) + o.label_smoothing / static_cast<double>(classes)) * reshape(o.class_weights, channel);
}

Variable plain_cross_entropy(const Variable& x, const Tensor& target, const CrossEntropyOptions& o) {
  const Variable log_p = x - log(sum(exp(x), {1}, true));
  const double divisor = sum(index_select(o.class_weights, 0, target)).item();
  return -sum(log_p * target_mass(target, x.size(1), o, x.dim())) / divisor;
}

}  // namespace

TEST_CASE("linear is a product with the transposed weight plus the bias") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Rng rng(seed);
    const int64_t k = extent(rng, 0, 40), n = extent(rng, 1, 40);
    check_twins([](const Inputs& in) { return linear(in[0], in[1], in[2]); },
                [](const Inputs& in) { return matmul(in[0], transpose(in[1])) + in[2]; },
                {normal({extent(rng, 2, 4), extent(rng, 3, 17), k}, seed), normal({n, k}, seed + 10), normal({n}, seed + 20)});
  }
}

TEST_CASE("linear_add and mlp are linear with the addition or the gelu behind it, at the sizes of a ViT") {
  const std::pair<int64_t, int64_t> widths[] = {{8, 24}, {20, 80}, {64, 33}, {80, 320}};
  uint64_t seed = 0;
  for (const int64_t tokens : {0, 1, 17, 65, 197, 577}) {
    for (const auto& [k, n] : widths) {
      ++seed;
      const std::vector<Tensor> values{normal({1, tokens, k}, seed), normal({n, k}, seed + 100) * 0.3, normal({n}, seed + 200)};
      std::vector<Tensor> more = values;
      more.push_back(normal({1, tokens, n}, seed + 300));
      check_twins([](const Inputs& in) { return linear_add(in[0], in[1], in[2], in[3]); },
                  [](const Inputs& in) { return in[3] + matmul(in[0], transpose(in[1])) + in[2]; }, more);
      // The second layer back to K.
      std::vector<Tensor> both = values;
      for (const Tensor& t : {normal({k, n}, seed + 400) * 0.3, normal({k}, seed + 500), normal({1, tokens, k}, seed + 600)})
        both.push_back(t);
      check_twins([](const Inputs& in) { return mlp(in[0], in[1], in[2], in[3], in[4], in[5]); },
                  [](const Inputs& in) {
                    const Variable h = gelu(matmul(in[0], transpose(in[1])) + in[2]);
                    return in[5] + matmul(h, transpose(in[3])) + in[4];
                  },
                  both);
    }
  }
}

TEST_CASE("linear_add and mlp with LayerScale and drop path are a scaled branch on a residual, at the sizes of a ViT") {
  uint64_t seed = 700;
  for (const int64_t tokens : {1, 17, 65, 197}) {
    const int64_t k = 20, n = 80;
    seed += 20;
    // x, W1, b1, W2, b2, residual, gamma
    const std::vector<Tensor> values{normal({3, tokens, k}, seed), normal({n, k}, seed + 1) * 0.3,
                                     normal({n}, seed + 2),        normal({k, n}, seed + 3) * 0.3,
                                     normal({k}, seed + 4),        normal({3, tokens, k}, seed + 5),
                                     normal({k}, seed + 6) * 0.1};
    const Tensor kept = reshape(from_vector(std::vector<double>{1.25, 0, 1.25}, {3}), {3, 1, 1});
    const auto branch = [=](const Inputs& in) { return Branch{in[6], to(kept, in[0].dtype())}; };
    const auto samples = [=](const Inputs& in) { return Variable(to(kept, in[0].dtype())); };
    check_twins([=](const Inputs& in) { return mlp(in[0], in[1], in[2], in[3], in[4], in[5], branch(in)); },
                [=](const Inputs& in) {
                  const Variable h = gelu(matmul(in[0], transpose(in[1])) + in[2]);
                  return in[5] + samples(in) * (in[6] * (matmul(h, transpose(in[3])) + in[4]));
                },
                values);
    check_twins([=](const Inputs& in) { return linear_add(linear(in[0], in[1], in[2]), in[3], in[4], in[5], branch(in)); },
                [=](const Inputs& in) {
                  const Variable h = matmul(in[0], transpose(in[1])) + in[2];
                  return in[5] + samples(in) * (in[6] * (matmul(h, transpose(in[3])) + in[4]));
                },
                values);
  }
}

TEST_CASE("mlp with a hidden layer too large to keep computes it again in the backward pass") {
  // 2,100 x 2,048 numbers are more than 16 MiB in f32.
  check_twins(
      [](const Inputs& in) { return mlp(in[0], in[1], in[2], in[3], in[4], in[5]); },
      [](const Inputs& in) { return in[5] + matmul(gelu(matmul(in[0], transpose(in[1])) + in[2]), transpose(in[3])) + in[4]; },
      {normal({1, 2100, 8}, 1), normal({2048, 8}, 2) * 0.3, normal({2048}, 3), normal({8, 2048}, 4) * 0.1, normal({8}, 5),
       normal({1, 2100, 8}, 6)});
}

TEST_CASE("layer_norm and rms_norm are their formulas from means and square roots") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Rng rng(seed);
    const int64_t d = 1 + extent(rng, 0, 70);
    const std::vector<Tensor> values{normal({extent(rng, 1, 4), extent(rng, 2, 9), d}, seed), normal({d}, seed + 10)};
    check_twins([](const Inputs& in) { return layer_norm(in[0], in[1], in[2], 1e-2); },
                [](const Inputs& in) { return standardised(in[0], {-1}, 1e-2) * in[1] + in[2]; },
                {values[0], values[1], normal({d}, seed + 20)});
    check_twins([](const Inputs& in) { return rms_norm(in[0], in[1], 1e-2); },
                [](const Inputs& in) { return in[0] / sqrt(mean(square(in[0]), {-1}, true) + 1e-2) * in[1]; }, values);
  }
}

TEST_CASE("each gelu is x times its own Phi") {
  const Tensor x = normal({7, 33}, 1) * 2.5;
  const auto op = [](Gelu kind) { return [kind](const Inputs& in) { return gelu(in[0], kind); }; };
  const double root = std::sqrt(2 / std::numbers::pi);
  check_twins(op(Gelu::kExact), [](const Inputs& in) { return 0.5 * in[0] * (1 + erf(in[0] / std::numbers::sqrt2)); }, {x});
  check_twins(op(Gelu::kTanh),
              [=](const Inputs& in) { return 0.5 * in[0] * (1 + tanh(root * (in[0] + 0.044715 * pow(in[0], 3)))); }, {x});
  check_twins(op(Gelu::kQuick), [](const Inputs& in) { return in[0] * sigmoid(1.702 * in[0]); }, {x});
}

TEST_CASE("softmax and log_softmax are exponentials over their sum, along any axis") {
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor x = normal({3, 5, 4}, 7 + axis);
    check_twins([=](const Inputs& in) { return softmax(in[0], axis); },
                [=](const Inputs& in) { return plain_softmax(in[0], axis); }, {x});
    check_twins([=](const Inputs& in) { return log_softmax(in[0], axis); },
                [=](const Inputs& in) { return in[0] - log(sum(exp(in[0]), {axis}, true)); }, {x});
  }
}

TEST_CASE("attention is two products around a softmax, with a learned mask, for any sizes") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Rng rng(seed);
    const int64_t b = extent(rng, 0, 2), h = extent(rng, 1, 3), n = extent(rng, 2, 40), m = extent(rng, 3, 40);
    const int64_t k = extent(rng, 4, 20), v = extent(rng, 5, 20);
    const double scale = 1 / std::sqrt(static_cast<double>(k));
    check_twins(
        [](const Inputs& in) { return attention(in[0], in[1], in[2], in[3]); },
        [=](const Inputs& in) { return matmul(plain_softmax(matmul(in[0], transpose(in[1])) * scale + in[3], -1), in[2]); },
        {normal({b, h, n, k}, seed), normal({b, h, m, k}, seed + 10), normal({b, h, m, v}, seed + 20),
         normal({h, n, m}, seed + 30)});
  }
}

TEST_CASE("qkv_attention is attention on the three parts of its input") {
  for (const int64_t tokens : {1, 17, 65, 197}) {
    const int64_t heads = 3, width = tokens == 65 ? 20 : 8;
    check_twins([=](const Inputs& in) { return qkv_attention(in[0], heads, in[1]); },
                [=](const Inputs& in) {
                  const Variable parts = permute(reshape(in[0], {2, tokens, 3, heads, width}), {2, 0, 3, 1, 4});
                  const Variable q = select(parts, 0, 0), k = select(parts, 0, 1), v = select(parts, 0, 2);
                  const Variable scores = matmul(q, transpose(k)) / std::sqrt(static_cast<double>(width)) + in[1];
                  return reshape(transpose(matmul(plain_softmax(scores, -1), v), 1, 2), {2, tokens, heads * width});
                },
                {normal({2, tokens, 3 * heads * width}, 3), normal({tokens}, 4)});
  }
}

TEST_CASE("conv2d is a sum of shifted products, for strides, padding, dilation and groups") {
  const std::vector<Conv2dOptions> all{
      {},
      {.padding_h = 1, .padding_w = 2},
      {.stride_h = 2, .stride_w = 3, .padding_h = 1},
      {.padding_h = 2, .dilation_h = 2, .dilation_w = 3},
      {.stride_h = 2, .padding_h = 1, .dilation_w = 2, .groups = 2},
      {.padding_h = 1, .padding_w = 1, .groups = 4},
  };
  for (const Conv2dOptions& options : all) {
    const Tensor x = normal({2, 4, 9, 10}, 1), w = normal({8, 4 / options.groups, 3, 2}, 2);
    check_twins([=](const Inputs& in) { return conv2d(in[0], in[1], in[2], options); },
                [=](const Inputs& in) { return plain_conv2d(in, options); }, {x, w, normal({8}, 3)});
  }
}

TEST_CASE("batch_norm in training normalises by the batch, in evaluation by the running statistics") {
  const Tensor x = normal({4, 3, 5, 2}, 1), w = normal({3}, 2), b = normal({3}, 3);
  const Tensor running_mean = normal({3}, 4), running_var = abs(normal({3}, 5)) + 0.5;
  check_twins([](const Inputs& in) { return batch_norm(in[0], in[1], in[2], {}, {}, true, 0.1, 1e-3); },
              [](const Inputs& in) {
                return standardised(in[0], {0, 2, 3}, 1e-3) * per_channel(in[1], in[0]) + per_channel(in[2], in[0]);
              },
              {x, w, b});
  check_twins([=](const Inputs& in) { return batch_norm(in[0], in[1], in[2], running_mean, running_var, false, 0.1, 1e-3); },
              [=](const Inputs& in) {
                const Variable h = (in[0] - per_channel(running_mean, in[0])) / sqrt(per_channel(running_var, in[0]) + 1e-3);
                return h * per_channel(in[1], in[0]) + per_channel(in[2], in[0]);
              },
              {x, w, b});
}

TEST_CASE("group_norm normalises each sample's groups of channels") {
  for (const int64_t groups : {1, 2, 3, 6}) {
    check_twins([=](const Inputs& in) { return group_norm(in[0], groups, in[1], in[2], 1e-3); },
                [=](const Inputs& in) {
                  const Variable h = standardised(reshape(in[0], {3, groups, -1}), {2}, 1e-3);
                  return reshape(h, in[0].shape()) * per_channel(in[1], in[0]) + per_channel(in[2], in[0]);
                },
                {normal({3, 6, 4, 2}, 1), normal({6}, 2), normal({6}, 3)});
  }
}

TEST_CASE("cross_entropy and nll_loss are a weighted mean of log-probabilities") {
  for (const double smoothing : {0.0, 0.1}) {
    for (const Shape& shape : {Shape{6, 9}, Shape{2, 5, 3, 4}}) {
      Shape rows = shape;
      rows.erase(1);
      const Tensor target = rand_int(rows, 0, shape[1], Rng(2));
      const CrossEntropyOptions options{.label_smoothing = smoothing,
                                        .class_weights = rand_uniform({shape[1]}, 0.5, 2, Rng(3), Dtype::f64)};
      const double divisor = sum(index_select(options.class_weights, 0, target)).item();
      check_twins([=](const Inputs& in) { return cross_entropy(in[0], target, options); },
                  [=](const Inputs& in) { return plain_cross_entropy(in[0], target, options); }, {normal(shape, 1)});
      check_twins(
          [=](const Inputs& in) { return nll_loss(in[0], target, options); },
          [=](const Inputs& in) { return -sum(in[0] * target_mass(target, shape[1], options, shape.size())) / divisor; },
          {normal(shape, 4)});
    }
  }
}

TEST_CASE("bce_with_logits, kl_div and smooth_l1_loss are their textbook formulas") {
  const Tensor x = normal({5, 7}, 1), t = rand_uniform({5, 7}, 0.05, 0.95, Rng(2), Dtype::f64);
  check_twins([](const Inputs& in) { return bce_with_logits(in[0], in[1]); },
              [](const Inputs& in) {
                const Variable p = sigmoid(in[0]);
                return -mean(in[1] * log(p) + (1 - in[1]) * log(1 - p));
              },
              {x, t});
  check_twins([](const Inputs& in) { return kl_div(in[0], in[1]); },
              [](const Inputs& in) { return sum(in[1] * (log(in[1]) - in[0])) / 5; }, {x, t});
  for (const double beta : {0.3, 1.0}) {
    check_twins([=](const Inputs& in) { return smooth_l1_loss(in[0], in[1], beta); },
                [=](const Inputs& in) {
                  const Variable d = in[0] - in[1];
                  const Tensor size = abs(d.value());
                  return mean(where(less(size, full({}, beta, size.dtype())), square(d) * (0.5 / beta), abs(d) - 0.5 * beta));
                },
                {x, t});
  }
}
