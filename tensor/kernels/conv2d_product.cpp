// Computes a gather as a product: packed weights times panels of columns. Each panel is unfolded from the padded copy right
// before it is multiplied.
#include <algorithm>

#include "base/divide.h"
#include "tensor/kernels/conv2d_kernel.h"
#include "tensor/kernels/conv2d_padded.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"
#include "tensor/shape.h"

namespace vitrail::detail {
namespace {

constexpr int64_t kMostDepth = 320;       // so that a panel of columns stays in the first-level cache
constexpr int64_t kColumnsPerTile = 256;  // so that its padded copy stays in the second-level cache
constexpr int64_t kEnoughTiles = 16;      // enough to keep a few threads busy

// The weights in the order in which they are multiplied: for each group and block of the depth, groups of the kernel's rows
// (output channels), interleaved. Rows beyond the last are zero.
template <class T>
class PackedWeights {
 public:
  PackedWeights(const Gather& g, const T* weight, const TileKernel<T>& kernel)
      : depth_(g.depth()),
        block_(ceil_div(depth_, ceil_div(depth_, kMostDepth))),
        rows_(kernel.rounded_rows(g.out_channels)),
        data_(checked_bytes({g.groups, depth_, rows_}, sizeof(T), "conv2d")) {
    const int64_t strips = rows_ / kernel.rows, taps = g.taps();
    parallel_for(g.groups * strips, 1, [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) {
        const int64_t group = item / strips, row = item % strips * kernel.rows;
        const T* from = weight + group * g.weight_group + row * g.weight_out;
        for (int64_t k = 0; k < depth_; ++k) {
          T* to = strip(group, row, k / block_) + k % block_ * kernel.rows;
          const T* element = from + k / taps * g.weight_in + g.weight_taps[k % taps];
          for (int64_t i = 0; i < kernel.rows; ++i) to[i] = row + i < g.out_channels ? element[i * g.weight_out] : T{0};
        }
      }
    });
  }

  int64_t blocks() const { return ceil_div(depth_, block_); }
  int64_t begin(int64_t block) const { return block * block_; }
  int64_t end(int64_t block) const { return std::min(depth_, (block + 1) * block_); }
  // The kernel's rows from `row` on, over one block of the depth.
  T* strip(int64_t group, int64_t row, int64_t block) const {
    T* start = static_cast<T*>(data_.data()) + (group * depth_ + begin(block)) * rows_;
    return start + row * (end(block) - begin(block));
  }

 private:
  int64_t depth_, block_, rows_;
  Storage data_;
};

// How the output is cut: tiles of rows of pixels times blocks of output channels. Depends on the sizes alone.
struct Cut {
  template <class T>
  Cut(const Gather& g, const TileKernel<T>& kernel) {
    rows = std::clamp<int64_t>(kColumnsPerTile / g.w.outputs, 1, ceil_div(g.rows(), kEnoughTiles));
    rows = std::clamp<int64_t>(rows, std::min(g.rows(), ceil_div(kernel.cols, g.w.outputs)), g.rows());
    if (rows > g.h.outputs) rows = rows / g.h.outputs * g.h.outputs;
    tiles = ceil_div(g.rows(), rows);
    const int64_t blocks = std::clamp<int64_t>(kEnoughTiles / (tiles * g.groups), 1, ceil_div(g.out_channels, 4 * kernel.rows));
    channels = kernel.rounded_rows(ceil_div(g.out_channels, blocks));
    channel_blocks = ceil_div(g.out_channels, channels);
  }
  int64_t rows, tiles, channels, channel_blocks;
};

// Adds the bias to the sums [channels, width] of one panel and writes them to the output.
template <class T>
void store(const Gather& g, const std::vector<ColumnRun>& runs, const T* sums, int64_t width, int64_t channel, int64_t channels,
           const T* bias, T* out) {
  const int64_t step = g.w.step;
  for (int64_t m = 0; m < channels; ++m, sums += width) {
    const T shift = bias ? bias[channel + m] : T{0};
    for (const ColumnRun& run : runs) {
      const T* from = sums + run.column;
      T* to = out + g.out_offsets[channel + m] + run.output;
      if (step == 1) {
        for (int64_t j = 0; j < run.length; ++j) to[j] = from[j] + shift;
      } else {
        for (int64_t j = 0; j < run.length; ++j) to[j * step] = from[j] + shift;
      }
    }
  }
}

}  // namespace

template <class T>
void gather_product(const Gather& g, const T* in, const T* weight, const T* bias, T* out) {
  const TileKernel<T> kernel = tile_kernel<T>();
  const PackedWeights<T> weights(g, weight, kernel);
  const Cut cut(g, kernel);
  const int64_t width = kernel.cols, panel_size = weights.end(0) * width;
  const int64_t scratch_bytes = (panel_size + kernel.rounded_rows(cut.channels) * width) * static_cast<int64_t>(sizeof(T));
  if (!kernel.counts_flops) count_flops(2 * g.rows() * g.w.outputs * g.groups * g.out_channels * g.depth());
  parallel_for(g.groups * cut.tiles * cut.channel_blocks, 1, [&](int64_t begin, int64_t end) {
    PaddedTile<T> tile(g, g.channels, cut.rows);
    const Storage scratch(scratch_bytes);
    T *panel = static_cast<T*>(scratch.data()), *sums = panel + panel_size;
    std::fill_n(panel, panel_size, T{0});  // columns after the last one of a tile are multiplied too
    std::vector<ColumnRun> runs;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t channel = item % cut.channel_blocks * cut.channels, group = item / cut.channel_blocks / cut.tiles;
      const int64_t channels = std::min(cut.channels, g.out_channels - channel);
      const int64_t row = item / cut.channel_blocks % cut.tiles * cut.rows;
      tile.fill(in, group, 0, g.channels, row, std::min(cut.rows, g.rows() - row));
      for (int64_t first = 0; first < tile.columns(); first += width) {
        tile.runs(group, first, std::min(width, tile.columns() - first), runs);
        for (int64_t block = 0; block < weights.blocks(); ++block) {
          tile.unfold(runs, weights.begin(block), weights.end(block), width, panel);
          for (int64_t m = 0; m < channels; m += kernel.rows) {
            kernel.multiply(weights.end(block) - weights.begin(block), weights.strip(group, channel + m, block), 1, kernel.rows,
                            panel, sums + m * width, width, block > 0);
          }
        }
        store(g, runs, sums, width, channel, channels, bias ? bias + group * g.out_channels : nullptr, out);
      }
    }
  });
}

template void gather_product(const Gather&, const float*, const float*, const float*, float*);
template void gather_product(const Gather&, const double*, const double*, const double*, double*);

}  // namespace vitrail::detail
