// The element types of files of weights, under the names that safetensors gives them, and how they become tensors.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tensor/dtype.h"
#include "tensor/tensor.h"

namespace vitrail {

struct StoredType {
  const char* name;  // "BF16"
  int64_t bytes;     // of an element
  Dtype dtype;       // of the tensor that it becomes
};

// F32, F64, I64, U8, BOOL, F16, BF16, I32, I16, I8, U16, U32, U64; null for any other name.
const StoredType* find_stored_type(const std::string& name);

// Copies `count` stored elements, from element `first` of the row-major order on, to `to`.
using FetchElements = std::function<void(int64_t first, void* to, int64_t count)>;

// F32, F64, I64 and U8 as they are; BOOL as u8 of 0 and 1; F16 and BF16 as f32; the other integers as i64. `fetch` is called
// for pieces in their order, so that the stored form of a converted tensor is never in memory as a whole.
// Error(kData) "[op] where: ..." for a U64 above 2^63 - 1: it does not fit an i64.
Tensor read_stored(const StoredType& type, const Shape& shape, const FetchElements& fetch, const char* op,
                   const std::string& where);

}  // namespace vitrail
