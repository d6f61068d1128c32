#include "tensor/product/gemm.h"

#include <blis.h>

#include <algorithm>
#include <cstdlib>
#include <type_traits>

#include "base/divide.h"
#include "base/error.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/openmp_exit.h"
#include "tensor/machine/parallel.h"
#include "tensor/product/blis_memory.h"
#include "tensor/product/product.h"
#include "tensor/storage.h"

// Exported by BLIS, but declared in none of its installed headers.
extern "C" arch_t bli_cpuid_query_id(void);

namespace vitrail {
namespace {

std::string& notice() {
  static std::string text;
  return text;
}

// The numbers (arch_t) of the kernel sets that this BLIS was built with.
constexpr arch_t kBuiltIn[] = {
#ifdef BLIS_CONFIG_SKX
    BLIS_ARCH_SKX,
#endif
#ifdef BLIS_CONFIG_KNL
    BLIS_ARCH_KNL,
#endif
#ifdef BLIS_CONFIG_HASWELL
    BLIS_ARCH_HASWELL,
#endif
#ifdef BLIS_CONFIG_SANDYBRIDGE
    BLIS_ARCH_SANDYBRIDGE,
#endif
#ifdef BLIS_CONFIG_PENRYN
    BLIS_ARCH_PENRYN,
#endif
#ifdef BLIS_CONFIG_ZEN3
    BLIS_ARCH_ZEN3,
#endif
#ifdef BLIS_CONFIG_ZEN2
    BLIS_ARCH_ZEN2,
#endif
#ifdef BLIS_CONFIG_ZEN
    BLIS_ARCH_ZEN,
#endif
#ifdef BLIS_CONFIG_EXCAVATOR
    BLIS_ARCH_EXCAVATOR,
#endif
#ifdef BLIS_CONFIG_STEAMROLLER
    BLIS_ARCH_STEAMROLLER,
#endif
#ifdef BLIS_CONFIG_PILEDRIVER
    BLIS_ARCH_PILEDRIVER,
#endif
#ifdef BLIS_CONFIG_BULLDOZER
    BLIS_ARCH_BULLDOZER,
#endif
    BLIS_ARCH_GENERIC};

// Checks the value of BLIS_ARCH_TYPE: BLIS ends the process unless it is the number of a kernel set that it was built with.
// Does nothing on processors other than x86-64.
void check_chosen([[maybe_unused]] const std::string& value) {
#if defined(__x86_64__)
  std::string known;
  for (const arch_t arch : kBuiltIn) {
    if (value == std::to_string(static_cast<int>(arch))) return;
    known += cat(known.empty() ? "" : ", ", static_cast<int>(arch), " = ", bli_arch_string(arch));
  }
  fail(ErrorKind::kValue, "blis", "BLIS_ARCH_TYPE is no kernel set of this BLIS: it is \"", value.substr(0, 60),
       "\". Hint: unset it, or set one of ", known, ".");
#endif
}

// BLIS runs its slow `generic` kernels on processors newer than itself. It chooses once, at its first use, and an environment
// variable overrides the choice. So before that, this looks which set BLIS would choose and names the nearest real one. BLIS
// 0.9.0 takes its number, not its name.
void choose_kernels() {
  if (const char* chosen = std::getenv("BLIS_ARCH_TYPE")) return check_chosen(chosen);
#if defined(__x86_64__)
  if (bli_cpuid_query_id() != BLIS_ARCH_GENERIC) return;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (!avx512 && !avx2) {
    notice() = "BLIS has no fast kernels for this processor: matrix products run its generic ones.";
    return;
  }
  const arch_t nearest = avx512 ? BLIS_ARCH_SKX : BLIS_ARCH_HASWELL;
  setenv("BLIS_ARCH_TYPE", std::to_string(static_cast<int>(nearest)).c_str(), 0);
  notice() = cat("BLIS does not know this processor: its ", avx512 ? "skx" : "haswell",
                 " kernels were chosen. Set BLIS_ARCH_TYPE to choose others.");
#endif
}

// The settings of every product: single-threaded, whatever BLIS_NUM_THREADS and similar variables say, with the small-matrix
// kernels on.
rntm_t one_thread() {
  rntm_t rntm;
  bli_rntm_init_from_global(&rntm);
  bli_rntm_set_num_threads(1, &rntm);
  bli_rntm_enable_l3_sup(&rntm);
  return rntm;
}

// choose_kernels() at the first call: it touches nothing of BLIS but a query of the processor.
void choose_kernels_once() {
  static const bool chosen = (choose_kernels(), true);
  static_cast<void>(chosen);
}

// Starts BLIS at the first call. Returns one_thread(), made once: reading the global settings takes a lock.
const rntm_t& initialise() {
  static const rntm_t rntm = [] {
    choose_kernels_once();
    detail::reserve_blis_memory(num_threads());
    const detail::InsideOpenMp inside;
    bli_init();
    return one_thread();
  }();
  return rntm;
}

template <class T>
void blis_gemm(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
  count_flops(2 * c.rows * c.cols * a.cols);
  rntm_t rntm = initialise();
  const detail::InsideOpenMp inside;
  T* pa = const_cast<T*>(a.data);
  T* pb = const_cast<T*>(b.data);
  // LAB 2.5 BEGIN  bli_sgemm_ex() for float, bli_dgemm_ex() for double: M, N, K, and each matrix with its two strides
  if constexpr (std::is_same_v<T, float>) {
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, c.rows, c.cols, a.cols, &alpha, pa, a.row_stride, a.col_stride, pb,
                 b.row_stride, b.col_stride, &beta, c.data, c.row_stride, c.col_stride, nullptr, &rntm);
  } else {
    bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, c.rows, c.cols, a.cols, &alpha, pa, a.row_stride, a.col_stride, pb,
                 b.row_stride, b.col_stride, &beta, c.data, c.row_stride, c.col_stride, nullptr, &rntm);
  }
  // LAB 2.5 END
  detail::check_blis_memory();
}

// C = beta C, where beta = 0 writes zeros even over NaN.
template <class T>
void scale(T beta, MatrixView<T> c) {
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) {
      T& x = c.data[i * c.row_stride + j * c.col_stride];
      x = beta == T{0} ? T{0} : beta * x;
    }
  }
}

template <class T>
void check_shapes(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) {
  check(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols, ErrorKind::kShape, "gemm", "shapes do not fit: a is [",
        a.rows, ", ", a.cols, "], b is [", b.rows, ", ", b.cols, "], c is [", c.rows, ", ", c.cols, "]");
}

// How a product is cut into tiles. Depends on its shape alone, never on the number of threads.
struct Tiling {
  int64_t rows, cols, depth;  // pieces of M, N and K

  Tiling(int64_t m, int64_t n, int64_t k) : rows(std::max<int64_t>(1, ceil_div(m, 256))), cols(std::max<int64_t>(1, ceil_div(n, 1024))), depth(1) {
    // BLIS packs the operands again for every tile. At least 128 rows and columns per tile keep that cheap.
    while (rows * cols < kEnough && (m / rows >= 2 * kLeast || n / cols >= 2 * kLeast) && k < 8 * std::max(m, n)) {
      if (m / rows >= n / cols) {
        ++rows;
      } else {
        ++cols;
      }
    }
    if (rows * cols < kEnough) depth = std::clamp<int64_t>(k / 256, 1, kEnough);
    if (depth > 1) rows = cols = 1;
  }

  static constexpr int64_t kEnough = 8;  // tiles, enough to keep a few threads busy
  static constexpr int64_t kLeast = 128;
};

// Small C, long K: pieces of K are multiplied in parallel, and their products are added in order.
template <class T>
void gemm_split_depth(int64_t depth, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
  const int64_t size = c.rows * c.cols;
  const Storage scratch(depth * size * static_cast<int64_t>(sizeof(T)));
  T* partial = static_cast<T*>(scratch.data());
  // LAB 2.4 BEGIN  the product of piece d of K into matrix d of `partial`, in parallel; C = their sum, in order, + beta C
  parallel_for(depth, 1, [&](int64_t begin, int64_t end) {
    for (int64_t d = begin; d < end; ++d) {
      const int64_t k0 = a.cols * d / depth, k1 = a.cols * (d + 1) / depth;
      gemm_serial(alpha, a.block(0, a.rows, k0, k1 - k0), b.block(k0, k1 - k0, 0, b.cols), T{0},
                  MatrixView<T>{partial + d * size, c.rows, c.cols, c.cols, 1});
    }
  });
  parallel_for(c.rows, std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, c.cols * depth)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   T* sum = partial + i * c.cols;
                   for (int64_t d = 1; d < depth; ++d) {
                     const T* more = sum + d * size;
                     for (int64_t j = 0; j < c.cols; ++j) sum[j] += more[j];
                   }
                   T* out = c.data + i * c.row_stride;
                   for (int64_t j = 0; j < c.cols; ++j)
                     out[j * c.col_stride] = sum[j] + (beta == T{0} ? T{0} : beta * out[j * c.col_stride]);
                 }
               });
  // LAB 2.4 END
}

constexpr double kParallelWork = 1 << 18;  // multiply-adds below which a parallel region costs more than it saves

}  // namespace

template <class T>
void gemm_serial(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
  check_shapes(a, b, c);
  if (c.rows == 0 || c.cols == 0) return;
  if (a.cols == 0) return scale(beta, c);
  blis_gemm(alpha, a, b, beta, c);
}

template <class T>
void gemm(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c, const TileEpilogue& epilogue,
          Precision precision) {
  check_shapes(a, b, c);
  if constexpr (std::is_same_v<T, float>) {
    if (alpha == 1 && detail::suits_product(a, b, beta, c)) {
      return detail::product(a, b, beta, c, epilogue, precision);
    }
  }
  gemm_blis(alpha, a, b, beta, c, epilogue);
}

template <class T>
void gemm_blis(T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c, const TileEpilogue& epilogue) {
  check_shapes(a, b, c);
  const double work = static_cast<double>(c.rows) * static_cast<double>(c.cols) * static_cast<double>(a.cols);
  const Tiling tiling(c.rows, c.cols, a.cols);
  if (work < kParallelWork || tiling.rows * tiling.cols * tiling.depth == 1 || tiling.depth > 1) {
    if (work < kParallelWork || tiling.depth == 1) {
      gemm_serial(alpha, a, b, beta, c);
    } else {
      gemm_split_depth(tiling.depth, alpha, a, b, beta, c);
    }
    if (epilogue && c.rows > 0 && c.cols > 0) epilogue(0, c.rows, 0, c.cols);
    return;
  }
  parallel_for(tiling.rows * tiling.cols, 1, [&](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t i = tile / tiling.cols, j = tile % tiling.cols;
      const int64_t r0 = c.rows * i / tiling.rows, r1 = c.rows * (i + 1) / tiling.rows;
      const int64_t c0 = c.cols * j / tiling.cols, c1 = c.cols * (j + 1) / tiling.cols;
      gemm_serial(alpha, a.block(r0, r1 - r0, 0, a.cols), b.block(0, b.rows, c0, c1 - c0), beta,
                  c.block(r0, r1 - r0, c0, c1 - c0));
      if (epilogue) epilogue(r0, r1, c0, c1);
    }
  });
}

#define VITRAIL_INSTANTIATE(T)                                                                                       \
  template void gemm(T, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>, const TileEpilogue&, Precision); \
  template void gemm_blis(T, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>, const TileEpilogue&);       \
  template void gemm_serial(T, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

std::string blas_kernel_name() {
  initialise();
  return bli_arch_string(bli_arch_query_id());
}

std::string blas_notice() {
  choose_kernels_once();  // starting BLIS takes 2 MB, and a model whose products are all ours never needs it
  return notice();
}

}  // namespace vitrail
