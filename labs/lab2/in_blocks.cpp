#include <algorithm>

#include "labs/lab2/ladder.h"

namespace lab {

template <class T>
void multiply_in_blocks(const T* a, const T* b, T* c, int64_t m, int64_t n, int64_t k, int64_t block) {
  // LAB 2.3 BEGIN  C = A B in blocks: three loops over blocks, three inside them; the last block of an axis may be smaller
  for (int64_t i = 0; i < m * n; ++i) c[i] = 0;
  for (int64_t i0 = 0; i0 < m; i0 += block) {
    for (int64_t p0 = 0; p0 < k; p0 += block) {
      for (int64_t j0 = 0; j0 < n; j0 += block) {
        const int64_t i1 = std::min(i0 + block, m), p1 = std::min(p0 + block, k), j1 = std::min(j0 + block, n);
        for (int64_t i = i0; i < i1; ++i) {
          for (int64_t p = p0; p < p1; ++p) {
            const T factor = a[i * k + p];
            for (int64_t j = j0; j < j1; ++j) c[i * n + j] += factor * b[p * n + j];
          }
        }
      }
    }
  }
  // LAB 2.3 END
}
template void multiply_in_blocks(const float*, const float*, float*, int64_t, int64_t, int64_t, int64_t);
template void multiply_in_blocks(const double*, const double*, double*, int64_t, int64_t, int64_t, int64_t);
template void multiply_in_blocks(const Traced*, const Traced*, Traced*, int64_t, int64_t, int64_t, int64_t);

}  // namespace lab
