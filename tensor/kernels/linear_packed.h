// Weights packed for products and kept between calls: packing a weight costs as much as multiplying it by a dozen rows, and a
// model that answers for one image multiplies few rows by the same weights again and again.
#pragma once

#include <memory>

#include "tensor/product/product.h"
#include "tensor/tensor.h"

namespace vitrail::detail {

// The weight [N, K], packed as the right operand of x W^T: made now, or kept from a call before. Null where keeping it saves
// nothing: many rows, another dtype than f32, a small or strided weight, a processor without our kernels.
//
// Ownership: the packed copy belongs to the weight's storage. It is freed by the next in-place write and with the storage. The
// copies of one storage (slices, two precisions) hold at most as many numbers as the storage; the oldest goes first.
// Thread safety: any number of threads may ask for the same weight. Two that pack it at once make the same bits.
std::shared_ptr<const PackedMatrix> kept_packed_weight(const Tensor& x, const Tensor& weight, Precision precision);

}  // namespace vitrail::detail
