#include "tensor/reference/copy.h"

#include <algorithm>

#include "base/convert.h"
#include "tensor/reference/elements.h"

namespace vitrail::reference {

// dst_i = src_i
void copy(Tensor dst, const Tensor& src) {
  dispatch(dst.dtype(), [&](auto to_zero) {
    dispatch(src.dtype(), [&](auto from_zero) {
      using To = decltype(to_zero);
      using From = decltype(from_zero);
      const From* from = src.data<From>();
      To* to = dst.mutable_data<To>();
      // LAB 1.6 BEGIN  Copy every element: the last axis varies fastest, and the strides alone say where an element lies.
      Shape index = dst.shape();
      std::fill(index.begin(), index.end(), 0);
      for (int64_t n = 0; n < dst.numel(); ++n) {
        *to = convert<To>(*from);
        for (int axis = dst.dim() - 1; axis >= 0; --axis) {  // like an odometer: a full wheel goes back to 0, the next one moves
          to += dst.strides()[axis], from += src.strides()[axis];
          if (++index[axis] < dst.shape()[axis]) break;
          to -= dst.strides()[axis] * dst.shape()[axis], from -= src.strides()[axis] * src.shape()[axis];
          index[axis] = 0;
        }
      }
      // LAB 1.6 END
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
