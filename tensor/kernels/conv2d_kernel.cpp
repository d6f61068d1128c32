#include "tensor/kernels/conv2d_kernel.h"

#include <type_traits>

#include "tensor/product/gemm.h"
#include "tensor/product/micro_kernel.h"

namespace vitrail::detail {
namespace {

template <class T>
TileKernel<T> blis_kernel() {
  static constexpr int64_t kRows = 24, kCols = 32;
  return {kRows, kCols, true,
          [](int64_t depth, const T* a, int64_t row_step, int64_t depth_step, const T* b, T* c, int64_t ldc, bool accumulate) {
            gemm_serial<T>(1, {a, kRows, depth, row_step, depth_step}, {b, depth, kCols, kCols, 1}, accumulate ? T{1} : T{0},
                           {c, kRows, kCols, ldc, 1});
          }};
}

}  // namespace

template <class T>
TileKernel<T> tile_kernel() {
  if constexpr (std::is_same_v<T, float>) {
    if (const MicroKernel* kernel = micro_kernel_for(Precision::kF32)) {
      return {kernel->rows, kernel->cols, false,
              [](int64_t depth, const float* a, int64_t row_step, int64_t depth_step, const float* b, float* c, int64_t ldc,
                 bool accumulate) {
                static const MicroKernel& whole = *micro_kernel_for(Precision::kF32);
                whole.multiply[whole.rows - 1](depth, a, row_step, depth_step, b, c, ldc, accumulate);
              }};
    }
  }
  return blis_kernel<T>();
}

template TileKernel<float> tile_kernel();
template TileKernel<double> tile_kernel();

}  // namespace vitrail::detail
