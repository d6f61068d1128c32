// NaN, infinities, zeros of both signs, the smallest and the largest numbers: what the headers promise of them (PyTorch's
// rules).
#include "tensor/ops.h"
#include "tests/support/plain_test.h"

namespace vitrail {
namespace {

using testing::max_difference;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

// 32 numbers, those of the dtype's own borders among them.
template <class T>
std::vector<double> special_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<double> values = {kNan, kNan};
  for (const double v : {kInfinity, static_cast<double>(Limits::max()), static_cast<double>(Limits::min()),
                         static_cast<double>(Limits::denorm_min()), static_cast<double>(Limits::epsilon()), 0.0, 0.5, 1.0, 2.0,
                         3.0, 15.0, 20.0, 88.0, 1e4, 1e20}) {
    values.push_back(v), values.push_back(-v);
  }
  return values;
}

Tensor special_tensor(Dtype dtype) {
  const std::vector<double> values = dtype == Dtype::f32 ? special_values<float>() : special_values<double>();
  return to(from_vector(values, {static_cast<int64_t>(values.size())}), dtype);
}

// The rules, in double: exact, since each returns one of its operands.
double larger(double a, double b) { return a != a || b != b ? kNan : std::max(a, b); }
double smaller(double a, double b) { return a != a || b != b ? kNan : std::min(a, b); }

TEST_CASE("maximum, minimum, max, min, relu and clamp give NaN for NaN and follow their formula at 32 special values") {
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = special_tensor(dtype);
    const std::vector<double> v = to_vector<double>(x);
    const auto n = static_cast<int64_t>(v.size());
    REQUIRE(n == 32);
    std::vector<double> high, low, clamped, relus;
    for (const double a : v) {
      relus.push_back(larger(a, 0));
      for (const double b : v) high.push_back(larger(a, b)), low.push_back(smaller(a, b));
    }
    const Tensor column = reshape(x, {n, 1});
    CHECK(max_difference(maximum(column, x), high) == 0);
    CHECK(max_difference(minimum(column, x), low) == 0);
    CHECK(max_difference(relu(x), relus) == 0);
    const Tensor pairs = stack({expand(column, {n, n}), expand(x, {n, n})}, 2);
    CHECK(max_difference(max(pairs, {2}), high) == 0);
    CHECK(max_difference(min(pairs, {2}), low) == 0);
    for (const double a : v) {
      for (const double b : v) {
        clamped.clear();
        for (const double value : v) clamped.push_back(smaller(larger(value, a), b));
        CHECK(max_difference(clamp(x, a, b), clamped) == 0);
        CHECK(max_difference(clamp(x, scalar(a, dtype), scalar(b, dtype)), clamped) == 0);
      }
    }
  }
}

TEST_CASE("argmax, argmin and max_pool2d find a NaN wherever it stands") {
  for (int64_t place = 0; place < 9; ++place) {
    Tensor x = testing::random_tensor({9}, Dtype::f32, 1);
    fill_(select(x, 0, place), kNan);
    CHECK(argmax(x).item() == static_cast<double>(place));
    CHECK(argmin(x).item() == static_cast<double>(place));
    const auto [y, index] = max_pool2d_forward(reshape(x, {1, 1, 3, 3}), {.kernel_h = 3, .kernel_w = 3});
    CHECK(std::isnan(y.item()));
    CHECK(index.item() == static_cast<double>(place));
  }
}

// The same pattern of NaN and infinity, and finite values within a few roundings of f32 (f64: of f64) of each other.
void check_alike(const Tensor& fast, const Tensor& plain) {
  const std::vector<double> a = to_vector<double>(fast), b = to_vector<double>(plain);
  const double relative = fast.dtype() == Dtype::f32 ? 2e-6 : 1e-14;
  const auto tiny = static_cast<double>(std::numeric_limits<float>::min());  // below, fast_exp may give zero
  for (size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    if (std::isfinite(a[i]) && std::isfinite(b[i])) {
      CHECK(std::abs(a[i] - b[i]) <= relative * std::abs(b[i]) + tiny);
    } else {
      CHECK((a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]))));
    }
  }
}

TEST_CASE("functions of one tensor equal the C++ library's at 32 special values") {
  using Unary = Tensor (*)(const Tensor&);
  const std::pair<const char*, Unary> functions[] = {{"exp", exp},           {"log", log},  {"sqrt", sqrt},
                                                     {"tanh", tanh},         {"erf", erf},  {"sigmoid", sigmoid},
                                                     {"softplus", softplus}, {"silu", silu}};
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    const Tensor x = special_tensor(dtype);
    for (const auto& [title, fn] : functions) {
      const std::string name = title;  // clang 14 captures no structured binding
      CAPTURE(name);
      const Tensor fast = fn(x);
      const PlainGuard guard("elementwise");
      check_alike(fast, fn(x));
    }
    for (const Gelu kind : {Gelu::kExact, Gelu::kTanh, Gelu::kQuick}) {
      CAPTURE(static_cast<int>(kind));
      const Tensor fast = gelu(x, kind), slope = gelu_backward(ones_like(x), x, kind);
      const PlainGuard guard("gelu");
      const Tensor plain = gelu(x, kind), plain_slope = gelu_backward(ones_like(x), x, kind);
      CHECK(max_difference(isnan(fast), to_vector<double>(isnan(plain))) == 0);
      CHECK(max_difference(isnan(slope), to_vector<double>(isnan(plain_slope))) == 0);
      CHECK(max_difference(isfinite(fast), to_vector<double>(isfinite(plain))) == 0);
      CHECK(max_difference(slope, to_vector<double>(plain_slope)) < 1e-5);
    }
  }
}

}  // namespace
}  // namespace vitrail
