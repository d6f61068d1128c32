#include "tensor/reference/matmul.h"

#include "tensor/reference/elements.h"

namespace vitrail::reference {
namespace {

// c_ij = sum_k a_ik b_kj
template <class T>
void multiply(const Tensor& a, const Tensor& b, Tensor& c) {
  const int64_t rows = a.size(-2), depth = a.size(-1), cols = b.size(-1), matrices = c.numel() / (rows * cols);
  const auto left = read<T>(a), right = read<T>(b);
  const auto out = write<T>(c);
  for (int64_t m = 0; m < matrices; ++m) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < depth; ++k) {
          sum += static_cast<double>(left[(m * rows + i) * depth + k]) * static_cast<double>(right[(m * depth + k) * cols + j]);
        }
        out[(m * rows + i) * cols + j] = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace

void matmul(const Tensor& a, const Tensor& b, Tensor c) {
  if (c.numel() == 0) return;
  dispatch_float("matmul", a.dtype(), [&](auto zero) { multiply<decltype(zero)>(a, b, c); });
}

}  // namespace vitrail::reference
