// Conversions between dtypes, and whole-tensor writes, where their rules are easy to get wrong.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/convert.h"
#include "tensor/machine/parallel.h"
#include "tensor/rng.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();

}  // namespace

TEST_CASE("a float becomes the integer below it in size; NaN becomes 0, what does not fit the nearest end") {
  const Tensor x = from_vector(std::vector<double>{1.9, -1.9, NAN, kInf, -kInf, 1e300, -1e300, 0x1p63, -0x1p63}, {9});
  CHECK(to_vector<int64_t>(x) == std::vector<int64_t>{1, -1, 0, kMost, kLeast, kMost, kLeast, kMost, kLeast});
  const Tensor y = from_vector(std::vector<float>{255.5f, 256, -0.5f, -7, NAN, 3e38f}, {6});
  CHECK(to_vector<uint8_t>(y) == std::vector<uint8_t>{255, 255, 0, 0, 0, 255});
  CHECK(to_vector<int64_t>(to(y, Dtype::i64))[4] == 0);
  CHECK(full({2}, 300, Dtype::u8).at({1}) == 255);
  CHECK(full({2}, NAN, Dtype::i64).at({0}) == 0);
  CHECK(convert<int64_t>(std::nextafter(0x1p63f, 0.0f)) == kMost - (int64_t{1} << 39) + 1);
}

TEST_CASE("integers are narrowed as in C++, and every number survives the way to a wider type") {
  CHECK(to_vector<uint8_t>(from_vector(std::vector<int64_t>{-1, 256, 257}, {3})) == std::vector<uint8_t>{255, 0, 1});
  const Tensor x = from_vector(std::vector<float>{0.1f, -2e-40f, 3e38f}, {3});
  CHECK(bit_equal(to(to(x, Dtype::f64), Dtype::f32), x));
}

TEST_CASE("copies and sums are the same for every length, layout and number of threads") {
  const int before = num_threads();
  for (const int64_t n : {int64_t{1}, int64_t{4095}, 5 * kElementwiseGrain + 3, int64_t{130} * 4096}) {
    CAPTURE(n);
    const Tensor x = rand_normal({n}, 0, 1, Rng(1)), y = rand_normal({n}, 0, 1, Rng(2));
    const Tensor strided = select(rand_normal({n, 2}, 0, 1, Rng(3)), 1, 1);
    std::vector<Tensor> results;
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      Tensor sum = clone(x);
      add_(sum, y, -0.5);
      add_(sum, strided);
      mul_(sum, 3);
      results.push_back(sum);
    }
    CHECK(bit_equal(results[0], results[1]));
    const std::vector<float> sum = to_vector<float>(results[0]), a = to_vector<float>(x), b = to_vector<float>(y),
                             c = to_vector<float>(strided);
    int wrong = 0;
    for (int64_t i = 0; i < n; ++i) wrong += std::abs(sum[i] - 3 * (a[i] - 0.5 * b[i] + c[i])) > 1e-5;
    CHECK(wrong == 0);
  }
  set_num_threads(before);
}
