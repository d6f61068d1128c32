#include "tensor/reference/copy.h"

#include "base/convert.h"
#include "tensor/reference/elements.h"

namespace vitrail::reference {

// dst_i = src_i
void copy(Tensor dst, const Tensor& src) {
  dispatch(dst.dtype(), [&](auto to_zero) {
    dispatch(src.dtype(), [&](auto from_zero) {
      using To = decltype(to_zero);
      using From = decltype(from_zero);
      const auto from = read<From>(src);
      const auto to = write<To>(dst);
      for (int64_t i = 0; i < dst.numel(); ++i) to[i] = convert<To>(from[i]);
    });
  });
}

// dst_i += alpha src_i
void add(Tensor dst, const Tensor& src, double alpha) {
  dispatch_float("add_", dst.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto from = read<T>(src);
    const auto to = write<T>(dst);
    for (int64_t i = 0; i < dst.numel(); ++i) to[i] += static_cast<T>(alpha) * from[i];
  });
}

}  // namespace vitrail::reference
