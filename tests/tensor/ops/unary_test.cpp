// Functions of one tensor: values against the C library in double, far ends, NaN.
#include <functional>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/rng.h"
#include "tensor/view.h"
#include "tests/support/kernel_test.h"

namespace vitrail {
namespace {

using testing::max_difference;
using testing::random_tensor;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double normal_cdf_of(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

struct UnaryCase {
  const char* name;
  std::function<Tensor(const Tensor&)> fn;
  std::function<double(double)> exact;
  double low, high;
};

std::vector<UnaryCase> unary_cases() {
  return {
      {"neg", [](const Tensor& x) { return neg(x); }, [](double x) { return -x; }, -9, 9},
      {"abs", [](const Tensor& x) { return abs(x); }, [](double x) { return std::abs(x); }, -9, 9},
      {"square", [](const Tensor& x) { return square(x); }, [](double x) { return x * x; }, -9, 9},
      {"exp", [](const Tensor& x) { return exp(x); }, [](double x) { return std::exp(x); }, -20, 9},
      {"log", [](const Tensor& x) { return log(x); }, [](double x) { return std::log(x); }, 1e-3, 90},
      {"sqrt", [](const Tensor& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, 0, 90},
      {"rsqrt", [](const Tensor& x) { return rsqrt(x); }, [](double x) { return 1 / std::sqrt(x); }, 1e-3, 90},
      {"reciprocal", [](const Tensor& x) { return reciprocal(x); }, [](double x) { return 1 / x; }, 0.1, 9},
      {"sin", [](const Tensor& x) { return sin(x); }, [](double x) { return std::sin(x); }, -9, 9},
      {"cos", [](const Tensor& x) { return cos(x); }, [](double x) { return std::cos(x); }, -9, 9},
      {"tanh", [](const Tensor& x) { return tanh(x); }, [](double x) { return std::tanh(x); }, -9, 9},
      {"erf", [](const Tensor& x) { return erf(x); }, [](double x) { return std::erf(x); }, -5, 5},
      {"floor", [](const Tensor& x) { return floor(x); }, [](double x) { return std::floor(x); }, -9, 9},
      {"ceil", [](const Tensor& x) { return ceil(x); }, [](double x) { return std::ceil(x); }, -9, 9},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }, sigmoid_of, -30, 30},
      {"softplus", [](const Tensor& x) { return softplus(x); },
       [](double x) { return std::log1p(std::exp(-std::abs(x))) + std::max(x, 0.0); }, -30, 30},
      {"relu", [](const Tensor& x) { return relu(x); }, [](double x) { return std::max(x, 0.0); }, -9, 9},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.1); }, [](double x) { return x > 0 ? x : 0.1 * x; }, -9, 9},
      {"elu", [](const Tensor& x) { return elu(x, 2); }, [](double x) { return x > 0 ? x : 2 * std::expm1(x); }, -9, 9},
      {"silu", [](const Tensor& x) { return silu(x); }, [](double x) { return x * sigmoid_of(x); }, -30, 30},
      {"clamp", [](const Tensor& x) { return clamp(x, -1, 2); }, [](double x) { return std::clamp(x, -1.0, 2.0); }, -9, 9},
  };
}

TEST_CASE("every unary function agrees with the C library, in f32 and f64, contiguous or not") {
  for (const UnaryCase& c : unary_cases()) {
    CAPTURE(c.name);
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = transpose(rand_uniform({61, 67}, c.low, c.high, Rng(5), dtype));
      const std::vector<double> in = to_vector<double>(x), out = to_vector<double>(c.fn(x));
      double worst = 0;
      for (size_t i = 0; i < in.size(); ++i) {
        const double want = c.exact(in[i]);
        worst = std::max(worst, std::abs(out[i] - want) / (std::abs(want) + 1e-3));
      }
      CHECK(worst < (dtype == Dtype::f32 ? 1e-6 : 1e-13));
    }
  }
}

TEST_CASE("every unary function keeps the shape of empty tensors and scalars") {
  for (const UnaryCase& c : unary_cases()) {
    CAPTURE(c.name);
    CHECK(c.fn(zeros({2, 0, 3})).shape() == Shape{2, 0, 3});
    CHECK(c.fn(ones({})).shape() == Shape{});
  }
}

TEST_CASE("every unary function lets NaN through") {
  for (const UnaryCase& c : unary_cases()) {
    CAPTURE(c.name);
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) CHECK(sum(isnan(c.fn(full({37}, kNan, dtype)))).item() == 37);
  }
  CHECK(sum(isnan(sign(full({3}, kNan)))).item() == 3);
  CHECK(sum(isnan(round(full({3}, kNan)))).item() == 3);
}

TEST_CASE("squashing functions are finite at plus and minus 1e4 and 3e38") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    for (const double far : {1e4, 3e38}) {
      const Tensor x = from_vector(std::vector<double>{far, -far}, {2}), y = to(x, dtype);
      CHECK(max_difference(sigmoid(y), {1, 0}) == 0);
      CHECK(max_difference(tanh(y), {1, -1}) == 0);
      CHECK(max_difference(erf(y), {1, -1}) == 0);
      CHECK(max_difference(softplus(y), {y.at({0}), 0}) == 0);
      CHECK(max_difference(silu(y), {y.at({0}), 0}) == 0);
      CHECK(max_difference(elu(y), {y.at({0}), -1}) == 0);
      CHECK(exp(y).at({1}) == 0);
    }
  }
}

TEST_CASE("silu, softplus and gelu have their limits at infinity") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = to(from_vector(std::vector<float>{INFINITY, -INFINITY}, {2}), dtype);
    const std::vector<double> want = {std::numeric_limits<double>::infinity(), 0};
    CHECK(max_difference(silu(x), want) == 0);
    CHECK(max_difference(softplus(x), want) == 0);
    for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) CHECK(max_difference(gelu(x, kind), want) == 0);
  }
}

TEST_CASE("sign of zero is zero and round goes half to even") {
  const Tensor x = from_vector(std::vector<float>{-2.5f, -0.5f, 0, 0.5f, 1.5f, 2.5f}, {6});
  CHECK(max_difference(sign(x), {-1, -1, 0, 1, 1, 1}) == 0);
  CHECK(max_difference(round(x), {-2, 0, 0, 0, 2, 2}) == 0);
}

TEST_CASE("integers have abs, sign, square, relu and clamp, with bounds beyond the type ignored") {
  const Tensor x = from_vector(std::vector<int64_t>{-3, 0, 5}, {3});
  CHECK(max_difference(abs(x), {3, 0, 5}) == 0);
  CHECK(max_difference(sign(x), {-1, 0, 1}) == 0);
  CHECK(max_difference(square(x), {9, 0, 25}) == 0);
  CHECK(max_difference(relu(x), {0, 0, 5}) == 0);
  CHECK(max_difference(clamp(x, -1e300, 2), {-3, 0, 2}) == 0);
  CHECK(to_vector<uint8_t>(clamp(to(relu(x), Dtype::u8), 300, 400)) == std::vector<uint8_t>{255, 255, 255});
}

// GELU and its derivative in double, from their definitions.
std::pair<double, double> gelu_of(double x, Gelu kind) {
  if (kind == Gelu::kExact) {
    const double phi = std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
    return {x * normal_cdf_of(x), normal_cdf_of(x) + x * phi};
  }
  const double c = std::sqrt(2 / M_PI), u = kind == Gelu::kTanh ? 2 * c * (x + 0.044715 * x * x * x) : 1.702 * x;
  const double slope = kind == Gelu::kTanh ? 2 * c * (1 + 3 * 0.044715 * x * x) : 1.702;
  const double s = sigmoid_of(u);
  return {x * s, s + x * s * sigmoid_of(-u) * slope};
}

TEST_CASE("gelu and its derivative are within 5e-7 of their definitions in f32 and 1e-14 in f64") {
  for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
    CAPTURE(static_cast<int>(kind));
    for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
      const Tensor x = linspace(-12, 12, 100001, dtype);
      const std::vector<double> in = to_vector<double>(x), value = to_vector<double>(gelu(x, kind)),
                                slope = to_vector<double>(gelu_backward(ones_like(x), x, kind));
      double worst = 0;
      for (size_t i = 0; i < in.size(); ++i) {
        const auto [want, want_slope] = gelu_of(in[i], kind);
        const double scale = std::max(1.0, std::abs(in[i]));
        worst = std::max({worst, std::abs(value[i] - want) / scale, std::abs(slope[i] - want_slope) / scale});
      }
      CHECK(worst < (dtype == Dtype::f32 ? 5e-7 : 1e-14));
    }
  }
}

TEST_CASE("gelu and its gradient are finite far out, and the gradient carries dy") {
  for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
    for (const double far : {1e4, 3e38}) {
      const Tensor x = from_vector(std::vector<float>{static_cast<float>(far), static_cast<float>(-far)}, {2});
      CHECK(max_difference(gelu(x, kind), {x.at({0}), 0}) == 0);
      CHECK(max_difference(gelu_backward(full({2}, 3), x, kind), {3, 0}) == 0);
    }
    CHECK(sum(isnan(gelu(full({5}, kNan), kind))).item() == 5);
    CHECK(sum(isnan(gelu_backward(ones({5}), full({5}, kNan), kind))).item() == 5);
  }
}

TEST_CASE("gelu reads tensors of any strides") {
  const Tensor x = random_tensor({7, 5}, Dtype::f32, 3), dy = random_tensor({5, 7}, Dtype::f32, 4);
  CHECK(bit_equal(gelu(transpose(x)), gelu(contiguous(transpose(x)))));
  CHECK(bit_equal(gelu_backward(dy, transpose(x)), gelu_backward(dy, contiguous(transpose(x)))));
}

TEST_CASE("gelu_backward has the same bits for strided, expanded and contiguous operands, at every length") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
      for (const int64_t n : {1, 3, 7, 16, 31, 33, 100}) {
        const Tensor x = rand_normal({n, 5}, 0, 2, Rng(21), dtype), dy = rand_normal({5, n}, 0, 1, Rng(22), dtype);
        const Tensor column = rand_normal({5, 1}, 0, 1, Rng(23), dtype), wide = expand(column, {5, n});
        CHECK(bit_equal(gelu_backward(dy, transpose(x), kind), gelu_backward(dy, contiguous(transpose(x)), kind)));
        CHECK(bit_equal(gelu_backward(wide, transpose(x), kind), gelu_backward(contiguous(wide), contiguous(transpose(x)), kind)));
      }
    }
  }
}


}  // namespace
}  // namespace vitrail
