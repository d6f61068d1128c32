#include "tensor/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/convert.h"
#include "tensor/machine/parallel.h"
#include "tensor/view.h"

namespace vitrail {

Tensor::Tensor(std::shared_ptr<Storage> storage, Shape shape, Shape strides, int64_t offset, Dtype dtype)
    : storage_(std::move(storage)),
      shape_(shape),
      strides_(strides),
      offset_(offset),
      numel_(checked_numel(shape, "tensor")),
      dtype_(dtype) {
  check(defined(), ErrorKind::kValue, "tensor", "the tensor is undefined: it has no memory to view");
  check(storage_ != nullptr, ErrorKind::kValue, "tensor", "a view of an undefined tensor");
  check(shape.size() == strides.size(), ErrorKind::kShape, "tensor", "as many strides as extents: shape is ", shape,
        ", strides are ", strides);
  int64_t first = offset, last = offset, reach = 0;
  bool overflow = false;
  for (int i = 0; i < shape.size() && numel_ > 0; ++i) {
    int64_t& end = strides[i] < 0 ? first : last;
    overflow = overflow || __builtin_mul_overflow(strides[i], shape[i] - 1, &reach) || __builtin_add_overflow(end, reach, &end);
  }
  const int64_t capacity = storage_->bytes() / size_of(dtype);
  check(numel_ == 0 || (!overflow && first >= 0 && last < capacity), ErrorKind::kShape, "tensor", "view outside the memory: elements ",
        first, " to ", last, " of ", capacity, " (shape ", shape, ", strides ", strides, ", offset ", offset, ")");
  contiguous_ = true;
  int64_t expected = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != expected) contiguous_ = false;
    expected *= std::max<int64_t>(shape[i], 1);
  }
  contiguous_ = contiguous_ || numel_ == 0;
}

int64_t Tensor::size(int axis) const { return shape_.empty() ? 1 : shape_[normalize_axis(axis, dim(), "size")]; }
int64_t Tensor::stride(int axis) const { return shape_.empty() ? 0 : strides_[normalize_axis(axis, dim(), "stride")]; }

void Tensor::require_dtype(Dtype wanted) const {
  check(defined(), ErrorKind::kValue, "data", "the tensor is undefined");
  check(dtype_ == wanted, ErrorKind::kValue, "data", "dtypes differ: the tensor holds ", name_of(dtype_), ", asked for as ",
        name_of(wanted), ". Hint: convert with to(x, Dtype::", name_of(wanted), ").");
}

void Tensor::prepare_write() {
  for (int i = 0; i < dim(); ++i) {
    // A tensor without elements is accepted: no write can change several at once.
    check(strides_[i] != 0 || shape_[i] <= 1 || numel_ == 0, ErrorKind::kValue, "write", "cannot write to an expanded tensor: shape is ",
          shape_, ", strides are ", strides_, " (one element stands for several). Hint: write to clone(x).");
  }
  storage_->bump_version();
}

double Tensor::item() const {
  check(defined(), ErrorKind::kValue, "item", "the tensor is undefined");
  check(numel_ == 1, ErrorKind::kShape, "item", "needs exactly one element: shape is ", shape_, " (", numel_, " elements)");
  return dispatch(dtype_, [&](auto zero) { return static_cast<double>(*data<decltype(zero)>()); });
}

double Tensor::at(const std::vector<int64_t>& index) const {
  check(static_cast<int>(index.size()) == dim(), ErrorKind::kShape, "at", "one index per axis: ", index.size(),
        " indices, shape is ", shape_);
  // LAB 1.2 BEGIN  The place of the element in memory; negative indices count from the end; check() each index as kShape.
  int64_t place = 0;
  for (int i = 0; i < dim(); ++i) {
    const int64_t k = index[i] < 0 ? index[i] + shape_[i] : index[i];
    check(k >= 0 && k < shape_[i], ErrorKind::kShape, "at", "index ", index[i], " is outside axis ", i, " of ", shape_);
    place += k * strides_[i];
  }
  return dispatch(dtype_, [&](auto zero) { return static_cast<double>(data<decltype(zero)>()[place]); });
  // LAB 1.2 END
}

// ---- making ----

Tensor empty(const Shape& shape, Dtype dtype, const char* op) {
  auto storage = std::make_shared<Storage>(checked_bytes(shape, size_of(dtype), op));
  return Tensor(std::move(storage), shape, contiguous_strides(shape), 0, dtype);
}

Tensor empty_like(const Tensor& x) { return empty(x.shape(), x.dtype()); }

Tensor full(const Shape& shape, double value, Dtype dtype) {
  Tensor x = empty(shape, dtype, "full");
  fill_(x, value);
  return x;
}

Tensor zeros(const Shape& shape, Dtype dtype) { return full(shape, 0, dtype); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor ones(const Shape& shape, Dtype dtype) { return full(shape, 1, dtype); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), x.dtype()); }
Tensor scalar(double value, Dtype dtype) { return full({}, value, dtype); }

namespace {

// True if both numbers, with their fractions cut off, fit the integer type T.
template <class T>
bool holds(double a, double b) {
  const auto lowest = static_cast<double>(std::numeric_limits<T>::min());
  const double beyond = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2;  // max + 1: max itself may round
  return std::trunc(std::min(a, b)) >= lowest && std::trunc(std::max(a, b)) < beyond;
}

}  // namespace

Tensor arange(double start, double end, double step, Dtype dtype) {
  check(step != 0 && std::isfinite(start) && std::isfinite(end) && std::isfinite(step) && std::isfinite((end - start) / step),
        ErrorKind::kValue, "arange", "step must lead from start to end: start is ", start, ", end is ", end, ", step is ", step,
        ". Hint: all three are finite numbers, and step is not 0.");
  const double count = std::max(0.0, std::ceil((end - start) / step)), last = start + std::max(0.0, count - 1) * step;
  check(count < 0x1p62, ErrorKind::kShape, "arange", "too many elements: ", count);
  return dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      check(count == 0 || holds<T>(start, last), ErrorKind::kValue, "arange", name_of(dtype),
            " does not hold all numbers: the first is ", start, ", the last ", last);
    }
    Tensor x = empty({static_cast<int64_t>(count)}, dtype, "arange");
    T* out = x.mutable_data<T>();
    if (std::is_integral_v<T> && start == std::trunc(start) && step == std::trunc(step) && std::abs(step) < 0x1p63) {
      // In integers, because doubles are not exact beyond 2^53; unsigned, because i * step may wrap in between.
      const auto first = static_cast<uint64_t>(convert<int64_t>(start)), by = static_cast<uint64_t>(convert<int64_t>(step));
      for (int64_t i = 0; i < x.numel(); ++i) out[i] = static_cast<T>(first + static_cast<uint64_t>(i) * by);
    } else {
      for (int64_t i = 0; i < x.numel(); ++i) out[i] = convert<T>(start + static_cast<double>(i) * step);
    }
    return x;
  });
}

Tensor linspace(double start, double end, int64_t count, Dtype dtype) {
  check(count >= 0, ErrorKind::kValue, "linspace", "count must not be negative: count is ", count);
  Tensor x = empty({count}, dtype, "linspace");
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = x.mutable_data<T>();
    for (int64_t i = 0; i < count; ++i) {
      const double t = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0;
      out[i] = convert<T>(i + 1 == count && count > 1 ? end : start + (end - start) * t);
    }
  });
  return x;
}

Tensor eye(int64_t n, Dtype dtype) {
  Tensor x = zeros({n, n}, dtype);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = x.mutable_data<T>();
    for (int64_t i = 0; i < n; ++i) out[i * n + i] = T{1};
  });
  return x;
}

namespace {
template <class T>
Tensor from_values(const std::vector<T>& values, const Shape& shape) {
  check(static_cast<int64_t>(values.size()) == checked_numel(shape, "from_vector"), ErrorKind::kShape, "from_vector",
        "as many values as the shape has elements: ", values.size(), " values, shape is ", shape);
  Tensor x = empty(shape, dtype_of<T>(), "from_vector");
  if (!values.empty()) std::memcpy(x.mutable_data<T>(), values.data(), values.size() * sizeof(T));
  return x;
}
}  // namespace

Tensor from_vector(const std::vector<float>& values, const Shape& shape) { return from_values(values, shape); }
Tensor from_vector(const std::vector<double>& values, const Shape& shape) { return from_values(values, shape); }
Tensor from_vector(const std::vector<int64_t>& values, const Shape& shape) { return from_values(values, shape); }
Tensor from_vector(const std::vector<uint8_t>& values, const Shape& shape) { return from_values(values, shape); }

template <class T>
std::vector<T> to_vector(const Tensor& x) {
  const Tensor y = contiguous(to(x, dtype_of<T>()));
  return {y.data<T>(), y.data<T>() + y.numel()};
}
template std::vector<float> to_vector(const Tensor&);
template std::vector<double> to_vector(const Tensor&);
template std::vector<int64_t> to_vector(const Tensor&);
template std::vector<uint8_t> to_vector(const Tensor&);

}  // namespace vitrail
