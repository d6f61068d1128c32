// Gathers by direct loops over rows of pixels: a group of one channel is too little for products.
#include <algorithm>

#include "tensor/flops.h"
#include "tensor/ops/conv2d_padded.h"
#include "tensor/parallel.h"

namespace vitrail::detail {
namespace {

// Lanes of 32 bytes whatever the processor: the compiler splits or keeps them.
template <class T>
struct Vector {
  typedef T Lanes __attribute__((vector_size(32), aligned(alignof(T)), may_alias));
  static constexpr int64_t kLanes = 32 / sizeof(T);
  static Lanes load(const T* from) { return *reinterpret_cast<const Lanes*>(from); }
};
static_assert(PaddedTile<float>::kSlack >= 2 * Vector<float>::kLanes);

constexpr int64_t kColumnsPerTile = 2048;  // so that a padded plane stays in the first-level cache

int64_t rows_per_tile(const Gather& g) { return std::clamp<int64_t>(kColumnsPerTile / g.w.outputs, 1, g.h.outputs); }

// Calls fn(tile, runs) for the tiles of one image and group.
template <class T, class Fn>
void for_each_tile(const Gather& g, const T* in, int64_t image, int64_t group, PaddedTile<T>& tile,
                   std::vector<ColumnRun>& runs, Fn&& fn) {
  const int64_t rows = rows_per_tile(g);
  for (int64_t row = 0; row < g.h.outputs; row += rows) {
    tile.fill(in, group, 0, g.channels, image * g.h.outputs + row, std::min(rows, g.h.outputs - row));
    tile.runs(group, 0, tile.columns(), runs);
    fn();
  }
}

// One row of one output channel: out[j] = bias + sum over k of weights[k] * pixels[k][j].
template <class T>
void gather_row(const std::vector<const T*>& pixels, const T* weights, T bias, int64_t source, int64_t length, T* out,
                int64_t step) {
  using V = Vector<T>;
  for (int64_t j = 0; j < length; j += 2 * V::kLanes) {
    typename V::Lanes sums[2] = {};
    for (size_t k = 0; k < pixels.size(); ++k) {
      const T* from = pixels[k] + source + j;
      sums[0] += weights[k] * V::load(from);
      sums[1] += weights[k] * V::load(from + V::kLanes);
    }
    const int64_t count = std::min(2 * V::kLanes, length - j);
    for (int64_t i = 0; i < count; ++i) out[(j + i) * step] = sums[i / V::kLanes][i % V::kLanes] + bias;
  }
}

// The sum of dy * pixels over the rows of a tile: lane by lane, then in double.
template <class T>
double dot_rows(const std::vector<ColumnRun>& runs, const T* pixels, const T* dy) {
  using V = Vector<T>;
  typename V::Lanes sums = {};
  T rest = 0;
  for (const ColumnRun& run : runs) {
    const T *a = pixels + run.source, *b = dy + run.output;
    int64_t j = 0;
    for (; j + V::kLanes <= run.length; j += V::kLanes) sums += V::load(a + j) * V::load(b + j);
    for (; j < run.length; ++j) rest += a[j] * b[j];
  }
  double total = rest;
  for (int64_t i = 0; i < V::kLanes; ++i) total += sums[i];
  return total;
}

}  // namespace

template <class T>
void gather_direct(const Gather& g, const T* in, const T* weight, const T* bias, T* out) {
  const int64_t depth = g.depth(), taps = g.taps(), plane = g.h.out_extent * g.w.out_extent;
  count_flops(2 * g.rows() * g.w.outputs * g.groups * g.out_channels * depth);
  const int64_t work = g.h.outputs * g.w.outputs * g.out_channels * std::max<int64_t>(depth, 1);
  parallel_for(g.batch * g.groups, std::max<int64_t>(1, kElementwiseGrain / work), [&](int64_t begin, int64_t end) {
    PaddedTile<T> tile(g, g.channels, rows_per_tile(g));
    std::vector<ColumnRun> runs;
    std::vector<const T*> pixels(depth);
    std::vector<T> weights(depth);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t image = item / g.groups, group = item % g.groups;
      for_each_tile(g, in, image, group, tile, runs, [&] {
        for (int64_t k = 0; k < depth; ++k) pixels[k] = tile.origin(k);
        for (int64_t m = 0; m < g.out_channels; ++m) {
          const T* w = weight + group * g.weight_group + m * g.weight_out;
          for (int64_t k = 0; k < depth; ++k) weights[k] = w[k / taps * g.weight_in + g.weight_taps[k % taps]];
          const T shift = bias ? bias[group * g.out_channels + m] : T{0};
          for (const ColumnRun& run : runs)
            gather_row(pixels, weights.data(), shift, run.source, run.length, out + m * plane + run.output, g.w.step);
        }
      });
    }
  });
}

template <class T>
void weight_gradient_direct(const Gather& g, const T* dy, const T* x, T* dweight) {
  const int64_t depth = g.depth(), plane = g.h.out_extent * g.w.out_extent;
  count_flops(2 * g.rows() * g.w.outputs * g.groups * g.out_channels * depth);
  parallel_for(g.groups, 1, [&](int64_t begin, int64_t end) {
    PaddedTile<T> tile(g, g.channels, rows_per_tile(g));
    std::vector<ColumnRun> runs;
    std::vector<double> sums(g.out_channels * depth);
    for (int64_t group = begin; group < end; ++group) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t image = 0; image < g.batch; ++image) {
        for_each_tile(g, x, image, group, tile, runs, [&] {
          for (int64_t m = 0; m < g.out_channels; ++m) {
            for (int64_t k = 0; k < depth; ++k) sums[m * depth + k] += dot_rows(runs, tile.origin(k), dy + m * plane);
          }
        });
      }
      for (size_t i = 0; i < sums.size(); ++i) dweight[group * g.weight_group + i] = static_cast<T>(sums[i]);
    }
  });
}

#define VITRAIL_INSTANTIATE(T)                                                  \
  template void gather_direct(const Gather&, const T*, const T*, const T*, T*); \
  template void weight_gradient_direct(const Gather&, const T*, const T*, T*);
VITRAIL_INSTANTIATE(float)
VITRAIL_INSTANTIATE(double)
#undef VITRAIL_INSTANTIATE

}  // namespace vitrail::detail
