// NumPy's array file .npy, versions 1 to 3 (numpy/lib/format.py): a magic, the header's length, the header as the text of a
// Python dictionary, then the elements.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tensor/stored_type.h"
#include "tensor/tensor.h"

namespace vitrail {

// What stands in front of the elements.
struct NpyHeader {
  const StoredType* type = nullptr;
  Shape shape;
  bool fortran = false;  // the first index runs fastest
  int64_t bytes = 0;     // of the elements
};

// Reads the header through `read`, which gives the next bytes; `left` is how many there are. Types: <f2 <f4 <f8, i1 <i2 <i4
// <i8, u1 <u2 <u4 <u8, b1, and V2, as bfloat16 is written. At most 8 axes. Error(kData) "[npy] where: ..." for anything else,
// and if the elements are not exactly what is left behind the header.
NpyHeader read_npy_header(const std::function<void(void* to, int64_t bytes)>& read, int64_t left, const std::string& where);

// Writes a tensor as .npy version 1 (f32, f64, i64, u8), atomically (base/file.h).
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace vitrail
