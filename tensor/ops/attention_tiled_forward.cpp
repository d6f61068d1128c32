// Attention forward, one (image, head) at a time. K is packed transposed and V as it is, once for all queries; a tile of
// queries at a time, the scores S = scale Q K^T become e^(S - max) in the cache and multiply V. The division by the row sum
// waits until O: that is Kv numbers per query instead of M.
#include <limits>

#include "tensor/flops.h"
#include "tensor/ops/attention_tiled.h"
#include "tensor/parallel.h"

namespace vitrail::detail {
namespace {

struct RowStatistics {
  float shift, factor;  // P = factor e^(S - shift)
};

// S becomes e^(S - shift). The columns that fill up the last vector count for nothing. -inf everywhere: factor 0.
RowStatistics softmax_row(float* s, int64_t keys) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const int64_t filled = packed_cols(keys);
  std::fill(s + keys, s + filled, kNever);
  simd::Vector highs = kNever - simd::Vector{};
  for (int64_t j = 0; j < filled; j += simd::kLanes) highs = simd::max(simd::load(s + j), highs);
  const float high = simd::max_of(highs);
  const float shift = high == kNever ? 0.0f : high;
  const float total = exponentials(s, filled, shift);
  return {shift, total == 0 ? 0.0f : 1 / total};
}

// Few heads (batch 1) are cut further, so that some threads have something to do. A piece packs K and V for itself, which
// its queries must be worth. Follows from the sizes alone, and changes no bit: every query is computed by itself.
int64_t pieces_per_head(const AttentionCall& c) {
  constexpr int64_t kEnough = 12, kLeast = 64;
  const int64_t heads = std::max<int64_t>(1, c.batch * c.heads);
  return std::clamp<int64_t>((kEnough + heads - 1) / heads, 1, std::max<int64_t>(1, c.queries / kLeast));
}

class Forward {
 public:
  Forward(const AttentionCall& call, AttentionResult& result)
      : c_(call),
        output_(result.output),
        out_(result.output.mutable_data<float>()),
        probabilities_(result.probabilities.defined() ? result.probabilities.mutable_data<float>() : nullptr),
        statistics_(result.statistics.defined() ? result.statistics.mutable_data<float>() : nullptr) {}

  void run() const {
    const int64_t pieces = pieces_per_head(c_);
    const int64_t work = std::max<int64_t>(1, c_.queries * c_.keys * (c_.width + c_.value_width) / pieces);
    count_flops(2 * c_.batch * c_.heads * c_.queries * c_.keys * (c_.width + c_.value_width));
    parallel_for(c_.batch * c_.heads * pieces, std::max<int64_t>(1, kHeadGrain / work), [&](int64_t begin, int64_t end) {
      const Scratch keys(packed_size(c_.width, c_.keys, c_.precision)),
          values(packed_size(c_.keys, c_.value_width, c_.precision)), scores(kTileQueries * tile_stride(c_.keys));
      for (int64_t i = begin; i < end; ++i) {
        const int64_t b = i / pieces / c_.heads, h = i / pieces % c_.heads, piece = i % pieces;
        if (i == begin || piece == 0) {
          pack_panels(head<float>(c_.k, b, h).transposed(), static_cast<float>(c_.scale), keys.data(), c_.precision);
          pack_panels(head<float>(c_.v, b, h), 1, values.data(), c_.precision);
        }
        for_each_tile(c_.queries * piece / pieces, c_.queries * (piece + 1) / pieces, [&](int64_t first, int64_t count) {
          tile(b, h, first, count, keys.data(), values.data(), scores.data());
        });
      }
    });
  }

 private:
  void tile(int64_t b, int64_t h, int64_t first, int64_t count, const float* keys, const float* values, float* scores) const {
    const MatrixView<float> s{scores, count, packed_cols(c_.keys), tile_stride(c_.keys), 1};
    const MatrixView<const float> q = rows_of(head<float>(c_.q, b, h), first, count);
    prefetch_rows(q);
    multiply_panels(q, keys, s, false, c_.precision);  // [rows, K] x [K, M]
    RowStatistics rows[kTileQueries];
    for (int64_t i = 0; i < count; ++i) {
      float* row = s.data + i * s.row_stride;
      if (c_.mask.defined()) apply_mask(row, c_.keys, c_.mask, b, h, first + i);
      rows[i] = softmax_row(row, c_.keys);
      keep(((b * c_.heads) + h) * c_.queries + first + i, row, rows[i]);
    }
    const MatrixView<float> o = rows_of(head(out_, output_, b, h), first, count);
    multiply_panels(constant(s).block(0, count, 0, c_.keys), values, o, false, c_.precision);  // [rows, M] x [M, Kv]
    for (int64_t i = 0; i < count; ++i) {
      float* row = o.data + i * o.row_stride;
      for (int64_t j = 0; j < o.cols; ++j) row[j] *= rows[i].factor;
    }
  }

  void keep(int64_t query, const float* exponentials, RowStatistics row) const {
    if (probabilities_) {
      float* p = probabilities_ + query * c_.keys;
      for (int64_t j = 0; j < c_.keys; ++j) p[j] = exponentials[j] * row.factor;
    }
    if (statistics_) statistics_[2 * query] = row.shift, statistics_[2 * query + 1] = row.factor;
  }

  const AttentionCall& c_;
  const Tensor& output_;
  float* out_;
  float* probabilities_;
  float* statistics_;
};

}  // namespace

void attention_forward_tiled(const AttentionCall& call, AttentionResult& result) { Forward(call, result).run(); }

}  // namespace vitrail::detail
