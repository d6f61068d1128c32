// Pooling and its gradients against plain loops.
#include "tensor/ops/pool.h"

#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::dot;
using testing::max_difference;
using testing::random_tensor;

// The definition, one axis: output i covers the inputs i stride - padding + k dilation.
int64_t plain_extent(int64_t extent, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, bool ceil_mode) {
  const int64_t reach = dilation * (kernel - 1) + 1, stop = extent + padding;
  int64_t out = 0, start = -padding;
  for (; start + reach <= stop; start += stride) ++out;
  // One more window in ceil mode, if elements are left over and it starts before the right padding.
  const bool left_over = start - stride + reach < stop;
  return out + (ceil_mode && left_over && start < extent ? 1 : 0);
}

Pool2dOptions random_options(const Rng& rng, bool dilated) {
  uint64_t next = 0;
  const auto draw = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(rng.below(next++, high - low + 1)); };
  Pool2dOptions o;
  o.kernel_h = draw(1, 4), o.kernel_w = draw(1, 4), o.stride_h = draw(1, 3), o.stride_w = draw(1, 3);
  o.padding_h = draw(0, o.kernel_h / 2), o.padding_w = draw(0, o.kernel_w / 2);
  if (dilated) o.dilation_h = draw(1, 2), o.dilation_w = draw(1, 2);
  o.ceil_mode = draw(0, 1), o.count_include_pad = draw(0, 1);
  return o;
}

struct PlainPool {
  std::vector<double> maximum, index, average;
};

PlainPool plain_pool(const Tensor& x, const Pool2dOptions& o, int64_t out_h, int64_t out_w) {
  const auto xs = to_vector<double>(x);
  const int64_t height = x.size(2), width = x.size(3);
  PlainPool r;
  for (int64_t n = 0; n < x.size(0) * x.size(1); ++n) {
    for (int64_t item = 0; item < out_h * out_w; ++item) {
      double best = -std::numeric_limits<double>::infinity(), at = -1, sum = 0, inside = 0, padded = 0;
      for (int64_t k = 0; k < o.kernel_h * o.kernel_w; ++k) {
        const int64_t row = item / out_w * o.stride_h - o.padding_h + k / o.kernel_w * o.dilation_h;
        const int64_t column = item % out_w * o.stride_w - o.padding_w + k % o.kernel_w * o.dilation_w;
        if (row < height + o.padding_h && column < width + o.padding_w) ++padded;
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const double v = xs[(n * height + row) * width + column];
        if (v > best) best = v, at = static_cast<double>(row * width + column);
        sum += v;
        ++inside;
      }
      r.maximum.push_back(best);
      r.index.push_back(at);
      r.average.push_back(sum / (o.count_include_pad ? padded : inside));
    }
  }
  return r;
}

}  // namespace

TEST_CASE("max_pool2d equals plain loops for random options, and its gradient goes to the maxima") {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    const Pool2dOptions o = random_options(Rng(seed), true);
    const Tensor x = random_tensor({2, 3, 8, 9}, Dtype::f64, seed);
    const auto [y, index] = max_pool2d_forward(x, o);
    CAPTURE(seed);
    CHECK(y.size(2) == plain_extent(8, o.kernel_h, o.stride_h, o.padding_h, o.dilation_h, o.ceil_mode));
    CHECK(y.size(3) == plain_extent(9, o.kernel_w, o.stride_w, o.padding_w, o.dilation_w, o.ceil_mode));
    const PlainPool plain = plain_pool(x, o, y.size(2), y.size(3));
    CHECK(max_difference(y, plain.maximum) == 0);
    CHECK(max_difference(index, plain.index) == 0);
    const Tensor dy = random_tensor(y.shape(), Dtype::f64, seed + 1000);
    std::vector<double> dx(x.numel());
    for (int64_t i = 0; i < y.numel(); ++i) {
      const int64_t plane = y.size(2) * y.size(3);
      if (plain.index[i] >= 0) dx[i / plane * 72 + static_cast<int64_t>(plain.index[i])] += to_vector<double>(dy)[i];
    }
    CHECK(max_difference(max_pool2d_backward(dy, index, x.shape()), dx) < 1e-13);
  }
}

TEST_CASE("avg_pool2d equals plain loops for random options, and its gradient is the transpose") {
  for (uint64_t seed = 0; seed < 80; ++seed) {
    const Pool2dOptions o = random_options(Rng(seed), false);
    const Tensor x = random_tensor({2, 3, 8, 9}, Dtype::f64, seed);
    const Tensor y = avg_pool2d(x, o);
    CAPTURE(seed);
    CHECK(max_difference(y, plain_pool(x, o, y.size(2), y.size(3)).average) < 1e-14);
    CHECK(max_difference(avg_pool2d(to(x, Dtype::f32), o), to_vector<double>(y)) < 1e-6);
    const Tensor dy = random_tensor(y.shape(), Dtype::f64, seed + 1000);
    CHECK(dot(y, dy) == doctest::Approx(dot(x, avg_pool2d_backward(dy, x.shape(), o))).epsilon(1e-12));
  }
}

TEST_CASE("avg_pool2d in ceil mode never counts what lies beyond the right padding") {
  // torch.nn.functional.avg_pool2d(torch.arange(1., 17).reshape(1, 1, 4, 4), 3, 2, ceil_mode=True)
  const Tensor x = reshape(arange(1, 17), {1, 1, 4, 4});
  const Pool2dOptions o{.kernel_h = 3, .kernel_w = 3, .ceil_mode = true};
  CHECK(max_difference(avg_pool2d(x, o), {6, 7.5, 12, 13.5}) < 1e-6);
}

// torch.nn.functional.max_pool2d(torch.ones(1, 1, 1, 2), (1, 3), (1, 2), ceil_mode=True) has the shape [1, 1, 1, 1].
TEST_CASE("in ceil mode one window may be larger than the padded input") {
  const Tensor x = from_vector(std::vector<float>{1, 3}, {1, 1, 1, 2});
  const Pool2dOptions o{.kernel_h = 1, .kernel_w = 3, .stride_h = 1, .stride_w = 2, .ceil_mode = true};
  const auto [y, index] = max_pool2d_forward(x, o);
  CHECK(y.shape() == Shape{1, 1, 1, 1});
  CHECK(y.item() == 3);
  CHECK(max_difference(max_pool2d_backward(ones({1, 1, 1, 1}), index, x.shape()), {0, 1}) == 0);
  CHECK(avg_pool2d(x, o).item() == 2);
  CHECK(max_difference(avg_pool2d_backward(ones({1, 1, 1, 1}), x.shape(), o), {0.5, 0.5}) == 0);
  // By a stride or more, there is none: floor((2 - 5 + 1) / 2) + 1 = 0.
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.kernel_h = 1, .kernel_w = 5, .stride_h = 1, .ceil_mode = true}),
                       doctest::Contains("width is 2 + 2 x 0 padding, kernel is 5"), Error);
}

// PyTorch's pooling_output_shape: floor((H + 2 p - d (k - 1) - 1 + (ceil ? s - 1 : 0)) / s) + 1, one less where the last window
// would start at H + p or behind it.
TEST_CASE("the output extent of a pooling is PyTorch's for every small combination") {
  for (int64_t extent = 1; extent <= 6; ++extent) {
    for (int64_t i = 0; i < 6 * 4 * 2 * 2; ++i) {
      const int64_t kernel = i % 6 + 1, stride = i / 6 % 4 + 1, dilation = i / 24 % 2 + 1;
      const bool ceil = i / 48 == 1;
      for (int64_t padding = 0; padding <= kernel / 2; ++padding) {
        const auto room = static_cast<double>(extent + 2 * padding - dilation * (kernel - 1) - 1 + (ceil ? stride - 1 : 0));
        auto expected = static_cast<int64_t>(std::floor(room / static_cast<double>(stride))) + 1;
        if (ceil && (expected - 1) * stride >= extent + padding) --expected;
        const Pool2dOptions o{.kernel_h = 1,
                              .kernel_w = kernel,
                              .stride_h = 1,
                              .stride_w = stride,
                              .padding_w = padding,
                              .dilation_w = dilation,
                              .ceil_mode = ceil};
        CAPTURE(extent);
        CAPTURE(kernel);
        CAPTURE(stride);
        CAPTURE(padding);
        CAPTURE(dilation);
        CAPTURE(ceil);
        const Tensor x = ones({1, 1, 1, extent});
        if (expected < 1) {
          CHECK_THROWS_WITH_AS(max_pool2d_forward(x, o), doctest::Contains("kernel larger than padded input"), Error);
        } else {
          CHECK(max_pool2d_forward(x, o).first.size(3) == expected);
        }
      }
    }
  }
}

TEST_CASE("adaptive_avg_pool2d averages overlapping cells, and its gradient is the transpose") {
  const Tensor x = reshape(arange(0, 15, 1, Dtype::f64), {1, 1, 3, 5});
  // Rows {0, 1} and {1, 2}; columns {0, 1}, {1, 2, 3}, {3, 4}.
  CHECK(max_difference(adaptive_avg_pool2d(x, 2, 3), {3, 4.5, 6, 8, 9.5, 11}) < 1e-12);
  CHECK(bit_equal(adaptive_avg_pool2d(x, 3, 5), x));
  for (const auto& [h, w] : {std::pair{1, 1}, {2, 3}, {3, 2}, {7, 6}}) {
    const Tensor dy = random_tensor({1, 1, h, w}, Dtype::f64, 5);
    const double expected = dot(adaptive_avg_pool2d(x, h, w), dy);
    CHECK(dot(x, adaptive_avg_pool2d_backward(dy, x.shape())) == doctest::Approx(expected).epsilon(1e-12));
  }
}

TEST_CASE("max_pool2d passes on NaN and -inf, and takes the first of equal maxima") {
  const float inf = std::numeric_limits<float>::infinity();
  const auto [y, index] = max_pool2d_forward(from_vector(std::vector<float>{1, NAN, 5, 5, 7, 0, 5, 5}, {1, 1, 2, 4}), {});
  CHECK(std::isnan(y.at({0, 0, 0, 0})));
  CHECK(max_difference(index, {1, 2}) == 0);
  const auto [low, at] = max_pool2d_forward(full({1, 1, 2, 2}, -inf), {});
  CHECK(low.item() == -inf);
  CHECK(at.item() == 0);
  // Dilation 3 reaches over both pixels of a row, from padding to padding.
  const Pool2dOptions o{.stride_h = 1, .stride_w = 1, .padding_w = 1, .dilation_w = 3};
  const auto [none, nowhere] = max_pool2d_forward(ones({1, 1, 2, 2}), o);
  CHECK(none.at({0, 0, 0, 0}) == -inf);
  CHECK(max_difference(max_pool2d_backward(ones(none.shape()), nowhere, {1, 1, 2, 2}), {0, 0, 0, 0}) == 0);
}

TEST_CASE("pooling of no images is no images") {
  const auto [y, index] = max_pool2d_forward(zeros({0, 3, 4, 4}), {});
  CHECK(y.shape() == Shape{0, 3, 2, 2});
  CHECK(max_pool2d_backward(y, index, {0, 3, 4, 4}).shape() == Shape{0, 3, 4, 4});
  CHECK(avg_pool2d(zeros({2, 0, 4, 4}), {}).shape() == Shape{2, 0, 2, 2});
  CHECK(adaptive_avg_pool2d(zeros({0, 3, 4, 4}), 1, 1).shape() == Shape{0, 3, 1, 1});
}

TEST_CASE("pooling has the same bits for 1, 2 and 4 threads") {
  const Tensor x = random_tensor({3, 40, 23, 23}, Dtype::f32, 1);
  const Pool2dOptions o{.kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1};
  testing::check_same_bits_for_any_threads([&] {
    const auto [y, index] = max_pool2d_forward(x, o);
    const Tensor a = avg_pool2d(x, o), c = adaptive_avg_pool2d(x, 5, 5);
    return std::vector<Tensor>{y, max_pool2d_backward(y, index, x.shape()),  a, avg_pool2d_backward(a, x.shape(), o),
                               c, adaptive_avg_pool2d_backward(c, x.shape())};
  });
}

TEST_CASE("pooling says with numbers what does not fit") {
  const Tensor x = zeros({1, 1, 3, 3});
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.kernel_h = 4}), doctest::Contains("height is 3 + 2 x 0 padding, kernel is 4"), Error);
  CHECK_THROWS_WITH_AS(max_pool2d_forward(x, {.dilation_w = 3}), doctest::Contains("(needs 4)"), Error);
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.padding_h = 2}), doctest::Contains("padding is 2 x 0, kernel is 2 x 2"), Error);
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.stride_w = 0}), doctest::Contains("stride is 2 x 0"), Error);
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.kernel_w = -1}), doctest::Contains("kernel is 2 x -1"), Error);
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.dilation_h = 2}), doctest::Contains("no dilation"), Error);
  CHECK_THROWS_WITH_AS(avg_pool2d(zeros({3, 3}), {}), doctest::Contains("x is [3, 3]"), Error);
  CHECK_THROWS_WITH_AS(adaptive_avg_pool2d(x, 0, 1), doctest::Contains("output is 0 x 1"), Error);
  CHECK_THROWS_WITH_AS(avg_pool2d_backward(zeros({1, 1, 2, 2}), x.shape(), {}), doctest::Contains("output is [1, 1, 1, 1]"),
                       Error);
  const Tensor index = full({1, 1, 1, 1}, 9, Dtype::i64);
  CHECK_THROWS_WITH_AS(max_pool2d_backward(ones({1, 1, 1, 1}), index, x.shape()), doctest::Contains("index is 9, H W is 9"),
                       Error);
}

}  // namespace vitrail
