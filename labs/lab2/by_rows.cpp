#include "labs/lab2/ladder.h"

namespace lab {

template <class T>
void multiply_by_rows(const T* a, const T* b, T* c, int64_t m, int64_t n, int64_t k) {
  // LAB 2.2 BEGIN  C = A B; the loops in the order i, k, j: the innermost one along rows of B and C
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) c[i * n + j] = 0;
    for (int64_t p = 0; p < k; ++p) {
      const T factor = a[i * k + p];
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += factor * b[p * n + j];
    }
  }
  // LAB 2.2 END
}
template void multiply_by_rows(const float*, const float*, float*, int64_t, int64_t, int64_t);
template void multiply_by_rows(const double*, const double*, double*, int64_t, int64_t, int64_t);
template void multiply_by_rows(const Traced*, const Traced*, Traced*, int64_t, int64_t, int64_t);

}  // namespace lab
