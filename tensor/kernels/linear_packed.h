// Weights packed for products and kept between calls: packing a weight costs as much as multiplying it by a dozen rows, and
// inference on single images multiplies few rows by the same weights in every call.
#pragma once

#include <memory>

#include "tensor/product/product.h"
#include "tensor/tensor.h"

namespace vitrail::detail {

// The weight [N, K], packed as the right operand of x W^T: packed now, or kept from an earlier call. Null where keeping it
// would save nothing: many rows, another dtype than f32, a small or strided weight, a processor without our kernels.
//
// Ownership: the packed copy belongs to the weight's storage. The next in-place write frees it, and so does the storage's
// destructor. The copies kept for one storage (slices, two precisions) have together at most as many numbers as the storage;
// the oldest is dropped first.
// Thread safety: any number of threads may call this for the same weight. Threads that pack it at the same time produce the
// same bits.
std::shared_ptr<const PackedMatrix> kept_packed_weight(const Tensor& x, const Tensor& weight, Precision precision);

}  // namespace vitrail::detail
