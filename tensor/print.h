// Tensors as text for people.
#pragma once

#include <iosfwd>
#include <string>

#include "tensor/tensor.h"

namespace vitrail {

// Nested brackets, columns aligned, shape and dtype at the end:
//   Tensor([[1.0000, 2.5000],
//           [3.0000,    nan]], shape=[2, 2], dtype=f32)
// Above 1000 elements, of each axis longer than six only the first and last three are shown. Floats have four decimals, in
// scientific notation if the magnitude of a shown element is at least 1e6, or below 1e-4 and not 0. The undefined tensor is
// Tensor(undefined).
std::string to_string(const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace vitrail
