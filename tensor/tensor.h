// Tensor: a block of memory seen through a shape and strides. It knows nothing of gradients (autograd/variable.h does).
//
// A Tensor is a handle: copying one copies no elements, and views (tensor/view.h) share the block. Row-major by default.
// Operations are free functions, with the same names at both levels: softmax(Tensor), softmax(Variable).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace vitrail {

class Rng;

class Tensor {
 public:
  // The undefined tensor: defined() is false; no memory, no shape. Stands for an optional tensor that is left out.
  Tensor() = default;
  // A view of `storage`. Error(kShape) if any element would lie outside the block.
  Tensor(std::shared_ptr<Storage> storage, Shape shape, Shape strides, int64_t offset, Dtype dtype);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }  // in elements
  int64_t offset() const { return offset_; }         // in elements
  Dtype dtype() const { return dtype_; }
  int dim() const { return shape_.size(); }  // the rank
  int64_t numel() const { return numel_; }
  // Extent of one axis; negative axes count from the end.
  int64_t size(int axis) const;
  int64_t stride(int axis) const;
  // True if the elements lie in row-major order without gaps.
  bool is_contiguous() const { return contiguous_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  uint64_t version() const { return storage_ ? storage_->version() : 0; }

  // Pointer to the first element. T must be the tensor's element type, else Error(kValue).
  template <class T>
  const T* data() const {
    require_dtype(dtype_of<T>());
    return static_cast<const T*>(storage_->data()) + offset_;
  }
  // The same for writing: raises the storage's version. Error(kValue) for an expanded tensor (stride 0), since one write would
  // change several elements. The pointer is valid for writes until the tensor's next use. Call this again for later writes: ops
  // cache what they computed from a version (Saved, a linear layer's packed weight), and only this call raises it.
  template <class T>
  T* mutable_data() {
    require_dtype(dtype_of<T>());
    prepare_write();
    return static_cast<T*>(storage_->data()) + offset_;
  }

  // The element of a one-element tensor, as double. Integers beyond 2^53 are rounded; to_vector<int64_t>() gives them exactly.
  // Error(kShape) otherwise.
  double item() const;
  // One element, as double; negative indices count from the end. Error(kShape) if out of range.
  double at(const std::vector<int64_t>& index) const;

 private:
  void require_dtype(Dtype wanted) const;
  void prepare_write();

  std::shared_ptr<Storage> storage_;
  Shape shape_, strides_;
  int64_t offset_ = 0;
  int64_t numel_ = 0;
  Dtype dtype_ = Dtype::f32;
  bool contiguous_ = false;
};

// ---- making tensors ----

// Uninitialised elements. Error(kShape) if the size overflows, Error(kMemory) if memory is short; both name `op`.
Tensor empty(const Shape& shape, Dtype dtype = Dtype::f32, const char* op = "empty");
Tensor empty_like(const Tensor& x);  // contiguous, whatever the strides of x
Tensor zeros(const Shape& shape, Dtype dtype = Dtype::f32);
Tensor zeros_like(const Tensor& x);
Tensor ones(const Shape& shape, Dtype dtype = Dtype::f32);
Tensor ones_like(const Tensor& x);
Tensor full(const Shape& shape, double value, Dtype dtype = Dtype::f32);
Tensor scalar(double value, Dtype dtype = Dtype::f32);  // rank 0
// start, start + step, ...: ceil((end - start) / step) values, none where step leads away from end (NumPy, PyTorch, ONNX).
// Rounding of the quotient may add a last value equal to end. Integers are exact beyond 2^53 too. Error(kValue) unless all
// three are finite, step is not 0, and the dtype can represent the values; Error(kShape) for too many.
Tensor arange(double start, double end, double step = 1, Dtype dtype = Dtype::f32);
// `count` values from start to end, both included.
Tensor linspace(double start, double end, int64_t count, Dtype dtype = Dtype::f32);
// The identity [n, n].
Tensor eye(int64_t n, Dtype dtype = Dtype::f32);
// From values in row-major order; their number must be checked_numel(shape), else Error(kShape).
Tensor from_vector(const std::vector<float>& values, const Shape& shape);
Tensor from_vector(const std::vector<double>& values, const Shape& shape);
Tensor from_vector(const std::vector<int64_t>& values, const Shape& shape);
Tensor from_vector(const std::vector<uint8_t>& values, const Shape& shape);
// All elements in row-major order, converted to T (float, double, int64_t, uint8_t).
template <class T>
std::vector<T> to_vector(const Tensor& x);

// ---- whole-tensor copies and in-place writes (a trailing underscore writes into the first argument) ----

// A contiguous tensor with the same elements: x itself if it is contiguous already.
Tensor contiguous(const Tensor& x);
// A contiguous copy in new memory.
Tensor clone(const Tensor& x);
// The elements converted (float to integer truncates towards zero and never leaves its
// range, NaN becomes 0: base/convert.h); x itself if it has that dtype.
Tensor to(const Tensor& x, Dtype dtype);
void fill_(Tensor x, double value);
void zero_(Tensor x);
// dst = src, src broadcast to dst's shape and converted to its dtype. Overlap of the two is not supported.
void copy_(Tensor dst, const Tensor& src);
// dst += alpha * src for equal float dtypes, src broadcast to dst's shape.
void add_(Tensor dst, const Tensor& src, double alpha = 1);
// dst *= factor.
void mul_(Tensor dst, double factor);

// Same dtype, shape and elements to the bit (NaN equals NaN).
bool bit_equal(const Tensor& a, const Tensor& b);

}  // namespace vitrail
