// Lab 2: matrices in memories with gaps, and products that are computed element by element, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "labs/common/lab.h"
#include "tensor/product/matrix_view.h"

using namespace vitrail;

namespace {

// A matrix in a memory with gaps, row by row or column by column, and room behind it that must stay untouched.
template <class T>
struct Matrix {
  std::vector<T> memory;
  MatrixView<T> view;
  static constexpr int64_t kFront = 40;

  // layout 0: rows without gaps; 1: columns without gaps; 2, 3: the same with gaps between elements and rows
  Matrix(int64_t rows, int64_t cols, int layout, lab::Dice& dice) {
    const int64_t step = layout >= 2 ? 2 : 1, line = (layout % 2 == 0 ? cols : rows) * step + (layout >= 2 ? 3 : 0);
    memory.assign(static_cast<size_t>(2 * kFront + line * (layout % 2 == 0 ? rows : cols) + 5000), T(-77));
    view = {memory.data() + kFront, rows, cols, layout % 2 == 0 ? line : step, layout % 2 == 0 ? step : line};
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) at(i, j) = static_cast<T>(dice.uniform(-1, 1));
    }
  }
  Matrix(const Matrix&) = delete;
  T& at(int64_t i, int64_t j) { return view.data[i * view.row_stride + j * view.col_stride]; }
  const T& at(int64_t i, int64_t j) const { return view.data[i * view.row_stride + j * view.col_stride]; }
  MatrixView<const T> input() const { return {view.data, view.rows, view.cols, view.row_stride, view.col_stride}; }
  // The numbers in memory that are no element of the matrix and were changed.
  int64_t damage() const {
    std::vector<bool> inside(memory.size(), false);
    for (int64_t i = 0; i < view.rows; ++i) {
      for (int64_t j = 0; j < view.cols; ++j) inside[static_cast<size_t>(&at(i, j) - memory.data())] = true;
    }
    int64_t changed = 0;
    for (size_t i = 0; i < memory.size(); ++i) changed += !inside[i] && memory[i] != T(-77);
    return changed;
  }
};

// alpha A B + beta C, element by element.
template <class T>
std::vector<double> product(double alpha, const Matrix<T>& a, const Matrix<T>& b, double beta, const Matrix<T>& c) {
  std::vector<double> result;
  for (int64_t i = 0; i < c.view.rows; ++i) {
    for (int64_t j = 0; j < c.view.cols; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < a.view.cols; ++k) sum += double(a.at(i, k)) * double(b.at(k, j));
      result.push_back(alpha * sum + (beta == 0 ? 0 : beta * double(c.at(i, j))));
    }
  }
  return result;
}

// "" if C holds `wanted` and nothing else was written to.
template <class T>
std::string wrong_in(const Matrix<T>& c, const std::vector<double>& wanted, double tolerance) {
  int64_t wrong = 0, n = 0;
  std::string first;
  for (int64_t i = 0; i < c.view.rows; ++i) {
    for (int64_t j = 0; j < c.view.cols; ++j) {
      const double x = double(c.at(i, j)), y = wanted[static_cast<size_t>(n++)];
      if (std::abs(x - y) <= tolerance * (1 + std::abs(y))) continue;
      if (wrong++ == 0) first = cat("c[", i, ", ", j, "] is ", x, ", it should be ", y);
    }
  }
  if (wrong > 0) return cat(first, " (", wrong, " of ", n, " elements are wrong)");
  return c.damage() == 0 ? "" : cat(c.damage(), " numbers outside of C were written to");
}

// A product with fixed numbers 1, 2, 3, ... in the given layouts, for probes: [3, 2] x [2, 4].
template <class T, class Fn>
std::string fixed_product(Fn fn, int la, int lb, int lc, T alpha, T beta, T old = 1) {
  lab::Dice dice(1);
  Matrix<T> a(3, 2, la, dice), b(2, 4, lb, dice), c(3, 4, lc, dice);
  T next = 1;
  for (Matrix<T>* x : {&a, &b}) {
    for (int64_t i = 0; i < x->view.rows; ++i) {
      for (int64_t j = 0; j < x->view.cols; ++j) x->at(i, j) = next, next += 1;
    }
  }
  std::vector<double> out;
  for (int64_t i = 0; i < 12; ++i) c.at(i / 4, i % 4) = old;
  fn(alpha, a.input(), b.input(), beta, c.view);
  for (int64_t i = 0; i < 12; ++i) out.push_back(double(c.at(i / 4, i % 4)));
  return lab::digits(out, 4) + cat(c.damage(), " ");
}

// Every layout of the three matrices, odd sizes, both scalars.
template <class T, class Fn>
std::string layouts_difference(Fn fn, uint64_t stream, double tolerance) {
  lab::Dice dice(stream);
  for (int layout = 0; layout < 64; ++layout) {
    const int64_t m = dice.roll(1, 9), n = dice.roll(1, 9), k = dice.roll(1, 9);
    Matrix<T> a(m, k, layout % 4, dice), b(k, n, layout / 4 % 4, dice), c(m, n, layout / 16, dice);
    const T alpha = static_cast<T>(dice.uniform(-2, 2)), beta = layout % 3 == 0 ? T(0) : static_cast<T>(dice.uniform(-2, 2));
    const std::vector<double> wanted = product(double(alpha), a, b, double(beta), c);
    fn(alpha, a.input(), b.input(), beta, c.view);
    const std::string wrong = wrong_in(c, wanted, tolerance);
    if (!wrong.empty()) {
      const auto strides = [](const auto& x) { return cat(" has strides ", x.view.row_stride, ", ", x.view.col_stride); };
      return cat(wrong, "; a [", m, ", ", k, "]", strides(a), ", b [", k, ", ", n, "]", strides(b), ", c", strides(c),
                 ", alpha ", alpha, ", beta ", beta);
    }
  }
  return "";
}

// C is full of NaN: with beta = 0 it must not be read.
template <class T, class Fn>
std::string nan_difference(Fn fn, int64_t m, int64_t n, int64_t k, uint64_t stream) {
  lab::Dice dice(stream);
  Matrix<T> a(m, k, 0, dice), b(k, n, 0, dice), c(m, n, 0, dice);
  const std::vector<double> wanted = product(1, a, b, 0, c);
  for (int64_t i = 0; i < m * n; ++i) c.at(i / n, i % n) = std::numeric_limits<T>::quiet_NaN();
  fn(1, a.input(), b.input(), 0, c.view);
  return wrong_in(c, wanted, 1e-3);
}

}  // namespace
