#include "tensor/reference/norm.h"

#include <cmath>
#include <vector>

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

// 1 / sqrt(var + eps); 0 for a constant row with eps = 0, so that it gives bias instead of 0 * inf.
double reciprocal_deviation(double var, double eps) { return var + eps == 0 ? 0 : 1 / std::sqrt(var + eps); }

// Parameter j of a norm as double; `missing` if the parameter is undefined.
template <class T>
double parameter(const Tensor& t, int64_t j, double missing) {
  return t.defined() ? static_cast<double>(read<T>(t)(j)) : missing;
}

template <class T>
void store(const std::vector<double>& values, Tensor& y) {
  if (!y.defined()) return;
  const auto out = write<T>(y);
  for (int64_t j = 0; j < y.numel(); ++j) out[j] = static_cast<T>(values[static_cast<size_t>(j)]);
}

// y = (x - mean) rstd w + b with mean = sum x / n, var = sum (x - mean)^2 / n, rstd = 1 / sqrt(var + eps), row by row
template <class T>
void layer_norm_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor& y, Tensor& means,
                     Tensor& rstds) {
  const int64_t n = x.size(-1);
  const auto in = read<T>(x);
  const auto out = write<T>(y);
  for (int64_t r = 0; r < row_count(x); ++r) {
    // LAB 4.5 BEGIN  Row r: its mean, 1 / sqrt(var + eps) (reciprocal_deviation()), and y. parameter() is given.
    const auto first = static_cast<double>(in[r * n]);  // subtracted from all, so that the mean of a constant row is exact
    double sum = 0, squares = 0;
    for (int64_t i = r * n; i < (r + 1) * n; ++i) sum += static_cast<double>(in[i]) - first;
    const double mean = first + sum / static_cast<double>(n);
    for (int64_t i = r * n; i < (r + 1) * n; ++i) squares += std::pow(static_cast<double>(in[i]) - mean, 2);
    const double rstd = reciprocal_deviation(squares / static_cast<double>(n), eps);
    for (int64_t j = 0; j < n; ++j) {
      const double h = (static_cast<double>(in[r * n + j]) - mean) * rstd;
      out[r * n + j] = static_cast<T>(h * parameter<T>(weight, j, 1) + parameter<T>(bias, j, 0));
    }
    write<double>(means)[r] = mean;
    write<double>(rstds)[r] = rstd;
    // LAB 4.5 END
  }
}

// With h = (x - mean) rstd and g = dy w: dx = rstd (g - mean(g) - h mean(g h)), dw = sum dy h, db = sum dy over the rows.
// RMS normalisation is the same with mean = 0 and without the term mean(g).
template <class T>
void backward_rows(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd, Tensor& dx,
                   Tensor& dweight, Tensor& dbias) {
  const int64_t n = x.size(-1);
  const auto in = read<T>(x), grad = read<T>(dy);
  const auto out = write<T>(dx);
  std::vector<double> dw(static_cast<size_t>(n), 0.0), db(static_cast<size_t>(n), 0.0);
  for (int64_t r = 0; r < row_count(x); ++r) {
    const double center = mean.defined() ? read<double>(mean)[r] : 0, scale = read<double>(rstd)[r];
    const auto h = [&](int64_t j) { return (static_cast<double>(in[r * n + j]) - center) * scale; };
    const auto g = [&](int64_t j) { return static_cast<double>(grad[r * n + j]) * parameter<T>(weight, j, 1); };
    // LAB 4.5 BEGIN  Row r of dx, and what it adds to dw and db; h(j), g(j), scale are given. RMS norm has no mean.
    double sum_g = 0, sum_gh = 0;
    for (int64_t j = 0; j < n; ++j) sum_g += g(j), sum_gh += g(j) * h(j);
    const double mean_g = mean.defined() ? sum_g / static_cast<double>(n) : 0, mean_gh = sum_gh / static_cast<double>(n);
    for (int64_t j = 0; j < n; ++j) {
      out[r * n + j] = static_cast<T>(scale * (g(j) - mean_g - h(j) * mean_gh));
      dw[static_cast<size_t>(j)] += static_cast<double>(grad[r * n + j]) * h(j);
      db[static_cast<size_t>(j)] += static_cast<double>(grad[r * n + j]);
    }
    // LAB 4.5 END
  }
  store<T>(dw, dweight);
  store<T>(db, dbias);
}

// y = x rrms w with rrms = 1 / sqrt(sum x^2 / n + eps), row by row
template <class T>
void rms_norm_rows(const Tensor& x, const Tensor& weight, double eps, Tensor& y, Tensor& rrms) {
  const int64_t n = x.size(-1);
  const auto in = read<T>(x);
  const auto out = write<T>(y);
  for (int64_t r = 0; r < row_count(x); ++r) {
    double squares = 0;
    for (int64_t i = r * n; i < (r + 1) * n; ++i) squares += std::pow(static_cast<double>(in[i]), 2);
    const double scale = reciprocal_deviation(squares / static_cast<double>(n), eps);
    for (int64_t j = 0; j < n; ++j) {
      out[r * n + j] = static_cast<T>(static_cast<double>(in[r * n + j]) * scale * parameter<T>(weight, j, 1));
    }
    write<double>(rrms)[r] = scale;
  }
}

}  // namespace

void layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor y, Tensor mean, Tensor rstd) {
  dispatch_float("layer_norm", x.dtype(),
                 [&](auto zero) { layer_norm_rows<decltype(zero)>(x, weight, bias, eps, y, mean, rstd); });
}

void layer_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                         Tensor dx, Tensor dweight, Tensor dbias) {
  dispatch_float("layer_norm", x.dtype(),
                 [&](auto zero) { backward_rows<decltype(zero)>(dy, x, weight, mean, rstd, dx, dweight, dbias); });
}

void rms_norm(const Tensor& x, const Tensor& weight, double eps, Tensor y, Tensor rrms) {
  dispatch_float("rms_norm", x.dtype(), [&](auto zero) { rms_norm_rows<decltype(zero)>(x, weight, eps, y, rrms); });
}

void rms_norm_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rrms, Tensor dx, Tensor dweight,
                       Tensor dbias) {
  dispatch_float("rms_norm", x.dtype(),
                 [&](auto zero) { backward_rows<decltype(zero)>(dy, x, weight, {}, rrms, dx, dweight, dbias); });
}

}  // namespace vitrail::reference
