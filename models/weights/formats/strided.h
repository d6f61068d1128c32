// Tensors whose elements do not lie one behind the other in the file.
#pragma once

#include "tensor/shape.h"
#include "tensor/stored_type.h"

namespace vitrail {

// Elements of a tensor in row-major order, fetched from `data`: element (i, j, ...) has the index i * strides[0] +
// j * strides[1] + ... The caller has checked that they lie within `data`, and keeps it alive.
FetchElements fetch_strided(const uint8_t* data, int64_t element_bytes, const Shape& shape, const Shape& strides);

}  // namespace vitrail
