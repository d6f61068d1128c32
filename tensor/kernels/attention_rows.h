// The steps of tiled attention on a row of scores between two products. Rows are padded to padded_cols(keys) with values that
// do not change any result.
#pragma once

#include <algorithm>
#include <limits>

#include "tensor/machine/bf16.h"
#include "tensor/machine/simd.h"
#include "tensor/product/panel_product.h"

namespace vitrail::detail {

constexpr int64_t kChunk = 16;
using Chunk = simd::Vector<float, kChunk>;

inline Bits16 bits_of(Chunk x) { return reinterpret_cast<Bits16>(x); }

// sum_j a_j b_j over a padded row of `filled` elements.
inline float dot_product(const float* a, const float* b, int64_t filled) {
  simd::Floats sums = {};
  for (int64_t j = 0; j < filled; j += simd::kLanes) sums += simd::load(a + j) * simd::load(b + j);
  return simd::sum_of(sums);
}

// Sets the padding of a row of scores to -inf, whose exponential is 0. Stores whole vectors: a later load of a vector that was
// stored in parts would have to wait for all of these stores.
inline void fill_up(float* s, int64_t keys) {
  const simd::Floats never = -std::numeric_limits<float>::infinity() - simd::Floats{};
  simd::Ints lane;
  for (int i = 0; i < simd::kLanes; ++i) lane[i] = i;
  for (int64_t j = keys / simd::kLanes * simd::kLanes; j < padded_cols(keys); j += simd::kLanes)
    simd::store(s + j, lane < static_cast<int32_t>(keys - j) ? simd::load(s + j) : never);
}

// s = e^(scale s - shift), and returns their sum. Requires scale s <= shift (up to rounding). With kRound it also stores them
// in bf16.
template <bool kRound = false>
inline float exponentials(float* s, int64_t filled, float scale, float shift, uint32_t* rounded = nullptr) {
  simd::Floats total = {};
  for (int64_t j = 0; j < filled; j += simd::kLanes) {
    const simd::Floats e = simd::exp_nonpositive(scale * simd::load(s + j) - shift);
    simd::store(s + j, e);
    if constexpr (kRound) store_rounded(rounded + j / 2, e);
    total += e;
  }
  return simd::sum_of(total);
}

// The shift of the exponentials: the highest scale s, or 0 if all are -inf.
inline float shift_of(float* s, int64_t keys, float scale) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  fill_up(s, keys);
  simd::Floats highs = kNever - simd::Floats{};
  for (int64_t j = 0; j < padded_cols(keys); j += simd::kLanes) highs = simd::max(simd::load(s + j), highs);
  const float high = scale * simd::max_of(highs);
  return high == kNever ? 0.0f : high;
}

// dS = scale P (dP - D), in place of dP.
inline void gradient_row(const float* p, float* dp, int64_t filled, float scale, float d) {
  for (int64_t j = 0; j < filled; j += kChunk) {
    const Chunk ds = simd::load<Chunk>(p + j) * (simd::load<Chunk>(dp + j) * scale - d * scale);
    simd::store(dp + j, ds);
  }
}

// P and dS in bf16: pairs along the queries for the products with P^T and dS^T, and pairs along the keys for the product with
// dS.
struct RoundedRows {
  uint32_t *p_down, *ds_down, *ds_along;
};

// gradient_row for two queries, with the results in bf16. Rows are `stride` apart in p and dp, and stride / 2 apart in
// ds_along.
inline void gradient_rows(const float* p, const float* dp, int64_t stride, int64_t filled, float scale, const float (&d)[2],
                          RoundedRows to) {
  for (int64_t j = 0; j < filled; j += kChunk) {
    const Chunk p0 = simd::load<Chunk>(p + j), p1 = simd::load<Chunk>(p + stride + j);
    const Chunk ds0 = p0 * (simd::load<Chunk>(dp + j) * scale - d[0] * scale);
    const Chunk ds1 = p1 * (simd::load<Chunk>(dp + stride + j) * scale - d[1] * scale);
    simd::store(to.p_down + j, pair_of(bits_of(p0), bits_of(p1)));
    simd::store(to.ds_down + j, pair_of(bits_of(ds0), bits_of(ds1)));
    store_rounded(to.ds_along + j / 2, ds0);
    store_rounded(to.ds_along + (stride + j) / 2, ds1);
  }
}

}  // namespace vitrail::detail
