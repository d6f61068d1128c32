#include "tensor/reference/attention.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tensor/reference/elements.h"
#include "tensor/reference/rounding.h"

namespace vitrail::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
using Row = std::vector<double>;

// The factors of the products, rounded or not.
template <class T>
struct Factors {
  explicit Factors(const AttentionInput& in) : q(read<T>(in.q)), k(read<T>(in.k)), v(read<T>(in.v)), is_rounded(in.rounded) {}
  double operator()(double x) const { return is_rounded ? rounded(x) : x; }
  double operator()(const Elements<const T>& x, int64_t b, int64_t h, int64_t i, int64_t d) const {
    return (*this)(static_cast<double>(x(b, h, i, d)));
  }
  Elements<const T> q, k, v;
  bool is_rounded;
};

// s + mask; -inf where a u8 mask is 0
template <class T>
double masked(double s, const Tensor& mask, int64_t b, int64_t h, int64_t i, int64_t j) {
  if (!mask.defined()) return s;
  if (mask.dtype() == Dtype::u8) return read<uint8_t>(mask)(b, h, i, j) != 0 ? s : -kInfinity;
  return s + static_cast<double>(read<T>(mask)(b, h, i, j));
}

// Row i of P = softmax(S), S_ij = scale sum_d q_id k_jd + mask_ij; zeros where every key is forbidden
template <class T>
Row probabilities_of(const AttentionInput& in, const Factors<T>& f, int64_t b, int64_t h, int64_t i) {
  Row s(static_cast<size_t>(in.k.size(2)));
  double largest = -kInfinity, total = 0;
  for (size_t j = 0; j < s.size(); ++j) {
    const auto key = static_cast<int64_t>(j);
    double sum = 0;
    for (int64_t d = 0; d < in.q.size(3); ++d) sum += f(f.q, b, h, i, d) * f(f.k, b, h, key, d);
    s[j] = masked<T>(in.scale * sum, in.mask, b, h, i, key);
    largest = std::fmax(largest, s[j]);
  }
  for (double& x : s) x = std::exp(x - (largest == -kInfinity ? 0 : largest)), total += x;
  for (double& x : s) x = total == 0 ? 0 : x / total;
  return s;
}

// O_id = sum_j P_ij v_jd
template <class T>
void forward(const AttentionInput& in, Tensor& output, Tensor& kept) {
  const Factors<T> f(in);
  const auto out = write<T>(output);
  for (int64_t b = 0; b < in.q.size(0); ++b) {
    for (int64_t h = 0; h < in.q.size(1); ++h) {
      for (int64_t i = 0; i < in.q.size(2); ++i) {
        const Row p = probabilities_of(in, f, b, h, i);
        for (int64_t d = 0; d < in.v.size(3); ++d) {
          double sum = 0;
          for (int64_t j = 0; j < in.k.size(2); ++j) sum += f(p[static_cast<size_t>(j)]) * f(f.v, b, h, j, d);
          out(b, h, i, d) = static_cast<T>(sum);
        }
        for (int64_t j = 0; kept.defined() && j < in.k.size(2); ++j) {
          write<T>(kept)(b, h, i, j) = static_cast<T>(p[static_cast<size_t>(j)]);
        }
      }
    }
  }
}

// Row i of dS: dP_ij = sum_d dO_id v_jd, dS_ij = P_ij (dP_ij - sum_j dP_ij P_ij)
template <class T>
Row score_gradients(const AttentionInput& in, const Factors<T>& f, const Elements<const T>& dy, const Row& p, int64_t b,
                    int64_t h, int64_t i) {
  Row ds(p.size(), 0.0);
  double dot = 0;
  for (size_t j = 0; j < p.size(); ++j) {
    for (int64_t d = 0; d < in.v.size(3); ++d) ds[j] += f(dy, b, h, i, d) * f(f.v, b, h, static_cast<int64_t>(j), d);
    dot += ds[j] * p[j];
  }
  for (size_t j = 0; j < p.size(); ++j) ds[j] = p[j] * (ds[j] - dot);
  return ds;
}

// dQ_id = scale sum_j dS_ij k_jd; dK_jd = scale sum_i dS_ij q_id; dV_jd = sum_i P_ij dO_id. The sums over the queries are taken
// in f64, in dk and dv.
template <class T>
void backward(const AttentionInput& in, const Tensor& dy, Tensor& dq, Tensor& dk, Tensor& dv, Tensor& dscores) {
  const Factors<T> f(in);
  const auto g = read<T>(dy);
  const auto to_q = write<T>(dq);
  const auto to_k = write<double>(dk), to_v = write<double>(dv);
  for (int64_t b = 0; b < in.q.size(0); ++b) {
    for (int64_t h = 0; h < in.q.size(1); ++h) {
      for (int64_t i = 0; i < in.q.size(2); ++i) {
        const Row p = probabilities_of(in, f, b, h, i), ds = score_gradients(in, f, g, p, b, h, i);
        for (int64_t d = 0; d < in.q.size(3); ++d) {
          double sum = 0;
          for (int64_t j = 0; j < in.k.size(2); ++j) {
            sum += f(ds[static_cast<size_t>(j)]) * f(f.k, b, h, j, d);
            to_k(b, h, j, d) += in.scale * f(ds[static_cast<size_t>(j)]) * f(f.q, b, h, i, d);
          }
          to_q(b, h, i, d) = static_cast<T>(in.scale * sum);
        }
        for (int64_t j = 0; j < in.k.size(2); ++j) {
          for (int64_t d = 0; d < in.v.size(3); ++d) to_v(b, h, j, d) += f(p[static_cast<size_t>(j)]) * f(g, b, h, i, d);
          if (dscores.defined()) write<T>(dscores)(b, h, i, j) = static_cast<T>(ds[static_cast<size_t>(j)]);
        }
      }
    }
  }
}

// Calls fill(y); if y is bf16, calls fill(t) for an f32 tensor t instead and rounds t into y.
template <class Fill>
void fill_rounded(Tensor y, Fill&& fill) {
  if (y.dtype() != Dtype::bf16) return fill(y);
  const Tensor numbers = empty(y.shape(), Dtype::f32, "attention");
  fill(numbers);
  round_to_bf16(numbers, y);
}

// The same input with q, k and v in f32 if they are bf16, and the mask as it is.
AttentionInput with_numbers(const AttentionInput& in) {
  return {numbers_of(in.q), numbers_of(in.k), numbers_of(in.v), in.mask, in.scale, in.rounded};
}

}  // namespace

void attention(const AttentionInput& in, Tensor output, Tensor probabilities) {
  const AttentionInput wide = with_numbers(in);
  fill_rounded(output, [&](Tensor out) {
    dispatch_float("attention", out.dtype(), [&](auto zero) { forward<decltype(zero)>(wide, out, probabilities); });
  });
}

void attention_backward(const AttentionInput& in, const Tensor& dy, Tensor dq, Tensor dk, Tensor dv, Tensor dscores) {
  const AttentionInput wide = with_numbers(in);
  Tensor sum_k = zeros(dk.shape(), Dtype::f64), sum_v = zeros(dv.shape(), Dtype::f64);
  fill_rounded(dq, [&](Tensor out) {
    dispatch_float("attention", out.dtype(),
                   [&](auto zero) { backward<decltype(zero)>(wide, dy, out, sum_k, sum_v, dscores); });
  });
  fill_rounded(dk, [&](Tensor out) { copy_(out, sum_k); });
  fill_rounded(dv, [&](Tensor out) { copy_(out, sum_v); });
}

}  // namespace vitrail::reference
