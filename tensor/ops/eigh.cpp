#include "tensor/ops/eigh.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

constexpr int64_t kColumns = 64;  // of a strip that one thread works on: its rows stay in the cache

using Doubles = std::vector<double>;

// A square matrix in row-major order.
struct Square {
  explicit Square(int64_t size) : n(size), values(static_cast<size_t>(size * size)) {}
  double* row(int64_t i) { return values.data() + i * n; }
  const double* row(int64_t i) const { return values.data() + i * n; }

  int64_t n;
  Doubles values;
};

// (d, e): the diagonal and the element behind it in each row; e[n - 1] = 0.
struct Tridiagonal {
  Doubles d, e;
};

Square lower_triangle(const Tensor& a) {
  const int64_t n = a.size(0);
  const Doubles given = to_vector<double>(a);
  Square result(n);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const double x = given[static_cast<size_t>(i * n + j)];
      check(std::isfinite(x), ErrorKind::kNumeric, "eigh", "element [", i, ", ", j, "] is not finite: it is ", x);
      result.row(i)[j] = result.row(j)[i] = x;
    }
  }
  return result;
}

// sums[j] = sum over the rows i >= first of v[i] m[i, j], for the columns j >= first.
void weighted_rows(const Square& m, const Doubles& v, int64_t first, Doubles& sums) {
  parallel_for(m.n - first, kColumns, [&](int64_t begin, int64_t end) {
    begin += first, end += first;
    std::fill(sums.begin() + begin, sums.begin() + end, 0.0);
    double* total = sums.data();
    for (int64_t i = first; i < m.n; ++i) {
      const double* row = m.row(i);
      const double weight = v[static_cast<size_t>(i)];
      for (int64_t j = begin; j < end; ++j) total[j] += weight * row[j];
    }
  });
}

// H = I - beta v v^T maps x, the elements of row k behind its diagonal, to (alpha, 0, ..., 0). v lies in elements k + 1 ... of
// a vector of n. beta is 0 where x is that already.
struct Reflector {
  double alpha = 0, beta = 0;
};

Reflector make_reflector(const double* row, int64_t k, int64_t n, Doubles& v) {
  std::copy(row + k + 1, row + n, v.begin() + k + 1);
  double largest = 0, sum = 0;
  for (int64_t j = k + 2; j < n; ++j) largest = std::max(largest, std::abs(v[static_cast<size_t>(j)]));
  double& head = v[static_cast<size_t>(k + 1)];
  if (largest == 0) return {head, 0};
  largest = std::max(largest, std::abs(head));
  for (int64_t j = k + 1; j < n; ++j) {
    double& x = v[static_cast<size_t>(j)];
    x /= largest;  // squares must neither overflow nor vanish
    sum += x * x;
  }
  // The sign that adds to the head's magnitude: no cancellation.
  const double alpha = head > 0 ? -std::sqrt(sum) : std::sqrt(sum), before = head;
  head -= alpha;
  return {alpha * largest, 2 / (sum - before * before + head * head)};
}

// Q^T a Q = T; the reflector of step k stays in row k of a, behind the diagonal.
Tridiagonal reduce(Square& a, Doubles& betas) {
  const int64_t n = a.n;
  Tridiagonal t{Doubles(static_cast<size_t>(n)), Doubles(static_cast<size_t>(n))};
  Doubles v(static_cast<size_t>(n)), w(static_cast<size_t>(n));
  for (int64_t k = 0; k + 1 < n; ++k) {
    const Reflector h = make_reflector(a.row(k), k, n, v);
    t.d[k] = a.row(k)[k], t.e[k] = h.alpha, betas[k] = h.beta;
    if (h.beta == 0) continue;
    weighted_rows(a, v, k + 1, w);
    double inner = 0;
    for (int64_t j = k + 1; j < n; ++j) inner += v[j] * (w[j] *= h.beta);
    for (int64_t j = k + 1; j < n; ++j) w[j] -= 0.5 * h.beta * inner * v[j];
    parallel_for(n - k - 1, std::max<int64_t>(1, 8192 / (n - k)), [&](int64_t begin, int64_t end) {
      for (int64_t i = k + 1 + begin; i < k + 1 + end; ++i) {
        double* row = a.row(i);
        const double vi = v[i], wi = w[i];
        for (int64_t j = k + 1; j < n; ++j) row[j] -= vi * w[j] + wi * v[j];
      }
    });
    std::copy(v.begin() + k + 1, v.end(), a.row(k) + k + 1);
  }
  if (n > 0) t.d[n - 1] = a.row(n - 1)[n - 1];
  return t;
}

// Q^T of the reflectors in a: row j is the j-th basis vector.
Square basis(const Square& a, const Doubles& betas) {
  const int64_t n = a.n;
  Square q(n);
  for (int64_t i = 0; i < n; ++i) q.row(i)[i] = 1;
  Doubles v(static_cast<size_t>(n)), sums(static_cast<size_t>(n));
  for (int64_t k = n - 2; k >= 0; --k) {  // Q = H_0 (H_1 (... I))
    const double beta = betas[static_cast<size_t>(k)];
    if (beta == 0) continue;
    std::copy(a.row(k) + k + 1, a.row(k) + n, v.begin() + k + 1);
    weighted_rows(q, v, k + 1, sums);
    parallel_for(n - k - 1, std::max<int64_t>(1, 8192 / (n - k)), [&](int64_t begin, int64_t end) {
      for (int64_t i = k + 1 + begin; i < k + 1 + end; ++i) {
        double* row = q.row(i);
        const double factor = beta * v[i];
        for (int64_t j = k + 1; j < n; ++j) row[j] -= factor * sums[j];
      }
    });
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < i; ++j) std::swap(q.row(i)[j], q.row(j)[i]);
  return q;
}

// Turns the rows i and i + 1.
struct Rotation {
  int64_t i;
  double c, s;
};

// One implicit QL step on the block [first, last] of t: eigenvalues stay, e[first] shrinks. The rotations in their order.
void ql_step(Tridiagonal& t, int64_t first, int64_t last, std::vector<Rotation>& rotations) {
  Doubles &d = t.d, &e = t.e;
  rotations.clear();
  // Wilkinson's shift: the eigenvalue of the leading 2 x 2 block that is nearer to d[first].
  const double half = (d[first + 1] - d[first]) / (2 * e[first]);
  double g = d[last] - d[first] + e[first] / (half + std::copysign(std::hypot(half, 1.0), half));
  double c = 1, s = 1, carried = 0;
  for (int64_t i = last - 1; i >= first; --i) {
    const double f = s * e[i], b = c * e[i], r = std::hypot(f, g);
    e[i + 1] = r;
    if (r == 0) {  // the matrix falls apart here
      d[i + 1] -= carried;
      e[last] = 0;
      return;
    }
    s = f / r, c = g / r;
    g = d[i + 1] - carried;
    const double turned = (d[i] - g) * s + 2 * c * b;
    carried = s * turned;
    d[i + 1] = g + carried;
    g = c * turned - b;
    rotations.push_back({i, c, s});
  }
  d[first] -= carried;
  e[first] = g;
  e[last] = 0;
}

void turn_rows(const std::vector<Rotation>& rotations, Square& rows) {
  parallel_for(rows.n, kColumns, [&](int64_t begin, int64_t end) {
    for (const Rotation& turn : rotations) {
      double *upper = rows.row(turn.i), *lower = rows.row(turn.i + 1);
      for (int64_t j = begin; j < end; ++j) {
        const double x = upper[j], y = lower[j];
        lower[j] = turn.s * x + turn.c * y;
        upper[j] = turn.c * x - turn.s * y;
      }
    }
  });
}

// Until e is negligible; rows: the eigenvectors.
void diagonalise(Tridiagonal& t, Square& rows) {
  constexpr int64_t kMostSteps = 60;  // for one value; two are usual
  const double epsilon = std::numeric_limits<double>::epsilon();
  std::vector<Rotation> rotations;
  for (int64_t first = 0; first < rows.n; ++first) {
    for (int64_t step = 0;; ++step) {
      int64_t last = first;
      while (last + 1 < rows.n && std::abs(t.e[last]) > epsilon * (std::abs(t.d[last]) + std::abs(t.d[last + 1]))) ++last;
      if (last == first) break;
      check(step < kMostSteps, ErrorKind::kNumeric, "eigh", "no convergence after ", step, " steps for value ", first, " of ",
            rows.n);
      ql_step(t, first, last, rotations);
      turn_rows(rotations, rows);
    }
  }
}

}  // namespace

EigenDecomposition eigh(const Tensor& a) {
  check(a.dim() == 2 && a.size(0) == a.size(1), ErrorKind::kShape, "eigh", "needs a square matrix: a is ", a.shape());
  check(is_float(a.dtype()), ErrorKind::kValue, "eigh", "needs floats: a is ", name_of(a.dtype()));
  const int64_t n = a.size(0);
  Square work = lower_triangle(a);
  Doubles betas(static_cast<size_t>(n));
  Tridiagonal t = reduce(work, betas);
  Square rows = basis(work, betas);
  diagonalise(t, rows);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t x, int64_t y) { return t.d[x] < t.d[y]; });
  EigenDecomposition result{empty({n}, Dtype::f64, "eigh"), empty({n, n}, Dtype::f64, "eigh")};
  double *values = result.values.mutable_data<double>(), *vectors = result.vectors.mutable_data<double>();
  for (int64_t k = 0; k < n; ++k) {
    const double* row = rows.row(order[static_cast<size_t>(k)]);
    values[k] = t.d[order[static_cast<size_t>(k)]];
    const double* largest = std::max_element(row, row + n, [](double x, double y) { return std::abs(x) < std::abs(y); });
    const double sign = *largest < 0 ? -1 : 1;
    for (int64_t i = 0; i < n; ++i) vectors[i * n + k] = sign * row[i];
  }
  return result;
}

}  // namespace vitrail
