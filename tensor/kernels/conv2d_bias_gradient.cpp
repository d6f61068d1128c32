// One thread computes each channel, so the order of additions does not depend on the number of threads.
#include <algorithm>

#include "tensor/kernels/conv2d_detail.h"
#include "tensor/kernels/norm_sums.h"
#include "tensor/machine/parallel.h"

namespace vitrail::detail {

template <class T>
void bias_gradient(int64_t batch, int64_t channels, int64_t plane, const T* dy, T* db) {
  parallel_for(channels, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(batch * plane, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t o = begin; o < end; ++o) {
                   double sum = 0;
                   for (int64_t b = 0; b < batch; ++b) sum += sum_deviations(dy + (b * channels + o) * plane, plane, 0);
                   db[o] = static_cast<T>(sum);
                 }
               });
}

template void bias_gradient(int64_t, int64_t, int64_t, const float*, float*);
template void bias_gradient(int64_t, int64_t, int64_t, const double*, double*);

}  // namespace vitrail::detail
