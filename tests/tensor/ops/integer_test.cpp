// Integers are exact over their whole range: none goes through a double, which has gaps from 2^53 on.
#include <array>

#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/cases.h"
#include "tests/support/kernel_test.h"
#include "tests/support/scratch_folder.h"

namespace vitrail {
namespace {

using testing::case_path;
using testing::refuses;

using Integers = std::vector<int64_t>;
constexpr int64_t kOdd = (int64_t{1} << 53) + 1;  // no double
constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();

Tensor integers(const Integers& values) { return from_vector(values, {static_cast<int64_t>(values.size())}); }
Tensor integer(int64_t value) { return from_vector(Integers{value}, Shape{}); }

TEST_CASE("clamp with integer bounds is exact, and without one it bounds one side") {
  const Tensor x = integers({0, kHigh, kLow});
  CHECK(to_vector<int64_t>(clamp(x, integer(kOdd), integer(kHigh - 1))) == Integers{kOdd, kHigh - 1, kOdd});
  CHECK(to_vector<int64_t>(clamp(x, {}, integer(-kOdd))) == Integers{-kOdd, -kOdd, kLow});
  CHECK(to_vector<int64_t>(clamp(x, integer(-kOdd), {})) == Integers{0, kHigh, -kOdd});
  CHECK(to_vector<int64_t>(clamp(x, Tensor(), Tensor())) == Integers{0, kHigh, kLow});
  CHECK(clamp(x, Tensor(), Tensor()).storage() != x.storage());
  CHECK(refuses([&] { clamp(x, scalar(1), {}); }, ErrorKind::kValue, "bounds are of x's dtype: x is i64, low is f32"));
}

TEST_CASE("clamp with low above high gives high, and integers stay between bounds that are none") {
  const Tensor x = from_vector(std::vector<float>{-2, 0, 6}, {3});
  CHECK(to_vector<float>(clamp(x, 2, 1)) == std::vector<float>{1, 1, 1});
  CHECK(to_vector<float>(clamp(x, scalar(2), scalar(1))) == std::vector<float>{1, 1, 1});
  const Tensor i = integers({-5, 0, 1, 2, 5});
  CHECK(to_vector<int64_t>(clamp(i, 2, 1)) == Integers{1, 1, 1, 1, 1});
  CHECK(to_vector<int64_t>(clamp(i, 0.5, 2.5)) == Integers{1, 1, 1, 2, 2});
  CHECK(to_vector<int64_t>(clamp(i, -2.5, -0.5)) == Integers{-2, -1, -1, -1, -1});
  CHECK(refuses([&] { clamp(i, NAN, 1); }, ErrorKind::kValue, "a bound of integers is a number: low is nan"));
}

TEST_CASE("pad fills with exact integers") {
  CHECK(to_vector<int64_t>(pad(integers({1}), {1}, {2}, integer(kOdd))) == Integers{kOdd, 1, kOdd, kOdd});
  CHECK(to_vector<int64_t>(pad(integers({1, 2, 3}), {-1}, {1}, integer(kLow + 1))) == Integers{2, 3, kLow + 1});
  CHECK(refuses([] { pad(integers({1}), {1}, {1}, scalar(2)); }, ErrorKind::kValue, "value is f32 [], x is i64"));
  CHECK(refuses([] { pad(integers({1}), {1}, {1}, integers({1, 2})); }, ErrorKind::kValue, "one element of x's dtype"));
}

TEST_CASE("pow of integers is exact, wraps, and knows negative exponents of 1 and -1") {
  CHECK(to_vector<int64_t>(pow(integers({3, 7, -3}), integers({39, 22, 39}))) ==
        Integers{4052555153018976267, 3909821048582988049, -4052555153018976267});
  CHECK(to_vector<int64_t>(pow(integers({1, -1, -1, 2, 0}), integers({-5, -5, -4, -1, -1}))) == Integers{1, -1, 1, 0, 0});
  CHECK(to_vector<int64_t>(pow(integers({kOdd}), 1)) == Integers{kOdd});
}

TEST_CASE("arange of integers is exact beyond 2^53, up to both ends of the range") {
  const auto start = static_cast<double>(int64_t{1} << 53);
  CHECK(to_vector<int64_t>(arange(start, start + 4, 1, Dtype::i64)) == Integers{kOdd - 1, kOdd, kOdd + 1, kOdd + 2});
  CHECK(to_vector<int64_t>(arange(-0x1p63, 0x1p62, 0x1p62, Dtype::i64)) == Integers{kLow, kLow / 2, 0});
  CHECK(to_vector<int64_t>(arange(-0x1p63, 0x1p63, 0x1.8p63, Dtype::i64)) == Integers{kLow, int64_t{1} << 62});
  CHECK(to_vector<uint8_t>(arange(250, 256, 2, Dtype::u8)) == std::vector<uint8_t>{250, 252, 254});
  CHECK(to_vector<int64_t>(arange(0.5, 3, 1, Dtype::i64)) == Integers{0, 1, 2});
  CHECK(refuses([] { arange(250, 260, 1, Dtype::u8); }, ErrorKind::kValue,
                "u8 does not hold all numbers: the first is 250, the last 259"));
  CHECK(refuses([] { arange(0x1p63, 0x1.8p63, 0x1p62, Dtype::i64); }, ErrorKind::kValue, "i64 does not hold"));
}

TEST_CASE("arange needs finite numbers and ends before its end") {
  const double inf = INFINITY, nan = NAN;
  using Numbers = std::array<double, 3>;
  for (const Numbers& n : {Numbers{0, inf, 1}, Numbers{0, nan, 1}, Numbers{-inf, 0, 1}, Numbers{0, 5, inf}, Numbers{0, 5, nan},
                           Numbers{0, 5, 0}, Numbers{nan, 5, 1}}) {
    CHECK(refuses([&] { arange(n[0], n[1], n[2]); }, ErrorKind::kValue, "all three are finite numbers"));
  }
  CHECK(to_vector<float>(arange(0, 1, 0.25)) == std::vector<float>{0, 0.25, 0.5, 0.75});
  CHECK(arange(0, 5, -1).numel() == 0);
}

TEST_CASE("cumsum of u8 widens to i64, as sum does, and i64 wraps") {
  const Tensor bytes = from_vector(std::vector<uint8_t>{200, 100}, {2});
  CHECK(cumsum(bytes, 0).dtype() == Dtype::i64);
  CHECK(to_vector<int64_t>(cumsum(bytes, 0)) == Integers{200, 300});
  CHECK(to_vector<int64_t>(cumsum(integers({kHigh, 1, kOdd}), 0)) == Integers{kHigh, kLow, kLow + kOdd});
  CHECK(cumsum(zeros({2, 0}, Dtype::u8), 1).dtype() == Dtype::i64);
}

TEST_CASE("one_hot, sum, max, where, gather and index_add keep every integer") {
  const Tensor x = integers({kOdd, -kOdd, kHigh});
  CHECK(to_vector<int64_t>(one_hot(integers({1}), 2, Dtype::i64)) == Integers{0, 1});
  CHECK(to_vector<int64_t>(sum(integers({kOdd, 1}))) == Integers{kOdd + 1});
  CHECK(to_vector<int64_t>(max(x)) == Integers{kHigh});
  CHECK(to_vector<int64_t>(min(x)) == Integers{-kOdd});
  CHECK(to_vector<int64_t>(where(less(x, integer(0)), integer(kOdd + 2), x)) == Integers{kOdd, kOdd + 2, kHigh});
  CHECK(to_vector<int64_t>(gather(x, 0, integers({0, 0}))) == Integers{kOdd, kOdd});
  CHECK(to_vector<int64_t>(index_add({1}, 0, integers({0, 0}), integers({kOdd, 1}))) == Integers{kOdd + 1});
}

Tensor input(const SafetensorsFile& file, const std::string& name) {
  for (const auto& [key, tensor] : file.tensors) {
    if (key == name) return tensor;
  }
  return {};
}

TEST_CASE("the inputs that once lost integers give the right ones") {
  const auto load = [](const char* name) {
    const auto path = case_path(cat("numerics/", name, ".safetensors"));
    return path.empty() ? SafetensorsFile{} : load_safetensors(path.string());
  };
  if (case_path("numerics").empty()) return;
  const SafetensorsFile bound = load("clamp_bound"), fill = load("pad_value"), power = load("pow_i64"),
                        bytes = load("cumsum_u8"), crossed = load("clamp_low_high");
  CHECK(to_vector<int64_t>(clamp(input(bound, "input.0"), input(bound, "input.1"), input(bound, "input.2"))) == Integers{kOdd});
  CHECK(to_vector<int64_t>(pad(input(fill, "input.0"), {0}, {1}, input(fill, "input.2"))) == Integers{1, kOdd});
  CHECK(to_vector<int64_t>(pow(input(power, "input.0"), input(power, "input.1"))) == Integers{4052555153018976267});
  CHECK(to_vector<int64_t>(cumsum(input(bytes, "input.0"), 0)) == Integers{200, 300});
  const Tensor x = input(crossed, "input.0");
  CHECK(to_vector<float>(clamp(x, input(crossed, "input.1").item(), input(crossed, "input.2").item())) ==
        std::vector<float>{1, 1, 1});
}

}  // namespace
}  // namespace vitrail
