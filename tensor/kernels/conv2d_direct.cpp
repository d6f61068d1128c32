// Gathers by direct loops over rows of pixels: a group of one channel is too little for products.
#include <algorithm>
#include <cstring>

#include "tensor/kernels/conv2d_padded.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"

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

// A tile of one image and group, [row, row + rows) of its output rows, and where each row of the matrix of columns finds its
// pixels.
template <class T>
struct DirectTile {
  explicit DirectTile(const Gather& gather)
      : g(gather), padded(g, g.channels, rows_per_tile(g)), pixels(g.depth()), plane(g.h.out_extent * g.w.out_extent) {}

  // Calls fn() for the tiles of one image and group.
  template <class Fn>
  void for_each(const T* in, int64_t image, int64_t group, Fn&& fn) {
    const int64_t most = rows_per_tile(g);
    for (row = 0; row < g.h.outputs; row += most) {
      rows = std::min(most, g.h.outputs - row);
      padded.fill(in, group, 0, g.channels, image * g.h.outputs + row, rows);
      padded.origins(pixels);
      fn();
    }
  }
  // Output pixel (row + i, 0) within its plane.
  int64_t output(int64_t i) const { return ((row + i) * g.h.step + g.h.start) * g.w.out_extent + g.w.start; }

  const Gather& g;
  PaddedTile<T> padded;
  std::vector<const T*> pixels;
  int64_t plane, row = 0, rows = 0;
};

// One row of one output channel: out[j] = bias + sum over k of weights[k] * pixels[k][j], with j counted from `source` on.
template <class T>
void gather_row(const std::vector<const T*>& pixels, const T* weights, T bias, int64_t source, int64_t length, T* out,
                int64_t step) {
  using V = Vector<T>;
  for (int64_t j = 0; j < length; j += 2 * V::kLanes) {
    const auto start = typename V::Lanes{} + bias;
    typename V::Lanes sums[2] = {start, start};
    for (size_t k = 0; k < pixels.size(); ++k) {
      const T* from = pixels[k] + source + j;
      sums[0] += weights[k] * V::load(from);
      sums[1] += weights[k] * V::load(from + V::kLanes);
    }
    if (step == 1 && j + 2 * V::kLanes <= length) {
      std::memcpy(out + j, sums, sizeof(sums));
      continue;
    }
    T values[2 * V::kLanes];
    std::memcpy(values, sums, sizeof(sums));
    const int64_t count = std::min(2 * V::kLanes, length - j);
    for (int64_t i = 0; i < count; ++i) out[(j + i) * step] = values[i];
  }
}

// The sum of dy * pixels over the rows of a tile: lane by lane, then in double.
template <class T>
double dot_rows(const DirectTile<T>& tile, const T* pixels, const T* dy) {
  using V = Vector<T>;
  typename V::Lanes sums[2] = {};
  T rest = 0;
  const int64_t length = tile.g.w.outputs;
  for (int64_t i = 0; i < tile.rows; ++i) {
    const T *a = pixels + i * tile.padded.row_length(), *b = dy + tile.output(i);
    int64_t j = 0;
    for (; j + 2 * V::kLanes <= length; j += 2 * V::kLanes) {
      sums[0] += V::load(a + j) * V::load(b + j);
      sums[1] += V::load(a + j + V::kLanes) * V::load(b + j + V::kLanes);
    }
    for (; j + V::kLanes <= length; j += V::kLanes) sums[0] += V::load(a + j) * V::load(b + j);
    for (; j < length; ++j) rest += a[j] * b[j];
  }
  double total = rest;
  for (int64_t i = 0; i < V::kLanes; ++i) total += sums[0][i] + sums[1][i];
  return total;
}

}  // namespace

template <class T>
void gather_direct(const Gather& g, const T* in, const T* weight, const T* bias, T* out) {
  const int64_t depth = g.depth(), taps = g.taps();
  count_flops(2 * g.rows() * g.w.outputs * g.groups * g.out_channels * depth);
  const int64_t work = g.h.outputs * g.w.outputs * g.out_channels * std::max<int64_t>(depth, 1);
  parallel_for(g.batch * g.groups, std::max<int64_t>(1, kElementwiseGrain / work), [&](int64_t begin, int64_t end) {
    DirectTile<T> tile(g);
    std::vector<T> weights(depth);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t image = item / g.groups, group = item % g.groups;
      tile.for_each(in, image, group, [&] {
        for (int64_t m = 0; m < g.out_channels; ++m) {
          const int64_t channel = group * g.out_channels + m;
          const T* w = weight + group * g.weight_group + m * g.weight_out;
          for (int64_t k = 0; k < depth; ++k) weights[k] = w[k / taps * g.weight_in + g.weight_taps[k % taps]];
          for (int64_t i = 0; i < tile.rows; ++i) {
            gather_row(tile.pixels, weights.data(), bias ? bias[channel] : T{0}, i * tile.padded.row_length(), g.w.outputs,
                       out + (image * g.groups * g.out_channels + channel) * tile.plane + tile.output(i), g.w.step);
          }
        }
      });
    }
  });
}

template <class T>
void weight_gradient_direct(const Gather& g, const T* dy, const T* x, T* dweight) {
  const int64_t depth = g.depth();
  count_flops(2 * g.rows() * g.w.outputs * g.groups * g.out_channels * depth);
  parallel_for(g.groups, 1, [&](int64_t begin, int64_t end) {
    DirectTile<T> tile(g);
    std::vector<double> sums(g.out_channels * depth);
    for (int64_t group = begin; group < end; ++group) {
      std::fill(sums.begin(), sums.end(), 0.0);
      for (int64_t image = 0; image < g.batch; ++image) {
        tile.for_each(x, image, group, [&] {
          for (int64_t m = 0; m < g.out_channels; ++m) {
            const T* plane = dy + ((image * g.groups + group) * g.out_channels + m) * tile.plane;
            for (int64_t k = 0; k < depth; ++k) sums[m * depth + k] += dot_rows(tile, tile.pixels[k], plane);
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
