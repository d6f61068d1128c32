#include "models/weights/pseudo_inverse.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/view.h"

namespace vitrail {
namespace {

using Column = std::vector<double>;

double dot(const Column& a, const Column& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// (a, b) becomes (c a - s b, s a + c b).
void rotate(Column& a, Column& b, double c, double s) {
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    a[i] = c * x - s * y;
    b[i] = s * x + c * y;
  }
}

// A V = U S with orthogonal V: `u` holds the columns of A and then those of U S, `v` those of V.
struct Decomposition {
  std::vector<Column> u, v;
};

// Makes columns p and q of u orthogonal by a rotation, which v follows. False if they are already, to `tolerance` of the
// product of their lengths. The tangent t of the angle is the smaller root of t^2 + 2 zeta t - 1 = 0.
bool make_orthogonal(Decomposition& d, size_t p, size_t q, double tolerance) {
  const double pp = dot(d.u[p], d.u[p]), qq = dot(d.u[q], d.u[q]), pq = dot(d.u[p], d.u[q]);
  if (!(std::abs(pq) > tolerance * std::sqrt(pp) * std::sqrt(qq))) return false;
  const double zeta = (qq - pp) / (2 * pq);
  const double t = std::copysign(1 / (std::abs(zeta) + std::hypot(1, zeta)), zeta);
  const double c = 1 / std::hypot(1, t);
  rotate(d.u[p], d.u[q], c, c * t);
  rotate(d.v[p], d.v[q], c, c * t);
  return true;
}

// Sweeps over all pairs until none turns. Convergence is quadratic: ten sweeps are many. Columns that are nothing but rounding
// errors may turn for ever, but weigh nothing.
void decompose(Decomposition& d, double tolerance) {
  constexpr int kMostSweeps = 40;
  bool turned = true;
  for (int sweep = 0; turned && sweep < kMostSweeps; ++sweep) {
    turned = false;
    for (size_t p = 0; p < d.u.size(); ++p)
      for (size_t q = p + 1; q < d.u.size(); ++q) turned |= make_orthogonal(d, p, q, tolerance);
  }
}

// The pseudo-inverse of a matrix with m >= n, given by its columns.
Tensor from_columns(std::vector<Column> columns) {
  const size_t m = columns[0].size(), n = columns.size();
  const double tolerance = static_cast<double>(m) * std::numeric_limits<double>::epsilon();
  Decomposition d{std::move(columns), std::vector<Column>(n, Column(n, 0.0))};
  for (size_t j = 0; j < n; ++j) d.v[j][j] = 1;
  decompose(d, tolerance);
  double largest = 0;
  for (const Column& u : d.u) largest = std::max(largest, std::sqrt(dot(u, u)));
  std::vector<double> inverse(n * m, 0.0);
  for (size_t k = 0; k < n; ++k) {
    const double square = dot(d.u[k], d.u[k]);
    if (std::sqrt(square) <= tolerance * largest) continue;
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < m; ++j) inverse[i * m + j] += d.v[k][i] * d.u[k][j] / square;
  }
  return from_vector(inverse, {static_cast<int64_t>(n), static_cast<int64_t>(m)});
}

}  // namespace

Tensor pseudo_inverse(const Tensor& a) {
  check(a.dim() == 2 && a.numel() > 0, ErrorKind::kShape, "pseudo_inverse", "needs a matrix: a is ", a.shape(), ".");
  check(a.dtype() == Dtype::f64, ErrorKind::kValue, "pseudo_inverse", "needs f64: a is ", name_of(a.dtype()), ".");
  const bool wide = a.size(0) < a.size(1);
  // Of the transpose of a wide matrix: (A^T)^+ = (A^+)^T, and fewer columns are fewer pairs.
  const Tensor rows = contiguous(wide ? a : transpose(a));
  std::vector<Column> columns;
  for (int64_t j = 0; j < rows.size(0); ++j) columns.push_back(to_vector<double>(select(rows, 0, j)));
  const Tensor inverse = from_columns(std::move(columns));
  return wide ? contiguous(transpose(inverse)) : inverse;
}

}  // namespace vitrail
