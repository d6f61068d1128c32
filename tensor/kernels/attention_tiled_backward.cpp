// Attention backward, one (image, head) at a time, a tile of queries at a time: P is read or computed again; dP = dO V^T
// becomes scale dS = scale P (dP - D) with D = rowsum(dP P); three products then give the tile's rows of dQ and its
// contributions to dK and dV, which are added in the order of the tiles.
#include "tensor/kernels/attention_rows.h"
#include "tensor/kernels/attention_tiled.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"

namespace vitrail::detail {
namespace {

// T: the type in which Q, K, V and their gradients are stored, float or Bf16. dO and the gradient of the mask are f32.
template <class T>
class Backward {
 public:
  Backward(const AttentionCall& call, const Tensor& dy, const AttentionResult& forward, AttentionGradients& d)
      : c_(call),
        product_(call.precision),
        scale_(static_cast<float>(call.scale)),
        stride_(tile_stride(call.keys)),
        dy_(dy),
        forward_(forward),
        d_(d),
        recompute_(!forward.probabilities.defined()),
        dq_(d.dq.mutable_data<T>()),
        dk_(d.dk.mutable_data<T>()),
        dv_(d.dv.mutable_data<T>()),
        dscores_(d.dscores.defined() ? d.dscores.mutable_data<float>() : nullptr) {}

  void run() const {
    const int64_t per_score = (recompute_ ? 3 : 2) * c_.width + 2 * c_.value_width;
    count_flops(2 * c_.batch * c_.heads * c_.queries * c_.keys * per_score);
    const int64_t work = std::max<int64_t>(1, c_.queries * c_.keys * per_score);
    parallel_for(c_.batch * c_.heads, std::max<int64_t>(1, kHeadGrain / work), [&](int64_t begin, int64_t end) {
      const Scratch memory = scratch();
      for (int64_t i = begin; i < end; ++i) {
        for_each_tile(0, c_.queries, [&](int64_t first, int64_t count) {
          NextTile next;
          if (first + count < c_.queries) {
            next = {i / c_.heads, i % c_.heads, first + count, std::min(count, c_.queries - first - count)};
          } else if (i + 1 < end) {
            next = {(i + 1) / c_.heads, (i + 1) % c_.heads, 0, std::min(kTileQueries, c_.queries)};
          }
          tile(i / c_.heads, i % c_.heads, first, count, memory, next);
        });
      }
    });
  }

 private:
  enum Block { kKeys, kValuesDown, kKeysDown, kQueries, kDy, kRows, kP, kDs, kPRounded, kDsRounded, kDsAlong, kDq, kDk, kDv };

  // Memory for packed operands and tiles, reused for every head.
  Scratch scratch() const {
    const int64_t tile = kTileQueries * stride_, rounded = in_pairs() ? tile / 2 : 0;
    return Scratch({product_.packed_size(c_.keys, c_.width), product_.packed_size(c_.value_width, c_.keys),
                    recompute_ ? product_.packed_size(c_.width, c_.keys) : 0, product_.packed_size(kTileQueries, c_.width),
                    product_.packed_size(kTileQueries, c_.value_width),
                    product_.left_size(kTileQueries, std::max(c_.width, c_.value_width)), tile, tile, rounded, rounded, rounded,
                    sums_size<T>(kTileQueries, c_.width), sums_size<T>(c_.keys, c_.width),
                    sums_size<T>(c_.keys, c_.value_width)});
  }

  bool in_pairs() const { return product_.precision() == Precision::kBf16; }

  // All steps of one tile. The operands of each product are packed right before it; the previous product has prefetched them.
  void tile(int64_t b, int64_t h, int64_t first, int64_t count, const Scratch& memory, const NextTile& next) const {
    const MatrixView<const T> k = head<T>(c_.k, b, h), q = rows_of(head<T>(c_.q, b, h), first, count);
    const MatrixView<const float> dy = rows_of(head<float>(dy_, b, h), first, count);
    probabilities(b, h, first, q, memory);
    score_gradients(b, h, first, dy, memory);
    // In bf16, one step of the products with P^T and dS^T is a pair of queries.
    const bool pairs = in_pairs();
    const int64_t steps = pairs ? (count + 1) / 2 : count;
    const LeftOperand ds = pairs ? LeftOperand{memory.elements(kDsAlong), count, (c_.keys + 1) / 2, stride_ / 2, 1}
                                 : LeftOperand{memory.elements(kDs), count, c_.keys, stride_, 1};
    const LeftOperand ds_down{memory.elements(pairs ? kDsRounded : kDs), c_.keys, steps, 1, stride_};
    const LeftOperand p_down{memory.elements(pairs ? kPRounded : kP), c_.keys, steps, 1, stride_};
    if (first == 0) product_.pack(k, memory.elements(kKeys));
    const MatrixView<T> dq = rows_of(head(dq_, d_.dq, b, h), first, count);
    const MatrixView<float> dq_sums = sums_of(dq, memory.floats(kDq));
    product_.multiply(ds, memory.elements(kKeys), c_.width, dq_sums, false, q);
    finish(dq_sums, dq);
    product_.pack(q, memory.elements(kQueries));
    const bool opens = next.opens_head();
    const ReadSoon soon = opens ? ReadSoon(head<T>(recompute_ ? c_.k : c_.v, next.b, next.h)) : next.rows<T>(c_.q);
    const MatrixView<T> dk = head(dk_, d_.dk, b, h), dv = head(dv_, d_.dv, b, h);
    const MatrixView<float> dk_sums = sums_of(dk, memory.floats(kDk)), dv_sums = sums_of(dv, memory.floats(kDv));
    product_.multiply(ds_down, memory.elements(kQueries), c_.width, dk_sums, first > 0, soon);
    product_.pack(dy, memory.elements(kDy));
    product_.multiply(p_down, memory.elements(kDy), c_.value_width, dv_sums, first > 0, next.rows<float>(dy_));
    if (first + count < c_.queries) return;  // dK and dV are rounded once, after the last tile
    finish(dk_sums, dk);
    finish(dv_sums, dv);
  }

  // P [rows, M]: read, or computed again by the same steps as in the forward pass and so with the same bits.
  void probabilities(int64_t b, int64_t h, int64_t first, const MatrixView<const T>& q, const Scratch& memory) const {
    const int64_t filled = padded_cols(c_.keys), index = (b * c_.heads + h) * c_.queries + first;
    const MatrixView<float> p{memory.floats(kP), q.rows, filled, stride_, 1};
    if (recompute_) {
      if (first == 0) product_.pack(head<T>(c_.k, b, h).transposed(), memory.elements(kKeysDown));
      product_.multiply(product_.left(q, memory.elements(kRows)), memory.elements(kKeysDown), c_.keys, p, false,
                        first == 0 ? ReadSoon(head<T>(c_.v, b, h)) : ReadSoon());  // [rows, K] x [K, M]
    }
    for (int64_t i = 0; i < q.rows; ++i) {
      float* row = p.data + i * stride_;
      if (recompute_) {
        probabilities_again(row, b, h, first + i, forward_.statistics.data<float>() + 2 * (index + i));
      } else {
        std::copy_n(forward_.probabilities.data<float>() + (index + i) * c_.keys, c_.keys, row);
        std::fill(row + c_.keys, row + filled, 0.0f);
      }
    }
  }

  void probabilities_again(float* row, int64_t b, int64_t h, int64_t query, const float* statistics) const {
    float scale = scale_;
    if (c_.mask.defined()) {
      for (int64_t j = 0; j < c_.keys; ++j) row[j] *= scale;
      apply_mask(row, c_.keys, c_.mask, b, h, query);
      scale = 1;
    }
    fill_up(row, c_.keys);
    exponentials(row, padded_cols(c_.keys), scale, statistics[0]);
    for (int64_t j = 0; j < padded_cols(c_.keys); ++j) row[j] *= statistics[1];
  }

  // scale dS [rows, M] = scale P (dP - D). With bf16 products it also writes P and dS in the packed forms that they read.
  void score_gradients(int64_t b, int64_t h, int64_t first, const MatrixView<const float>& dy, const Scratch& memory) const {
    const int64_t filled = padded_cols(c_.keys);
    float *p = memory.floats(kP), *ds = memory.floats(kDs);
    const MatrixView<const T> k = head<T>(c_.k, b, h), v = head<T>(c_.v, b, h);
    if (first == 0) product_.pack(v.transposed(), memory.elements(kValuesDown));
    const LeftOperand left = product_.left(dy, memory.elements(kRows));
    product_.multiply(left, memory.elements(kValuesDown), c_.keys, {ds, dy.rows, filled, stride_, 1}, false,
                      first == 0 ? ReadSoon(k) : ReadSoon());  // [rows, Kv] x [Kv, M]
    float d[kTileQueries + 1];
    for (int64_t i = 0; i < dy.rows; ++i) d[i] = dot_product(p + i * stride_, ds + i * stride_, filled);
    if (dscores_) write_dscores(p, ds, d, dy.rows, ((b * c_.heads + h) * c_.queries + first) * c_.keys);
    if (!in_pairs()) {
      for (int64_t i = 0; i < dy.rows; ++i) {
        gradient_row(p + i * stride_, ds + i * stride_, filled, scale_, d[i]);
      }
      return;
    }
    if (dy.rows % 2 == 1) {  // the last query has no partner in its pair
      std::fill_n(p + dy.rows * stride_, filled, 0.0f);
      std::fill_n(ds + dy.rows * stride_, filled, 0.0f);
      d[dy.rows] = 0;
    }
    for (int64_t i = 0; i < dy.rows; i += 2) {
      const int64_t down = i / 2 * stride_;
      gradient_rows(p + i * stride_, ds + i * stride_, stride_, filled, scale_, {d[i], d[i + 1]},
                    {memory.elements(kPRounded) + down, memory.elements(kDsRounded) + down, memory.elements(kDsAlong) + down});
    }
  }

  // The gradient of the scores after scale and mask, P (dP - D): without the factor scale.
  void write_dscores(const float* p, const float* dp, const float* d, int64_t rows, int64_t offset) const {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < c_.keys; ++j)
        dscores_[offset + i * c_.keys + j] = p[i * stride_ + j] * (dp[i * stride_ + j] - d[i]);
    }
  }

  const AttentionCall& c_;
  const PanelProduct product_;
  float scale_;
  int64_t stride_;  // between the rows of a tile of scores
  const Tensor& dy_;
  const AttentionResult& forward_;
  AttentionGradients& d_;
  bool recompute_;
  T *dq_, *dk_, *dv_;
  float* dscores_;
};

}  // namespace

void attention_backward_tiled(const AttentionCall& call, const Tensor& dy, const AttentionResult& forward,
                              AttentionGradients& d) {
  if (call.q.dtype() == Dtype::bf16) return Backward<Bf16>(call, dy, forward, d).run();
  Backward<float>(call, dy, forward, d).run();
}

}  // namespace vitrail::detail
