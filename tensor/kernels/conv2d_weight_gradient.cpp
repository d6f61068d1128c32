// dweight^T = columns dy^T, summed over all pixels of the batch.
#include <algorithm>

#include "base/divide.h"
#include "tensor/kernels/conv2d_kernel.h"
#include "tensor/kernels/conv2d_padded.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"
#include "tensor/shape.h"

namespace vitrail::detail {
namespace {

constexpr int64_t kRowsPerBlock = 320;           // of the matrix of columns, rounded to whole channels
constexpr int64_t kElements = int64_t{1} << 16;  // of the matrix of columns, so that they stay in the second-level cache
constexpr int64_t kEnoughItems = 8;              // enough to keep a few threads busy

// How the work is cut: blocks of input channels, each with its own rows of dweight^T, times chunks of the batch's rows of
// pixels, each with its own sum. Depends on the sizes alone.
struct Cut {
  template <class T>
  Cut(const Gather& g, const TileKernel<T>& kernel) {
    blocks = ceil_div(g.channels, std::max<int64_t>(1, kRowsPerBlock / g.taps()));
    channels = ceil_div(g.channels, blocks);
    blocks = ceil_div(g.channels, channels);
    depth = kernel.rounded_rows(channels * g.taps());
    out = kernel.rounded_cols(g.out_channels);
    rows = std::clamp<int64_t>(kElements / depth / g.w.outputs, 1, g.rows());
    rows = std::min(rows, std::max<int64_t>(1, 256 / g.w.outputs));
    if (rows > g.h.outputs) rows = rows / g.h.outputs * g.h.outputs;
    tiles = ceil_div(g.rows(), rows);
    chunks = std::clamp<int64_t>(kEnoughItems / (blocks * g.groups), 1, tiles);
  }
  int64_t sum_size() const { return depth * out; }

  int64_t channels, blocks;  // input channels of a block
  int64_t depth, out;        // a sum is [depth, out]: rows of the matrix of columns, output channels
  int64_t rows, tiles, chunks;
};

// dy^T of the tile's columns and the output channels [channel, channel + width): width elements per column.
template <class T>
void pack_panel(const Gather& g, const std::vector<ColumnRun>& runs, const T* dy, int64_t channel, int64_t width, T* panel) {
  const int64_t plane = g.h.out_extent * g.w.out_extent, channels = std::min(width, g.out_channels - channel);
  if (channels < width) std::fill_n(panel, (runs.back().column + runs.back().length) * width, T{0});
  for (int64_t o = 0; o < channels; ++o) {
    for (const ColumnRun& run : runs) {
      const T* from = dy + (channel + o) * plane + run.output;
      T* to = panel + run.column * width + o;
      for (int64_t j = 0; j < run.length; ++j) to[j * width] = from[j];
    }
  }
}

// The sum of one block of channels over one chunk of tiles.
template <class T>
void sum_chunk(const Gather& g, const Cut& cut, const TileKernel<T>& kernel, int64_t group, int64_t block, int64_t chunk,
               const T* dy, const T* x, T* sum) {
  const int64_t channel = block * cut.channels, channels = std::min(cut.channels, g.channels - channel);
  const int64_t depth = channels * g.taps(), most_columns = cut.rows * g.w.outputs;
  const Storage scratch((cut.depth + kernel.cols) * most_columns * static_cast<int64_t>(sizeof(T)));
  T *columns = static_cast<T*>(scratch.data()), *panel = columns + cut.depth * most_columns;
  std::fill_n(columns, cut.depth * most_columns, T{0});  // rows after the last one are multiplied too: set them to 0
  PaddedTile<T> tile(g, channels, cut.rows);
  std::vector<ColumnRun> runs;
  const int64_t first = cut.tiles * chunk / cut.chunks, last = cut.tiles * (chunk + 1) / cut.chunks;
  for (int64_t t = first; t < last; ++t) {
    tile.fill(x, group, channel, channels, t * cut.rows, std::min(cut.rows, g.rows() - t * cut.rows));
    tile.runs(group, 0, tile.columns(), runs);
    tile.unfold(runs, 0, depth, most_columns, columns);
    for (int64_t o = 0; o < g.out_channels; o += kernel.cols) {
      pack_panel(g, runs, dy, o, kernel.cols, panel);
      for (int64_t k = 0; k < depth; k += kernel.rows) {
        kernel.multiply(tile.columns(), columns + k * most_columns, most_columns, 1, panel, sum + k * cut.out + o, cut.out,
                        t > first);
      }
    }
  }
}

}  // namespace

template <class T>
void weight_gradient_product(const Gather& g, const T* dy, const T* x, T* dweight) {
  const TileKernel<T> kernel = tile_kernel<T>();
  const Cut cut(g, kernel);
  const Storage storage(checked_bytes({g.groups, cut.blocks, cut.chunks, cut.sum_size()}, sizeof(T), "conv2d"));
  T* sums = static_cast<T*>(storage.data());
  if (!kernel.counts_flops) count_flops(2 * g.rows() * g.w.outputs * g.groups * g.out_channels * g.depth());
  parallel_for(g.groups * cut.blocks * cut.chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      sum_chunk(g, cut, kernel, item / cut.chunks / cut.blocks, item / cut.chunks % cut.blocks, item % cut.chunks, dy, x,
                sums + item * cut.sum_size());
    }
  });
  // dweight [O, K] from the chunks' [K, O]: items are (group, block, 16 output channels), a cache line of each row of a sum.
  constexpr int64_t kLine = 16;
  const int64_t lines = ceil_div(g.out_channels, kLine);
  parallel_for(g.groups * cut.blocks * lines, 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t block = item / lines % cut.blocks, o0 = item % lines * kLine, o1 = std::min(g.out_channels, o0 + kLine);
      const int64_t channel = block * cut.channels, depth = std::min(cut.channels, g.channels - channel) * g.taps();
      const T* from = sums + item / lines * cut.chunks * cut.sum_size();
      T* to = dweight + item / lines / cut.blocks * g.weight_group + channel * g.taps();
      for (int64_t k = 0; k < depth; ++k) {
        for (int64_t o = o0; o < o1; ++o) {
          double sum = 0;
          for (int64_t c = 0; c < cut.chunks; ++c) sum += from[c * cut.sum_size() + k * cut.out + o];
          to[o * g.weight_out + k] = static_cast<T>(sum);
        }
      }
    }
  });
}

template void weight_gradient_product(const Gather&, const float*, const float*, float*);
template void weight_gradient_product(const Gather&, const double*, const double*, double*);

}  // namespace vitrail::detail
