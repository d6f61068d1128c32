// Resizing: golden values of PyTorch, and what must hold for every filter.
#include "tensor/ops/resize.h"

#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::dot;
using testing::max_difference;
using testing::random_tensor;

constexpr auto kNearest = Interpolation::kNearest;
constexpr auto kBilinear = Interpolation::kBilinear;
constexpr auto kBicubic = Interpolation::kBicubic;

std::vector<ResizeOptions> all_options() {
  return {{kNearest}, {kBilinear},      {kBilinear, true},      {kBilinear, false, true},
          {kBicubic}, {kBicubic, true}, {kBicubic, false, true}};
}

// The sizes in pixels plus 0.1, as the authors' DINO resamples position embeddings.
ResizeOptions offset(Interpolation mode, double h, double w, double out_h, double out_w) {
  return {.mode = mode, .scale_h = (out_h + 0.1) / h, .scale_w = (out_w + 0.1) / w};
}

const std::vector<std::pair<int64_t, int64_t>> kSizes = {{1, 1}, {2, 3}, {5, 7}, {6, 6}, {13, 4}, {20, 31}};

struct Golden {
  ResizeOptions options;
  std::vector<double> smaller, larger;  // 2 x 3 and 4 x 5
};

// x = torch.tensor([[1, 4, 2, 8], [5, 7, 1, 3], [0, 6, 9, 2]], dtype=torch.float64)[None, None]
// torch.nn.functional.interpolate(x, size=size, mode=mode, align_corners=..., antialias=...)   (PyTorch 1.13.1)
const std::vector<Golden> kGolden = {
    {{kBilinear},
     {2.45833333, 3.25, 5.91666667, 2.08333333, 6.625, 3.04166667},
     {1, 3.1, 3, 3.8, 8, 3.5, 5.1625, 3.625, 2.425, 4.875, 3.125, 5.575, 5.3125, 3.5875, 2.625, 0, 4.2, 7.5, 6.9, 2}},
    {{kBilinear, true},
     {1, 3, 8, 0, 7.5, 2},
     {1,          3.25,       3,          3.5,        8,          3.66666667, 5.41666667, 3.66666667, 2.16666667, 4.66666667,
      3.33333333, 5.83333333, 5.16666667, 3.41666667, 2.66666667, 0,          4.5,        7.5,        7.25,       2}},
    {{kBilinear, false, true},
     {3.2875, 3.375, 4.775, 3.225, 6.1875, 3.4625},
     {1, 3.1, 3, 3.8, 8, 3.5, 5.1625, 3.625, 2.425, 4.875, 3.125, 5.575, 5.3125, 3.5875, 2.625, 0, 4.2, 7.5, 6.9, 2}},
    {{kBicubic},
     {2.51583749, 2.84313965, 6.06993725, 1.98519784, 7.69470215, 2.79719148},
     {0.52628015, 3.11648828, 2.62678528, 3.63703467, 8.74082861, 3.99121558,  6.10447473, 3.0198822,  1.10586755, 5.18075427,
      3.43530408, 6.39212866, 5.84117126, 2.95110815, 1.98811304, -0.74082861, 3.77214807, 9.05744934, 7.84295691, 1.46372839}},
    {{kBicubic, true},
     {1, 2.71875, 8, 0, 8.71875, 2},
     {1,          3.53125,    2.71875,    3.1484375, 8,          4.2962963, 6.34837963, 3.07233796, 0.7854456,  4.68518519,
      3.87037037, 6.68612558, 5.62789352, 2.7370515, 2.12962963, 0,         4.32421875, 8.71875,    7.73046875, 2}},
    {{kBicubic, false, true},
     {3.43074222, 3.12245623, 4.84920166, 3.0548391, 6.61713345, 3.12289027},
     {0.65897675, 3.11426628, 2.75046642, 3.66721772, 8.52985075, 3.76726542,  5.72925304, 3.25420954, 1.60338668, 5.11484943,
      3.26630298, 6.08475084, 5.69293732, 3.24740279, 2.20500378, -0.52985075, 3.95789352, 8.53777985, 7.56861114, 1.62453358}},
};

}  // namespace

TEST_CASE("resize gives PyTorch's values") {
  const Tensor x = from_vector(std::vector<double>{1, 4, 2, 8, 5, 7, 1, 3, 0, 6, 9, 2}, {3, 4});
  for (const Golden& golden : kGolden) {
    CAPTURE(static_cast<int>(golden.options.mode));
    CAPTURE(golden.options.align_corners);
    CAPTURE(golden.options.antialias);
    CHECK(max_difference(resize(x, 2, 3, golden.options), golden.smaller) < 1e-8);
    CHECK(max_difference(resize(x, 4, 5, golden.options), golden.larger) < 1e-8);
    CHECK(max_difference(resize(to(x, Dtype::f32), 4, 5, golden.options), golden.larger) < 2e-6);
  }
}

// torch.nn.functional.interpolate(x, scale_factor=((h + 0.1) / 3, (w + 0.1) / 4), mode=mode)   (PyTorch 2.13.0), x as above
TEST_CASE("resize with a scale of its own gives PyTorch's values") {
  const Tensor x = from_vector(std::vector<double>{1, 4, 2, 8, 5, 7, 1, 3, 0, 6, 9, 2}, {3, 4});
  CHECK(max_difference(resize(x, 2, 3, offset(kBilinear, 3, 4, 2, 3)),
                       {2.26152074, 3.39861751, 5.51843318, 2.44930876, 6.26382488, 3.39516129}) < 1e-8);
  CHECK(max_difference(resize(x, 4, 5, offset(kBilinear, 3, 4, 4, 5)),
                       {1,          3.02941176, 3.07843137, 3.47058824, 8,          3.3902439, 5.01542324,
                        3.7697274,  2.28718317, 5.01219512, 3.35365854, 5.59756098, 5.2715208, 3.3980153,
                        2.67073171, 0,          4.05882353, 7.38235294, 7.28431373, 2}) < 1e-8);
  CHECK(max_difference(resize(x, 2, 3, offset(kBicubic, 3, 4, 2, 3)),
                       {2.26949878, 3.1541582, 5.57282851, 2.51738805, 7.20336175, 3.07248996}) < 1e-8);
  CHECK(max_difference(resize(x, 4, 5, offset(kBicubic, 3, 4, 4, 5)),
                       {0.50030114, 3.02669154,  2.76736802, 3.29345209, 8.50808855, 3.84989705, 5.93990769,
                        3.27814958, 0.96615127,  5.15551153, 3.69078,    6.47586915, 5.77937509, 2.71552516,
                        2.1083627,  -0.59827445, 3.7118816,  8.74418882, 8.04387837, 1.80667136}) < 1e-8);
  const Tensor image = random_tensor({2, 6, 7}, Dtype::f64, 2);
  CHECK(bit_equal(resize(image, 12, 7, {.mode = kBicubic, .scale_h = 2}), resize(image, 12, 7, {.mode = kBicubic})));
}

TEST_CASE("nearest resize takes pixel floor(i in / out)") {
  const Tensor x = arange(0, 5);
  CHECK(max_difference(resize(unsqueeze(x, 0), 1, 3, {kNearest}), {0, 1, 3}) == 0);
  CHECK(max_difference(resize(unsqueeze(x, 0), 1, 7, {kNearest}), {0, 0, 1, 2, 2, 3, 4}) == 0);
}

TEST_CASE("resize to the same size is the identity to the bit, beside an infinity too") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = random_tensor({2, 3, 6, 7}, dtype, 1);
    for (const ResizeOptions& o : all_options()) CHECK(bit_equal(resize(x, 6, 7, o), x));
  }
  Tensor x = random_tensor({6, 7}, Dtype::f32, 1);
  x.mutable_data<float>()[17] = std::numeric_limits<float>::infinity();
  for (const ResizeOptions& o : all_options()) CHECK(bit_equal(resize(x, 6, 7, o), x));
}

TEST_CASE("resize of a constant image is that constant: weights sum to one") {
  for (const ResizeOptions& o : all_options()) {
    for (const auto& [h, w] : kSizes) {
      CHECK(max_difference(resize(full({6, 7}, 3, Dtype::f64), h, w, o), std::vector<double>(h * w, 3.0)) < 1e-13);
    }
  }
}

TEST_CASE("resize keeps a linear ramp linear: corner to corner, and between pixel centres away from the border") {
  const Tensor ramp = expand(arange(0, 9, 1, Dtype::f64), {2, 9});
  const std::vector<double> row = to_vector<double>(linspace(0, 8, 25, Dtype::f64));
  CHECK(max_difference(resize(slice(ramp, 0, 0, 1), 1, 25, {kBilinear, true}), row) < 1e-13);
  // Of the cubic kernels only that of a = -0.5 (antialias) reproduces straight lines.
  for (const ResizeOptions& o : {ResizeOptions{kBilinear}, ResizeOptions{kBicubic, false, true}}) {
    const Tensor y = resize(ramp, 2, 27, o);
    for (int64_t i = 6; i < 21; ++i) CHECK(y.at({0, i}) == doctest::Approx((static_cast<double>(i) + 0.5) / 3 - 0.5));
  }
}

TEST_CASE("resize_backward is the transpose of resize") {
  for (const ResizeOptions& o : all_options()) {
    for (const auto& [h, w] : kSizes) {
      const Tensor x = random_tensor({2, 6, 7}, Dtype::f64, 2), dy = random_tensor({2, h, w}, Dtype::f64, 3);
      const double expected = dot(resize(x, h, w, o), dy);
      CHECK(dot(x, resize_backward(dy, x.shape(), o)) == doctest::Approx(expected).epsilon(1e-12));
    }
  }
  const ResizeOptions scaled = offset(kBicubic, 6, 7, 9, 4);
  const Tensor x = random_tensor({2, 6, 7}, Dtype::f64, 2), dy = random_tensor({2, 9, 4}, Dtype::f64, 3);
  CHECK(dot(x, resize_backward(dy, x.shape(), scaled)) == doctest::Approx(dot(resize(x, 9, 4, scaled), dy)).epsilon(1e-12));
}

TEST_CASE("resize takes transposed images, and no images") {
  const Tensor x = random_tensor({5, 4, 3}, Dtype::f32, 4);
  CHECK(bit_equal(resize(transpose(x, 0, 2), 7, 7), resize(contiguous(transpose(x, 0, 2)), 7, 7)));
  CHECK(resize(zeros({0, 3, 4, 4}), 8, 9).shape() == Shape{0, 3, 8, 9});
  CHECK(resize_backward(zeros({0, 8, 9}), {0, 4, 4}, {}).shape() == Shape{0, 4, 4});
}

TEST_CASE("resize has the same bits for 1, 2 and 4 threads") {
  const Tensor x = random_tensor({3, 50, 70}, Dtype::f32, 5), dy = random_tensor({3, 200, 90}, Dtype::f32, 6);
  for (const ResizeOptions& o : all_options()) {
    testing::check_same_bits_for_any_threads([&] {
      return std::vector<Tensor>{resize(x, 200, 90, o), resize_backward(dy, x.shape(), o)};
    });
  }
}

TEST_CASE("resize refuses empty images and options that exclude each other") {
  const Tensor x = zeros({2, 3, 4});
  CHECK_THROWS_WITH_AS(resize(x, 0, 4), doctest::Contains("x is [2, 3, 4], output is 0 x 4"), Error);
  CHECK_THROWS_WITH_AS(resize(zeros({2, 0}), 1, 1), doctest::Contains("x is [2, 0]"), Error);
  CHECK_THROWS_WITH_AS(resize(zeros({2}), 1, 1), doctest::Contains("needs [..., H, W]: x is [2]"), Error);
  CHECK_THROWS_WITH_AS(resize(x, 4, 4, {kNearest, true}), doctest::Contains("align_corners is 1"), Error);
  CHECK_THROWS_WITH_AS(resize(x, 4, 4, {kNearest, false, true}), doctest::Contains("antialias is 1"), Error);
  CHECK_THROWS_WITH_AS(resize(x, 4, 4, {kBicubic, true, true}), doctest::Contains("exclude each other"), Error);
  for (const ResizeOptions& o :
       {ResizeOptions{kNearest, false, false, 2, 2}, {kBilinear, true, false, 2, 2}, {kBicubic, false, true, 2, 2}}) {
    CHECK_THROWS_WITH_AS(resize(x, 6, 8, o),
                         doctest::Contains("a scale excludes kNearest, align_corners and antialias: it is 2. Hint"), Error);
  }
  const double not_a_number = std::numeric_limits<double>::quiet_NaN();
  for (const double scale : {-2.0, 1.9, 2.4, 1e300, not_a_number}) {
    CHECK_THROWS_WITH_AS(resize(x, 6, 8, {.mode = kBicubic, .scale_w = scale}),
                         doctest::Contains("floor(extent * scale) must be the output's extent: extent is 4, scale is"), Error);
  }
  CHECK_THROWS_WITH_AS(resize(zeros({4, 4}, Dtype::u8), 2, 2), doctest::Contains("needs a float tensor"), Error);
  CHECK_THROWS_WITH_AS(resize_backward(zeros({3, 5, 5}), x.shape(), {}), doctest::Contains("dy is [3, 5, 5], x is [2, 3, 4]"),
                       Error);
}

}  // namespace vitrail
