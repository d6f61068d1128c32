#include "tensor/reference/attention.h"

#include <cmath>
#include <limits>

#include "tensor/reference/elements.h"
#include "tensor/reference/rounding.h"

namespace vitrail::reference {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A factor of a product, x(b, h, i, d); rounded to bf16 or not.
template <class T>
struct Factor {
  double operator()(int64_t b, int64_t h, int64_t i, int64_t d) const {
    const auto x = static_cast<double>(elements(b, h, i, d));
    return is_rounded ? rounded(x) : x;
  }
  Elements<const T> elements;
  bool is_rounded;
};

// The factors of all products. f(x) is a factor that was computed here: an element of P or dS.
template <class T>
struct Factors {
  explicit Factors(const AttentionInput& in)
      : q{read<T>(in.q), in.rounded}, k{read<T>(in.k), in.rounded}, v{read<T>(in.v), in.rounded}, is_rounded(in.rounded) {}
  double operator()(double x) const { return is_rounded ? rounded(x) : x; }
  Factor<T> q, k, v;
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
  const int64_t keys = in.k.size(2), width = in.q.size(3);
  // LAB 6.1 BEGIN  Return row i of P. masked<T>(s, in.mask, b, h, i, j) adds the mask to a score, or makes it -inf.
  Row p(keys);
  double largest = -kInfinity, total = 0;
  for (int64_t j = 0; j < keys; ++j) {
    double s = 0;
    for (int64_t d = 0; d < width; ++d) s += f.q(b, h, i, d) * f.k(b, h, j, d);
    p[j] = masked<T>(in.scale * s, in.mask, b, h, i, j);
    largest = std::fmax(largest, p[j]);
  }
  if (largest == -kInfinity) largest = 0;  // every key is forbidden: e^-inf is 0, -inf - -inf would be NaN
  for (int64_t j = 0; j < keys; ++j) {
    p[j] = std::exp(p[j] - largest);
    total += p[j];
  }
  for (int64_t j = 0; j < keys; ++j) p[j] = total == 0 ? 0 : p[j] / total;
  return p;
  // LAB 6.1 END
}

// O_id = sum_j P_ij v_jd
template <class T>
void forward(const AttentionInput& in, Tensor& output, Tensor& kept) {
  const Factors<T> f(in);
  const auto out = write<T>(output);
  const int64_t keys = in.k.size(2), width = in.v.size(3);
  for (int64_t b = 0; b < in.q.size(0); ++b) {
    for (int64_t h = 0; h < in.q.size(1); ++h) {
      for (int64_t i = 0; i < in.q.size(2); ++i) {
        const Row p = probabilities_of(in, f, b, h, i);
        // LAB 6.1 BEGIN  Write row i of the output: out(b, h, i, d) for all d < width. The factors are f(p[j]) and f.v.
        for (int64_t d = 0; d < width; ++d) {
          double sum = 0;
          for (int64_t j = 0; j < keys; ++j) sum += f(p[j]) * f.v(b, h, j, d);
          out(b, h, i, d) = static_cast<T>(sum);
        }
        // LAB 6.1 END
        for (int64_t j = 0; kept.defined() && j < keys; ++j) write<T>(kept)(b, h, i, j) = static_cast<T>(p[j]);
      }
    }
  }
}

// Row i of dS: dP_ij = sum_d dO_id v_jd, dS_ij = P_ij (dP_ij - sum_j dP_ij P_ij)
template <class T>
Row score_gradients(const AttentionInput& in, const Factors<T>& f, const Factor<T>& dy, const Row& p, int64_t b, int64_t h,
                    int64_t i) {
  const int64_t keys = in.k.size(2), width = in.v.size(3);
  // LAB 6.2 BEGIN  Return row i of dS, the gradient of the scores: through the product with v, then through the softmax.
  Row ds(keys);
  double dot = 0;
  for (int64_t j = 0; j < keys; ++j) {
    for (int64_t d = 0; d < width; ++d) ds[j] += dy(b, h, i, d) * f.v(b, h, j, d);
    dot += ds[j] * p[j];
  }
  for (int64_t j = 0; j < keys; ++j) ds[j] = p[j] * (ds[j] - dot);
  return ds;
  // LAB 6.2 END
}

// dQ_id = scale sum_j dS_ij k_jd; dK_jd = scale sum_i dS_ij q_id; dV_jd = sum_i P_ij dO_id. The sums over the queries are taken
// in f64, in dk and dv.
template <class T>
void backward(const AttentionInput& in, const Tensor& grad, Tensor& dq, Tensor& dk, Tensor& dv, Tensor& dscores) {
  const Factors<T> f(in);
  const Factor<T> dy{read<T>(grad), in.rounded};
  const auto to_q = write<T>(dq);
  const auto to_k = write<double>(dk), to_v = write<double>(dv);
  const int64_t keys = in.k.size(2), width = in.q.size(3), value_width = in.v.size(3);
  for (int64_t b = 0; b < in.q.size(0); ++b) {
    for (int64_t h = 0; h < in.q.size(1); ++h) {
      for (int64_t i = 0; i < in.q.size(2); ++i) {
        const Row p = probabilities_of(in, f, b, h, i), ds = score_gradients(in, f, dy, p, b, h, i);
        // LAB 6.2 BEGIN  What query i gives: set row i of to_q, and add to row j of to_k and of to_v for every key j.
        for (int64_t d = 0; d < width; ++d) {
          double sum = 0;
          for (int64_t j = 0; j < keys; ++j) {
            sum += f(ds[j]) * f.k(b, h, j, d);
            to_k(b, h, j, d) += in.scale * f(ds[j]) * f.q(b, h, i, d);
          }
          to_q(b, h, i, d) = static_cast<T>(in.scale * sum);
        }
        for (int64_t j = 0; j < keys; ++j) {
          for (int64_t d = 0; d < value_width; ++d) to_v(b, h, j, d) += f(p[j]) * dy(b, h, i, d);
        }
        // LAB 6.2 END
        for (int64_t j = 0; dscores.defined() && j < keys; ++j) write<T>(dscores)(b, h, i, j) = static_cast<T>(ds[j]);
      }
    }
  }
}

}  // namespace

void attention(const AttentionInput& in, Tensor output, Tensor probabilities) {
  const AttentionInput wide{numbers_of(in.q), numbers_of(in.k), numbers_of(in.v), in.mask, in.scale, in.rounded};
  fill_rounded("attention", output, [&](Tensor out) {
    dispatch_float("attention", out.dtype(), [&](auto zero) { forward<decltype(zero)>(wide, out, probabilities); });
  });
}

void attention_backward(const AttentionInput& in, const Tensor& dy, Tensor dq, Tensor dk, Tensor dv, Tensor dscores) {
  const AttentionInput wide{numbers_of(in.q), numbers_of(in.k), numbers_of(in.v), in.mask, in.scale, in.rounded};
  Tensor sum_k = zeros(dk.shape(), Dtype::f64), sum_v = zeros(dv.shape(), Dtype::f64);
  fill_rounded("attention", dq, [&](Tensor out) {
    dispatch_float("attention", out.dtype(),
                   [&](auto zero) { backward<decltype(zero)>(wide, dy, out, sum_k, sum_v, dscores); });
  });
  fill_rounded("attention", dk, [&](Tensor out) { copy_(out, sum_k); });
  fill_rounded("attention", dv, [&](Tensor out) { copy_(out, sum_v); });
}

}  // namespace vitrail::reference
