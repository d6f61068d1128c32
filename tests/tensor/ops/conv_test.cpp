// conv2d and its gradients against seven plain loops.
#include "tensor/ops/conv.h"

#include "tensor/machine/flops.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::dot;
using testing::max_difference;
using testing::random_tensor;

struct Case {
  Shape x, weight;
  Conv2dOptions options;
};

// The definition: calls fn(flat y, flat x, flat w) for every product of the sum.
template <class Fn>
void for_each_product(const Shape& x, const Shape& w, const Shape& y, const Conv2dOptions& o, Fn&& fn) {
  for (int64_t b = 0; b < y[0]; ++b) {
    for (int64_t k = 0; k < y[1]; ++k) {
      for (int64_t i = 0; i < y[2]; ++i) {
        for (int64_t j = 0; j < y[3]; ++j) {
          for (int64_t c = 0; c < w[1]; ++c) {
            for (int64_t p = 0; p < w[2]; ++p) {
              for (int64_t q = 0; q < w[3]; ++q) {
                const int64_t channel = k / (w[0] / o.groups) * w[1] + c;
                const int64_t row = i * o.stride_h + p * o.dilation_h - o.padding_h;
                const int64_t column = j * o.stride_w + q * o.dilation_w - o.padding_w;
                if (row < 0 || row >= x[2] || column < 0 || column >= x[3]) continue;
                fn(((b * y[1] + k) * y[2] + i) * y[3] + j, ((b * x[1] + channel) * x[2] + row) * x[3] + column,
                   ((k * w[1] + c) * w[2] + p) * w[3] + q);
              }
            }
          }
        }
      }
    }
  }
}

void check_case(const Case& c, Dtype dtype, double tolerance) {
  const Tensor x = random_tensor(c.x, dtype, 1), w = random_tensor(c.weight, dtype, 2),
               bias = random_tensor({c.weight[0]}, dtype, 3);
  const Tensor y = conv2d(x, w, bias, c.options), dy = random_tensor(y.shape(), dtype, 4);
  const auto xs = to_vector<double>(x), ws = to_vector<double>(w), bs = to_vector<double>(bias), ds = to_vector<double>(dy);
  std::vector<double> ys(y.numel()), dx(xs.size()), dw(ws.size()), db(bs.size());
  const int64_t plane = y.size(2) * y.size(3);
  for (int64_t i = 0; i < y.numel(); ++i) {
    ys[i] = bs[i / plane % c.weight[0]];
    db[i / plane % c.weight[0]] += ds[i];
  }
  for_each_product(c.x, c.weight, y.shape(), c.options, [&](int64_t i, int64_t j, int64_t k) {
    ys[i] += xs[j] * ws[k];
    dx[j] += ds[i] * ws[k];
    dw[k] += ds[i] * xs[j];
  });
  INFO("x ", to_string(c.x), " weight ", to_string(c.weight), " groups ", c.options.groups);
  CHECK(max_difference(y, ys) < tolerance);
  CHECK(max_difference(conv2d_backward_input(dy, w, c.x, c.options), dx) < tolerance);
  CHECK(max_difference(conv2d_backward_weight(dy, x, c.weight, c.options), dw) < tolerance * 4);
  CHECK(max_difference(conv2d_backward_bias(dy), db) < tolerance * 4);
}

// A random convolution that fits its input.
Case random_case(uint64_t seed) {
  const Rng rng(seed, 77);
  uint64_t next = 0;
  const auto draw = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(rng.below(next++, high - low + 1)); };
  Conv2dOptions o{draw(1, 3), draw(1, 3), draw(0, 2), draw(0, 2), draw(1, 2), draw(1, 3), draw(1, 3)};
  const int64_t channels = draw(1, 3), out = draw(1, 3), kernel_h = draw(1, 4), kernel_w = draw(1, 4);
  const int64_t height = std::max<int64_t>(1, o.dilation_h * (kernel_h - 1) + 1 - 2 * o.padding_h) + draw(0, 7);
  const int64_t width = std::max<int64_t>(1, o.dilation_w * (kernel_w - 1) + 1 - 2 * o.padding_w) + draw(0, 7);
  const int64_t batches[] = {0, 1, 2, 3};
  return {{batches[draw(0, 3)], channels * o.groups, height, width}, {out * o.groups, channels, kernel_h, kernel_w}, o};
}

}  // namespace

TEST_CASE("conv2d and its gradients equal seven plain loops for random strides, paddings, dilations and groups") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    check_case(random_case(seed), Dtype::f64, 1e-12);
    check_case(random_case(seed), Dtype::f32, 5e-5);
  }
}

TEST_CASE("conv2d equals the plain loops on its special paths") {
  const std::vector<Case> cases = {
      {{3, 3, 16, 24}, {5, 3, 4, 8}, {.stride_h = 4, .stride_w = 8}},                              // patch embedding
      {{2, 6, 7, 9}, {10, 3, 2, 3}, {.stride_h = 2, .stride_w = 3, .groups = 2}},                  // in groups
      {{2, 4, 6, 6}, {4, 1, 2, 2}, {.stride_h = 2, .stride_w = 2, .groups = 4}},                   // depthwise
      {{2, 3, 11, 9}, {4, 3, 4, 4}, {.stride_h = 4, .stride_w = 4}},                               // with a rest
      {{2, 8, 7, 5}, {6, 4, 1, 1}, {.groups = 2}},                                                 // 1 x 1
      {{2, 8, 7, 5}, {6, 8, 1, 1}, {.stride_h = 2, .stride_w = 2}},                                // pixels that nobody reads
      {{2, 4, 13, 11}, {3, 4, 2, 2}, {.stride_h = 3, .stride_w = 3, .dilation_h = 3}},             // rows that nobody reads
      {{2, 4, 12, 15}, {3, 4, 3, 3}, {3, 2, 2, 1, 2, 3}},                                          // strides and dilations
      {{11, 2, 40, 40}, {3, 2, 3, 3}, {.padding_h = 1, .padding_w = 1}},                           // many tiles, image chunks
      {{37, 5, 4, 4}, {33, 5, 3, 3}, {.padding_h = 1, .padding_w = 1}},                            // images smaller than a tile
      {{23, 4, 7, 7}, {20, 4, 3, 3}, {.padding_h = 1, .padding_w = 1}},                            // panels across images
      {{1, 70, 12, 12}, {4, 70, 3, 3}, {.padding_h = 1, .padding_w = 1}},                          // several channel blocks
      {{1, 40, 2, 2}, {130, 40, 3, 3}, {.padding_h = 1, .padding_w = 1}},                          // output channels cut
      {{3, 4, 1, 1}, {6, 4, 3, 3}, {.padding_h = 1, .padding_w = 1}},                              // windows mostly padding
      {{2, 1, 6, 40}, {8, 1, 3, 3}, {.padding_h = 1, .padding_w = 1}},                             // one channel, no groups
      {{2, 6, 9, 8}, {12, 1, 3, 3}, {.padding_h = 1, .padding_w = 1, .groups = 6}},                // depthwise
      {{2, 3, 9, 37}, {3, 1, 5, 3}, {.padding_h = 2, .padding_w = 1, .groups = 3}},                // rows with a rest
      {{1, 2, 70, 41}, {4, 1, 3, 3}, {2, 1, 1, 1, 1, 1, 2}},                                       // several tiles to a plane
      {{2, 2, 15, 14}, {2, 1, 3, 3}, {.stride_h = 2, .stride_w = 2, .padding_h = 1, .groups = 2}}  // depthwise, strided
  };
  for (const Case& c : cases) {
    check_case(c, Dtype::f64, 1e-11);
    check_case(c, Dtype::f32, 1e-3);
  }
}

TEST_CASE("conv2d and its gradients take operands with permuted axes") {
  const Conv2dOptions options{.stride_w = 2, .padding_h = 1};
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = permute(random_tensor({2, 8, 9, 3}, dtype, 1), {0, 3, 1, 2});
    const Tensor w = transpose(random_tensor({4, 3, 2, 3}, dtype, 2));
    const Tensor y = conv2d(x, w, {}, options);
    CHECK(bit_equal(y, conv2d(contiguous(x), contiguous(w), {}, options)));
    const Tensor dy = permute(random_tensor({2, y.size(3), y.size(2), 4}, dtype, 3), {0, 3, 2, 1}), copy = contiguous(dy);
    CHECK(bit_equal(conv2d_backward_input(dy, w, x.shape(), options),
                    conv2d_backward_input(copy, contiguous(w), x.shape(), options)));
    CHECK(bit_equal(conv2d_backward_weight(dy, x, w.shape(), options),
                    conv2d_backward_weight(copy, contiguous(x), w.shape(), options)));
  }
}

TEST_CASE("a NaN reaches exactly the results that read it") {
  const std::vector<Case> cases = {{{3, 4, 7, 7}, {5, 4, 3, 3}, {.padding_h = 1, .padding_w = 1}},
                                   {{3, 4, 7, 7}, {4, 1, 3, 3}, {.padding_h = 1, .padding_w = 1, .groups = 4}},
                                   {{3, 4, 9, 9}, {5, 4, 3, 3}, {.stride_h = 2, .stride_w = 2}}};
  for (const Case& c : cases) {
    Tensor x = random_tensor(c.x, Dtype::f32, 1);
    x.mutable_data<float>()[(c.x[1] + 1) * c.x[2] * c.x[3] + 2 * c.x[3] + 6] = NAN;  // image 1, channel 1, pixel (2, 6)
    // check_case compares NaN with NaN: what it allows is decided by the plain loops.
    const Tensor w = random_tensor(c.weight, Dtype::f32, 2), y = conv2d(x, w, {}, c.options);
    Tensor dy = random_tensor(y.shape(), Dtype::f32, 4);
    const auto xs = to_vector<double>(x), ws = to_vector<double>(w);
    std::vector<double> ys(y.numel()), dx(xs.size());
    dy.mutable_data<float>()[y.size(2) * y.size(3) + 3] = NAN;
    const auto ds = to_vector<double>(dy);
    for_each_product(c.x, c.weight, y.shape(), c.options, [&](int64_t i, int64_t j, int64_t k) {
      ys[i] += xs[j] * ws[k];
      dx[j] += ds[i] * ws[k];
    });
    CHECK(max_difference(y, ys) < 1e-4);
    CHECK(max_difference(conv2d_backward_input(dy, w, c.x, c.options), dx) < 1e-4);
    // dweight of output channel 1 has met the NaN of dy, the others have not.
    const auto dw = to_vector<double>(conv2d_backward_weight(dy, random_tensor(c.x, Dtype::f32, 5), c.weight, c.options));
    const size_t row = dw.size() / static_cast<size_t>(c.weight[0]);
    for (size_t i = 0; i < dw.size(); ++i) CHECK((i / row == 1 || !std::isnan(dw[i])));
  }
}

TEST_CASE("convolutions count their floating-point operations, whichever kernel runs") {
#if defined(__x86_64__)
  constexpr int64_t kMost = 12;
#else
  constexpr int64_t kMost = 24;  // larger tiles: 21.3 on 64-bit ARM
#endif
  for (const int64_t groups : {1, 4}) {
    const Tensor x = zeros({2, 4, 6, 6}), w = zeros({8, 4 / groups, 3, 3});
    const Conv2dOptions options{.padding_h = 1, .padding_w = 1, .groups = groups};
    const int64_t expected = 2 * 2 * 8 * 36 * 9 * (4 / groups), before = counted_flops();
    const Tensor y = conv2d(x, w, {}, options);
    const int64_t forward = counted_flops() - before;
    conv2d_backward_weight(y, x, w.shape(), options);
    CHECK(forward >= expected);  // the kernel for any processor counts the rows that it multiplies in vain
    CHECK(forward <= kMost * expected);
    CHECK(counted_flops() - before >= 2 * forward - expected);
  }
}

TEST_CASE("conv2d of no images is no images, and of no channels is the bias") {
  const Tensor y = conv2d(zeros({0, 3, 8, 8}), zeros({4, 3, 3, 3}), {});
  CHECK(y.shape() == Shape{0, 4, 6, 6});
  CHECK(conv2d_backward_input(y, zeros({4, 3, 3, 3}), {0, 3, 8, 8}, {}).shape() == Shape{0, 3, 8, 8});
  CHECK(max_difference(conv2d_backward_weight(y, zeros({0, 3, 8, 8}), {4, 3, 3, 3}, {}), std::vector<double>(108, 0.0)) == 0);
  CHECK(max_difference(conv2d_backward_bias(y), std::vector<double>(4, 0.0)) == 0);
  CHECK(max_difference(conv2d(zeros({1, 0, 2, 2}), zeros({1, 0, 1, 1}), ones({1})), std::vector<double>(4, 1.0)) == 0);
}

TEST_CASE("conv2d and its gradients have the same bits for 1, 2 and 4 threads") {
  const std::vector<Case> cases = {{{9, 3, 32, 32}, {16, 3, 8, 8}, {.stride_h = 8, .stride_w = 8}},
                                   {{9, 6, 17, 19}, {8, 3, 3, 3}, {.padding_h = 1, .padding_w = 1, .groups = 2}},
                                   {{40, 40, 4, 4}, {24, 40, 3, 3}, {.padding_h = 1, .padding_w = 1}},
                                   {{9, 6, 17, 19}, {8, 6, 3, 3}, {.stride_h = 2, .stride_w = 2, .padding_h = 1}},
                                   {{3, 8, 31, 31}, {8, 1, 3, 3}, {.padding_h = 1, .padding_w = 1, .groups = 8}}};
  for (const Case& c : cases) {
    const Tensor x = random_tensor(c.x, Dtype::f32, 1), w = random_tensor(c.weight, Dtype::f32, 2);
    testing::check_same_bits_for_any_threads([&] {
      const Tensor y = conv2d(x, w, {}, c.options);
      return std::vector<Tensor>{y, conv2d_backward_input(y, w, c.x, c.options),
                                 conv2d_backward_weight(y, x, c.weight, c.options), conv2d_backward_bias(y)};
    });
  }
}

TEST_CASE("conv2d says with numbers why a kernel does not fit") {
  const Tensor x = zeros({1, 4, 5, 5});
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({2, 4, 7, 7}), {}),
                       doctest::Contains("kernel larger than padded input: height is 5 + 2 x 0"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({2, 4, 3, 3}), {}, {.dilation_w = 3}), doctest::Contains("needs 3 x 2 + 1"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({2, 3, 3, 3}), {}), doctest::Contains("4 / 1 = 4 vs 3"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({2, 4, 3, 3}), ones({3})), doctest::Contains("bias must be [2]"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({2, 4, 0, 3}), {}), doctest::Contains("the kernel is empty"), Error);
  CHECK_THROWS_WITH_AS(conv2d(zeros({4, 5, 5}), zeros({2, 4, 3, 3}), {}), doctest::Contains("x is [4, 5, 5]"), Error);
  CHECK_THROWS_WITH_AS(conv2d_backward_input(zeros({1, 2, 9, 9}), zeros({2, 4, 3, 3}), x.shape(), {}),
                       doctest::Contains("the output is [1, 2, 3, 3]"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, zeros({2, 4, 3, 3}, Dtype::f64), {}), doctest::Contains("weight is f64"), Error);
}

TEST_CASE("conv2d refuses options that mean nothing") {
  const Tensor x = zeros({1, 4, 5, 5}), w = zeros({2, 4, 3, 3});
  CHECK_THROWS_WITH_AS(conv2d(x, w, {}, {.stride_h = 0}), doctest::Contains("stride is 0 x 1"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, w, {}, {.padding_w = -1}), doctest::Contains("padding is 0 x -1"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, w, {}, {.dilation_h = 0}), doctest::Contains("dilation is 0 x 1"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, w, {}, {.groups = 3}), doctest::Contains("groups must divide"), Error);
  CHECK_THROWS_WITH_AS(conv2d(x, w, {}, {.stride_h = int64_t{1} << 40}), doctest::Contains("below 2^31"), Error);
}

}  // namespace vitrail
