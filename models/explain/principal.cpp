#include "models/explain/principal.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/ops.h"
#include "tensor/rng.h"

namespace vitrail::models::explain {
namespace {

// One rotation of rows and columns p, q that makes a[p][q] zero; the same rotation of the rows of v.
void rotate(double* a, double* v, int64_t n, int64_t p, int64_t q) {
  const double apq = a[p * n + q];
  if (apq == 0) return;
  const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c;
  const auto mix = [c, s](double& x, double& y) {
    const double before = x;
    x = c * before - s * y, y = s * before + c * y;
  };
  for (int64_t k = 0; k < n; ++k) mix(a[k * n + p], a[k * n + q]);
  for (int64_t k = 0; k < n; ++k) mix(a[p * n + k], a[q * n + k]);
  for (int64_t k = 0; k < n; ++k) mix(v[p * n + k], v[q * n + k]);
}

double off_diagonal(const double* a, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) sum += i == j ? 0 : a[i * n + j] * a[i * n + j];
  return std::sqrt(sum);
}

// Gram-Schmidt, twice for accuracy; a row that vanishes stays zero.
void orthonormalise(Tensor rows) {
  const int64_t k = rows.size(0), m = rows.size(1);
  double* q = rows.mutable_data<double>();
  for (int64_t i = 0; i < k; ++i) {
    double* row = q + i * m;
    const double before = std::sqrt(std::inner_product(row, row + m, row, 0.0));
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t j = 0; j < i; ++j) {
        const double* other = q + j * m;
        const double part = std::inner_product(row, row + m, other, 0.0);
        for (int64_t l = 0; l < m; ++l) row[l] -= part * other[l];
      }
    const double length = std::sqrt(std::inner_product(row, row + m, row, 0.0));
    const double scale = length > 1e-12 * before && length > 0 ? 1 / length : 0;
    for (int64_t l = 0; l < m; ++l) row[l] *= scale;
  }
}

// A direction and its opposite are the same component.
void fix_signs(Tensor rows) {
  const int64_t m = rows.size(1);
  double* q = rows.mutable_data<double>();
  for (int64_t i = 0; i < rows.size(0); ++i) {
    double* row = q + i * m;
    const double* largest = std::max_element(row, row + m, [](double x, double y) { return std::abs(x) < std::abs(y); });
    if (*largest < 0) std::transform(row, row + m, row, [](double x) { return -x; });
  }
}

}  // namespace

std::pair<std::vector<double>, Tensor> symmetric_eigen(const Tensor& matrix) {
  check(matrix.dim() == 2 && matrix.size(0) == matrix.size(1), ErrorKind::kShape, "symmetric_eigen",
        "the matrix must be square: it is ", matrix.shape());
  const int64_t n = matrix.size(0);
  Tensor work = clone(to(matrix, Dtype::f64)), vectors = eye(n, Dtype::f64);
  double* a = work.mutable_data<double>();
  double* v = vectors.mutable_data<double>();
  const double size = std::sqrt(std::inner_product(a, a + n * n, a, 0.0));
  for (int sweep = 0; sweep < 60 && off_diagonal(a, n) > 1e-14 * size; ++sweep)
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) rotate(a, v, n, p, q);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) { return a[x * n + x] > a[y * n + y]; });
  std::vector<double> values;
  for (const int64_t i : order) values.push_back(a[i * n + i]);
  return {values, index_select(vectors, 0, from_vector(order, {n}))};
}

PrincipalComponents principal_components(const Tensor& x, int64_t count) {
  check(x.dim() == 2 && is_float(x.dtype()) && x.size(0) >= 1 && x.size(1) >= 1 && count >= 1, ErrorKind::kShape,
        "principal_components", "x is a float matrix and count at least 1: x is ", x.shape(), ", count is ", count);
  const int64_t n = x.size(0), m = x.size(1), k = std::min({count, n, m}), wide = std::min({k + 4, n, m});
  const Tensor rows = to(x, Dtype::f64), centred = rows - mean(rows, {0}, true);
  const Tensor scaled = centred * (1 / std::sqrt(static_cast<double>(n)));
  PrincipalComponents result;
  result.total = sum(square(scaled)).item();
  // A few directions more than are wanted: the wanted ones then converge faster.
  Tensor basis = clone(rand_normal({wide, m}, 0, 1, Rng(1), Dtype::f64));
  orthonormalise(basis);
  std::vector<double> variances(static_cast<size_t>(wide), 0);
  for (int iteration = 0; iteration < 300; ++iteration) {
    const Tensor image = matmul(scaled, transpose(basis));  // [N, wide]
    auto [values, turned] = symmetric_eigen(matmul(transpose(image), image));
    basis = matmul(turned, basis);
    double change = 0;
    for (int64_t i = 0; i < k; ++i) change = std::max(change, std::abs(values[i] - variances[i]));
    variances = values;
    if (iteration > 0 && change <= 1e-9 * result.total) break;
    basis = clone(matmul(transpose(matmul(scaled, transpose(basis))), scaled));  // the covariance applied to each row
    orthonormalise(basis);
  }
  result.directions = clone(slice(basis, 0, 0, k));
  fix_signs(result.directions);
  result.variances.assign(variances.begin(), variances.begin() + k);
  return result;
}

}  // namespace vitrail::models::explain
