// Attention backward, one (image, head) at a time, a tile of queries at a time: P is read or computed again, dP = dO V^T
// becomes dS = P (dP - D) with D = rowsum(dO O), and three products take the tile to dQ (its own rows) and to dK and dV
// (added up, tile after tile in order).
#include "tensor/flops.h"
#include "tensor/ops/attention_tiled.h"
#include "tensor/parallel.h"

namespace vitrail::detail {
namespace {

class Backward {
 public:
  Backward(const AttentionCall& call, const Tensor& dy, const AttentionResult& forward, AttentionGradients& d)
      : c_(call),
        dy_(dy),
        forward_(forward),
        d_(d),
        recompute_(!forward.probabilities.defined()),
        dq_(d.dq.mutable_data<float>()),
        dk_(d.dk.mutable_data<float>()),
        dv_(d.dv.mutable_data<float>()),
        dscores_(d.dscores.defined() ? d.dscores.mutable_data<float>() : nullptr) {}

  void run() const {
    const int64_t per_score = (recompute_ ? 3 : 2) * c_.width + 2 * c_.value_width;
    count_flops(2 * c_.batch * c_.heads * c_.queries * c_.keys * per_score);
    const int64_t work = std::max<int64_t>(1, c_.queries * c_.keys * per_score);
    parallel_for(c_.batch * c_.heads, std::max<int64_t>(1, kHeadGrain / work), [&](int64_t begin, int64_t end) {
      const Memory memory(c_, recompute_);
      for (int64_t i = begin; i < end; ++i) run_head(i / c_.heads, i % c_.heads, memory);
    });
  }

 private:
  // Packed operands and tiles, for one head after the other.
  struct Memory {
    Memory(const AttentionCall& c, bool recompute)
        : k(packed_size(c.keys, c.width, c.precision)),
          v_transposed(packed_size(c.value_width, c.keys, c.precision)),
          k_transposed(recompute ? packed_size(c.width, c.keys, c.precision) : 0),
          q(packed_size(kTileQueries, c.width, c.precision)),
          dy(packed_size(kTileQueries, c.value_width, c.precision)),
          p(recompute ? kTileQueries * tile_stride(c.keys) : 0),
          ds(kTileQueries * tile_stride(c.keys)) {}
    Scratch k, v_transposed, k_transposed, q, dy, p, ds;
  };

  void run_head(int64_t b, int64_t h, const Memory& memory) const {
    const float scale = static_cast<float>(c_.scale);
    const MatrixView<const float> k = head<float>(c_.k, b, h);
    pack_panels(k, scale, memory.k.data(), c_.precision);
    pack_panels(head<float>(c_.v, b, h).transposed(), 1, memory.v_transposed.data(), c_.precision);
    if (recompute_) pack_panels(k.transposed(), scale, memory.k_transposed.data(), c_.precision);
    for_each_tile(0, c_.queries, [&](int64_t first, int64_t count) {
      const MatrixView<const float> q = rows_of(head<float>(c_.q, b, h), first, count);
      const MatrixView<const float> dy = rows_of(head<float>(dy_, b, h), first, count);
      prefetch_rows(rows_of(head<float>(forward_.output, b, h), first, count));
      pack_panels(q, scale, memory.q.data(), c_.precision);
      pack_panels(dy, 1, memory.dy.data(), c_.precision);
      const MatrixView<const float> p = probabilities(b, h, first, q, memory);
      const MatrixView<const float> ds = score_gradients(b, h, first, dy, p, memory);
      const Precision precision = c_.precision;
      multiply_panels(ds, memory.k.data(), rows_of(head(dq_, d_.dq, b, h), first, count), false, precision);
      multiply_panels(ds.transposed(), memory.q.data(), head(dk_, d_.dk, b, h), first > 0, precision);  // [M, rows] x [rows, K]
      multiply_panels(p.transposed(), memory.dy.data(), head(dv_, d_.dv, b, h), first > 0, precision);
    });
  }

  // P [rows, M]: kept, or computed again by the same steps as in the forward pass, so with the same bits.
  MatrixView<const float> probabilities(int64_t b, int64_t h, int64_t first, MatrixView<const float> q,
                                        const Memory& memory) const {
    if (!recompute_) return rows_of(head<float>(forward_.probabilities, b, h), first, q.rows);
    const MatrixView<float> p{memory.p.data(), q.rows, packed_cols(c_.keys), tile_stride(c_.keys), 1};
    multiply_panels(q, memory.k_transposed.data(), p, false, c_.precision);  // [rows, K] x [K, M]
    const float* statistics = forward_.statistics.data<float>() + 2 * ((b * c_.heads + h) * c_.queries + first);
    for (int64_t i = 0; i < q.rows; ++i) {
      float* row = p.data + i * p.row_stride;
      if (c_.mask.defined()) apply_mask(row, c_.keys, c_.mask, b, h, first + i);
      exponentials(row, p.cols, statistics[2 * i]);
      for (int64_t j = 0; j < p.cols; ++j) row[j] *= statistics[2 * i + 1];
    }
    return constant(p).block(0, q.rows, 0, c_.keys);
  }

  // dS [rows, M] = P (dP - D).
  MatrixView<const float> score_gradients(int64_t b, int64_t h, int64_t first, MatrixView<const float> dy,
                                          MatrixView<const float> p, const Memory& memory) const {
    const MatrixView<float> ds{memory.ds.data(), dy.rows, packed_cols(c_.keys), tile_stride(c_.keys), 1};
    multiply_panels(dy, memory.v_transposed.data(), ds, false, c_.precision);  // [rows, Kv] x [Kv, M]
    const MatrixView<const float> o = rows_of(head<float>(forward_.output, b, h), first, dy.rows);
    for (int64_t i = 0; i < dy.rows; ++i) {
      const float *dy_row = dy.data + i * dy.row_stride, *o_row = o.data + i * o.row_stride, *p_row = p.data + i * p.row_stride;
      float* row = ds.data + i * ds.row_stride;
      float dot = 0;
#pragma omp simd reduction(+ : dot)
      for (int64_t j = 0; j < o.cols; ++j) dot += dy_row[j] * o_row[j];
#pragma omp simd
      for (int64_t j = 0; j < c_.keys; ++j) row[j] = p_row[j] * (row[j] - dot);
      if (dscores_) std::copy_n(row, c_.keys, dscores_ + ((b * c_.heads + h) * c_.queries + first + i) * c_.keys);
    }
    return constant(ds).block(0, dy.rows, 0, c_.keys);
  }

  const AttentionCall& c_;
  const Tensor& dy_;
  const AttentionResult& forward_;
  AttentionGradients& d_;
  bool recompute_;
  float *dq_, *dk_, *dv_, *dscores_;
};

}  // namespace

void attention_backward_tiled(const AttentionCall& call, const Tensor& dy, const AttentionResult& forward,
                              AttentionGradients& d) {
  Backward(call, dy, forward, d).run();
}

}  // namespace vitrail::detail
