#include "tensor/reference/matmul.h"

#include "tensor/reference/elements.h"

namespace vitrail::reference {

// c_ij = alpha sum_k a_ik b_kj + beta c_ij
template <class T>
void gemm(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
  // LAB 2.1 BEGIN  every element of C: alpha times a sum over k in double, and beta times itself (beta = 0: C is not read)
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < a.cols; ++k) {
        sum += static_cast<double>(a.data[i * a.row_stride + k * a.col_stride]) *
               static_cast<double>(b.data[k * b.row_stride + j * b.col_stride]);
      }
      T& x = c.data[i * c.row_stride + j * c.col_stride];
      const double product = static_cast<double>(alpha) * sum;
      x = static_cast<T>(beta == 0 ? product : product + static_cast<double>(beta) * static_cast<double>(x));
    }
  }
  // LAB 2.1 END
}
template void gemm(float, MatrixView<const float>, MatrixView<const float>, float, MatrixView<float>);
template void gemm(double, MatrixView<const double>, MatrixView<const double>, double, MatrixView<double>);

namespace {

// Matrix number m of the last two axes.
template <class T, class Source>
MatrixView<T> matrix(const Elements<T>& elements, const Source& x, int64_t m) {
  const int64_t size = x.size(-2) * x.size(-1);
  return {size > 0 ? &elements[m * size] : nullptr, x.size(-2), x.size(-1), x.stride(-2), x.stride(-1)};
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, Tensor c) {
  if (c.numel() == 0) return;
  dispatch_float("matmul", a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto left = read<T>(a), right = read<T>(b);
    const auto out = write<T>(c);
    for (int64_t m = 0; m < c.numel() / (c.size(-2) * c.size(-1)); ++m)
      gemm<T>(1, matrix(left, a, m), matrix(right, b, m), 0, matrix(out, c, m));
  });
}

}  // namespace vitrail::reference
