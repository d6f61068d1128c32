// Copies between layouts and dtypes, and in-place writes. All use the same loop over strided memory.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/convert.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops/rounding.h"
#include "tensor/plain.h"
#include "tensor/reference/copy.h"
#include "tensor/tensor.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

// Calls row(dst, src) for the start of every row (last axis) of two tensors of one shape. dst is walked in row-major order.
struct RowWalk {
  Shape shape, dst_strides, src_strides;  // without the last axis
  int64_t rows = 1, length = 1, dst_step = 1, src_step = 1;

  RowWalk(const Tensor& dst, const Tensor& src) : shape(dst.shape()), dst_strides(dst.strides()), src_strides(src.strides()) {
    if (!shape.empty()) {
      const int last = shape.size() - 1;
      length = shape[last], dst_step = dst_strides[last], src_step = src_strides[last];
      shape.erase(last), dst_strides.erase(last), src_strides.erase(last);
    }
    rows = checked_numel(shape);
  }

  template <class Row>
  void for_each(Row&& row) const {
    if (length == 0) return;
    parallel_for(rows, std::max<int64_t>(1, kElementwiseGrain / length), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        int64_t rest = r, dst = 0, src = 0;
        for (int i = shape.size() - 1; i >= 0; --i) {
          const int64_t k = rest % shape[i];
          rest /= shape[i];
          dst += k * dst_strides[i];
          src += k * src_strides[i];
        }
        row(dst, src);
      }
    });
  }
};

template <class To, class From>
void copy_row(To* dst, int64_t dst_step, const From* src, int64_t src_step, int64_t n) {
  if (dst_step == 1 && src_step == 1) {
    if constexpr (std::is_same_v<To, From>) {
      std::memcpy(dst, src, n * sizeof(To));
    } else {
      for (int64_t i = 0; i < n; ++i) dst[i] = convert<To>(src[i]);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i * dst_step] = convert<To>(src[i * src_step]);
  }
}

template <class T>
void add_row(T* dst, int64_t dst_step, const T* src, int64_t src_step, int64_t n, T alpha) {
  if (dst_step == 1 && src_step == 1) {
    for (int64_t i = 0; i < n; ++i) dst[i] += alpha * src[i];
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i * dst_step] += alpha * src[i * src_step];
  }
}

// Calls row(dst, dst_step, src, src_step, n) for all elements of two tensors of one shape, in parallel: row by row, or, where
// both are contiguous, in pieces of equal length.
template <class To, class From, class Row>
void for_each_row(Tensor& dst, const Tensor& src, Row&& row) {
  To* to = dst.mutable_data<To>();
  const From* from = src.data<From>();
  if (dst.is_contiguous() && src.is_contiguous()) {
    parallel_for(dst.numel(), kElementwiseGrain,
                 [&](int64_t begin, int64_t end) { row(to + begin, int64_t{1}, from + begin, int64_t{1}, end - begin); });
    return;
  }
  const RowWalk walk(dst, src);
  walk.for_each([&](int64_t d, int64_t s) { row(to + d, walk.dst_step, from + s, walk.src_step, walk.length); });
}

}  // namespace

Tensor clone(const Tensor& x) {
  Tensor y = empty_like(x);
  copy_(y, x);
  return y;
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor to(const Tensor& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  if (dtype == Dtype::bf16) return round_to_bf16(to(x, Dtype::f32));
  if (x.dtype() == Dtype::bf16) return to(widen_bf16(x), dtype);
  Tensor y = empty(x.shape(), dtype, "to");
  copy_(y, x);
  return y;
}

void fill_(Tensor x, double value) {
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T number = convert<T>(value);
    T* out = x.mutable_data<T>();
    if (x.is_contiguous()) {
      parallel_for(x.numel(), kElementwiseGrain,
                   [&](int64_t begin, int64_t end) { std::fill(out + begin, out + end, number); });
      return;
    }
    const RowWalk walk(x, x);
    walk.for_each([&](int64_t d, int64_t) {
      for (int64_t i = 0; i < walk.length; ++i) out[d + i * walk.dst_step] = number;
    });
  });
}

void zero_(Tensor x) { fill_(x, 0); }

void copy_(Tensor dst, const Tensor& src) {
  Tensor from = src.shape() == dst.shape() ? src : expand(src, dst.shape());
  if (runs_plain(PlainOp::kCopy)) return reference::copy(dst, from);
  dispatch(dst.dtype(), [&](auto to_zero) {
    dispatch(from.dtype(), [&](auto from_zero) {
      using To = decltype(to_zero);
      using From = decltype(from_zero);
      for_each_row<To, From>(dst, from, copy_row<To, From>);
    });
  });
}

void add_(Tensor dst, const Tensor& src, double alpha) {
  check(dst.dtype() == src.dtype(), ErrorKind::kValue, "add_", "dtypes differ: dst is ", name_of(dst.dtype()), ", src is ",
        name_of(src.dtype()));
  Tensor from = src.shape() == dst.shape() ? src : expand(src, dst.shape());
  if (runs_plain(PlainOp::kCopy)) return reference::add(dst, from, alpha);
  dispatch_float("add_", dst.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_row<T, T>(dst, from, [a = static_cast<T>(alpha)](T* to, int64_t to_step, const T* add, int64_t step, int64_t n) {
      add_row(to, to_step, add, step, n, a);
    });
  });
}

void mul_(Tensor dst, double factor) {
  dispatch_float("mul_", dst.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_row<T, T>(dst, dst, [f = static_cast<T>(factor)](T* to, int64_t step, const T*, int64_t, int64_t n) {
      for (int64_t i = 0; i < n; ++i) to[i * step] *= f;
    });
  });
}

bool bit_equal(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) return false;
  const Tensor x = contiguous(a), y = contiguous(b);
  const auto bytes = [](const Tensor& t) {
    return static_cast<const std::byte*>(t.storage()->data()) + t.offset() * size_of(t.dtype());
  };
  return x.numel() == 0 || std::memcmp(bytes(x), bytes(y), static_cast<size_t>(x.numel() * size_of(x.dtype()))) == 0;
}

}  // namespace vitrail
