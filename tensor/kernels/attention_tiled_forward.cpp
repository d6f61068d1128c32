// Attention forward, one (image, head) at a time. K is packed transposed and V as it is, once for all queries. For each tile of
// queries the scores S = Q K^T become e^(scale S - max) in the cache and are multiplied by V. The result O, not P, is divided
// by the row sum: Kv divisions per query instead of M.
#include <limits>
#include <utility>

#include "tensor/kernels/attention_rows.h"
#include "tensor/kernels/attention_tiled.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"

namespace vitrail::detail {
namespace {

// If there are few heads (batch 1), the queries of each are cut into pieces, so that all threads have work. Returns the number
// of pieces that should finish first, considering that each piece packs K and V again. The results do not depend on it, since
// every query is computed independently.
int64_t pieces_per_head(const AttentionCall& c) {
  constexpr int64_t kPacking = 16;  // the cost of packing, in queries
  const int64_t heads = c.batch * c.heads, threads = num_threads();
  int64_t best = 1, least = std::numeric_limits<int64_t>::max();
  for (int64_t pieces = 1; pieces <= std::max<int64_t>(1, c.queries / kPacking); ++pieces) {
    const int64_t rounds = (heads * pieces + threads - 1) / threads;
    const int64_t cost = rounds * (ceil_div(c.queries, pieces) + kPacking);
    if (cost < least) best = pieces, least = cost;
  }
  return best;
}

// T: the type in which Q, K, V and O are stored, float or Bf16.
template <class T>
class Forward {
 public:
  Forward(const AttentionCall& call, AttentionResult& result)
      : c_(call),
        product_(call.precision),
        scale_(static_cast<float>(call.scale)),
        output_(result.output),
        out_(result.output.mutable_data<T>()),
        probabilities_(result.probabilities.defined() ? result.probabilities.mutable_data<float>() : nullptr),
        statistics_(result.statistics.defined() ? result.statistics.mutable_data<float>() : nullptr) {}

  void run() const {
    const int64_t pieces = pieces_per_head(c_);
    const int64_t work = std::max<int64_t>(1, c_.queries * c_.keys * (c_.width + c_.value_width) / pieces);
    count_flops(2 * c_.batch * c_.heads * c_.queries * c_.keys * (c_.width + c_.value_width));
    parallel_for(c_.batch * c_.heads * pieces, std::max<int64_t>(1, kHeadGrain / work), [&](int64_t begin, int64_t end) {
      const int64_t tile_size = kTileQueries * tile_stride(c_.keys);
      const Scratch memory({product_.packed_size(c_.width, c_.keys), product_.packed_size(c_.keys, c_.value_width),
                            product_.left_size(kTileQueries, c_.width), tile_size, in_pairs() ? tile_size / 2 : 0,
                            sums_size<T>(kTileQueries, c_.value_width)});
      for (int64_t i = begin; i < end; ++i) {
        const int64_t index = i / pieces, b = index / c_.heads, h = index % c_.heads, piece = i % pieces;
        bool fresh = i == begin || piece == 0;
        if (fresh) product_.pack(head<T>(c_.k, b, h).transposed(), memory.elements(kKeys));
        const int64_t last = c_.queries * (piece + 1) / pieces;
        for_each_tile(c_.queries * piece / pieces, last, [&](int64_t first, int64_t count) {
          NextTile next;
          if (first + count < last) {
            next = {b, h, first + count, std::min(count, last - first - count)};
          } else if (pieces == 1 && i + 1 < end) {
            next = {(i + 1) / c_.heads, (i + 1) % c_.heads, 0, std::min(kTileQueries, c_.queries)};
          }
          tile(b, h, first, count, memory, std::exchange(fresh, false), next);
        });
      }
    });
  }

 private:
  enum Block { kKeys, kValues, kQueries, kScores, kRounded, kOutput };

  bool in_pairs() const { return product_.precision() == Precision::kBf16; }

  void tile(int64_t b, int64_t h, int64_t first, int64_t count, const Scratch& memory, bool fresh, const NextTile& next) const {
    const MatrixView<float> s{memory.floats(kScores), count, padded_cols(c_.keys), tile_stride(c_.keys), 1};
    const MatrixView<const T> q = rows_of(head<T>(c_.q, b, h), first, count), v = head<T>(c_.v, b, h);
    const ReadSoon queries(q);
    for (int64_t i = 0; i < count; ++i) queries.prefetch(i);
    product_.multiply(product_.left(q, memory.elements(kQueries)), memory.elements(kKeys), c_.keys, s, false,
                      fresh ? ReadSoon(v) : ReadSoon());  // [rows, K] x [K, M]
    if (fresh) product_.pack(v, memory.elements(kValues));
    float factors[kTileQueries];
    softmax(b, h, first, s, memory.elements(kRounded), factors);
    const LeftOperand p = in_pairs() ? LeftOperand{memory.elements(kRounded), count, (c_.keys + 1) / 2, s.row_stride / 2, 1}
                                     : LeftOperand{s.data, count, c_.keys, s.row_stride, 1};
    const MatrixView<T> out = rows_of(head(out_, output_, b, h), first, count);
    const MatrixView<float> o = sums_of(out, memory.floats(kOutput));
    product_.multiply(p, memory.elements(kValues), c_.value_width, o, false,
                      next.opens_head() ? ReadSoon(head<T>(c_.k, next.b, next.h)) : next.rows<T>(c_.q));  // [rows, M] x [M, Kv]
    for (int64_t i = 0; i < count; ++i) {
      float* row = o.data + i * o.row_stride;
      for (int64_t j = 0; j < o.cols; ++j) row[j] *= factors[i];
    }
    finish(o, out);
  }

  // Replaces S by e^(scale S - shift), row by row; with bf16 products it also writes the rounded values to `rounded`. All
  // shifts are computed before the exponentials, so that one row need not wait for another.
  void softmax(int64_t b, int64_t h, int64_t first, MatrixView<float> s, uint32_t* rounded, float* factors) const {
    float shifts[kTileQueries];
    const float scale = c_.mask.defined() ? 1 : scale_;
    for (int64_t i = 0; i < s.rows; ++i) {
      float* row = s.data + i * s.row_stride;
      if (c_.mask.defined()) {
        for (int64_t j = 0; j < c_.keys; ++j) row[j] *= scale_;
        apply_mask(row, c_.keys, c_.mask, b, h, first + i);
      }
      shifts[i] = shift_of(row, c_.keys, scale);
    }
    for (int64_t i = 0; i < s.rows; ++i) {
      float* row = s.data + i * s.row_stride;
      const float total = in_pairs() ? exponentials<true>(row, s.cols, scale, shifts[i], rounded + i * s.row_stride / 2)
                                     : exponentials(row, s.cols, scale, shifts[i]);
      factors[i] = total == 0 ? 0.0f : 1 / total;  // -inf everywhere: 0
      keep((b * c_.heads + h) * c_.queries + first + i, row, shifts[i], factors[i]);
    }
  }

  // P = factor e^(S - shift)
  void keep(int64_t query, const float* exponentials, float shift, float factor) const {
    if (probabilities_) {
      float* p = probabilities_ + query * c_.keys;
      for (int64_t j = 0; j < c_.keys; ++j) p[j] = exponentials[j] * factor;
    }
    if (statistics_) statistics_[2 * query] = shift, statistics_[2 * query + 1] = factor;
  }

  const AttentionCall& c_;
  const PanelProduct product_;
  float scale_;
  const Tensor& output_;
  T* out_;
  float* probabilities_;
  float* statistics_;
};

}  // namespace

void attention_forward_tiled(const AttentionCall& call, AttentionResult& result) {
  if (call.q.dtype() == Dtype::bf16) return Forward<Bf16>(call, result).run();
  Forward<float>(call, result).run();
}

}  // namespace vitrail::detail
