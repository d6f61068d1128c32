// Symmetric eigenvalues: known ones, and the definition on random matrices.
#include "tensor/ops/eigh.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

double largest_of(const Tensor& x) { return x.numel() == 0 ? 0 : max(abs(x)).item(); }

Tensor random_symmetric(int64_t n, uint64_t seed) {
  const Tensor x = to(rand_normal({n, n}, 0, 1, Rng(seed)), Dtype::f64);
  return x + transpose(x, 0, 1);
}

// a V = V diag(values), V^T V = I, values rising.
void check_definition(const Tensor& a) {
  const auto [values, vectors] = eigh(a);
  const int64_t n = a.size(0);
  const double scale = largest_of(a) * static_cast<double>(n);
  CAPTURE(n);
  CHECK(largest_of(matmul(a, vectors) - vectors * unsqueeze(values, 0)) <= 1e-13 * scale);
  CHECK(largest_of(matmul(transpose(vectors, 0, 1), vectors) - eye(n, Dtype::f64)) <= 1e-13 * static_cast<double>(n));
  for (int64_t i = 0; i + 1 < n; ++i) CHECK(values.at({i}) <= values.at({i + 1}));
}

}  // namespace

TEST_CASE("eigh: the second difference has the eigenvalues 2 - 2 cos(k pi / (n + 1))") {
  const int64_t n = 30;
  Tensor a = zeros({n, n}, Dtype::f64);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) a.mutable_data<double>()[i * n + j] = i == j ? 2 : std::abs(i - j) == 1 ? -1 : 0;
  const Tensor values = eigh(a).values;
  for (int64_t k = 0; k < n; ++k)
    CHECK(std::abs(values.at({k}) - (2 - 2 * std::cos(static_cast<double>(k + 1) * std::numbers::pi / (n + 1)))) < 1e-13);
}

TEST_CASE("eigh: random matrices of many sizes keep the definition, those with equal or no values too") {
  for (const int64_t n : {0, 1, 2, 3, 5, 17, 64, 65, 130}) check_definition(random_symmetric(n, static_cast<uint64_t>(n) + 1));
  check_definition(eye(9, Dtype::f64));
  check_definition(zeros({7, 7}, Dtype::f64));
  const Tensor thin = to(rand_normal({40, 3}, 0, 1, Rng(2)), Dtype::f64);
  check_definition(matmul(thin, transpose(thin, 0, 1)));  // 37 values of 0
  check_definition(random_symmetric(20, 3) * 1e150);
  check_definition(random_symmetric(20, 3) * 1e-150);
}

TEST_CASE("eigh: only the lower triangle is read, f32 is computed in double, and threads change no bit") {
  const Tensor a = random_symmetric(90, 7);
  CHECK(bit_equal(eigh(tril(a)).vectors, eigh(a).vectors));
  CHECK(eigh(to(a, Dtype::f32)).values.dtype() == Dtype::f64);
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = eigh(a).vectors;
  set_num_threads(3);
  CHECK(bit_equal(one, eigh(a).vectors));
  set_num_threads(before);
}

TEST_CASE("eigh: what is no symmetric matrix is refused with its numbers") {
  CHECK(refuses([] { eigh(zeros({2, 3})); }, ErrorKind::kShape, "needs a square matrix: a is [2, 3]"));
  CHECK(refuses([] { eigh(zeros({2, 2}, Dtype::i64)); }, ErrorKind::kValue, "needs floats: a is i64"));
  Tensor a = eye(3);
  a.mutable_data<float>()[3] = NAN;
  CHECK(refuses([&] { eigh(a); }, ErrorKind::kNumeric, "element [1, 0] is not finite"));
}
