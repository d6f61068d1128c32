// The padded copy of a tile's input, from which columns are gathered without bounds checks.
#pragma once

#include "tensor/kernels/conv2d_detail.h"

namespace vitrail::detail {

// Neighbouring columns of a tile in one row of pixels: columns [column, column + length) read the padded copy from position
// `source` on. They belong to the output pixels from `output` on, which are `step` pixels apart; `output` is relative to the
// start of a channel.
struct ColumnRun {
  int64_t column, length, source, output;
};

// The layout of one axis in the padded copy. Pixels are sorted by their residue modulo the stride, so that the pixels that one
// tap reads for neighbouring outputs are contiguous for any stride. Residues that no tap reads are left out.
struct PaddedAxis {
  explicit PaddedAxis(const GatherAxis& axis);

  std::vector<int64_t> phases;                // the input pixel at position 0 of each residue's part
  std::vector<int64_t> tap_phase, tap_shift;  // output i under tap t is at position i + tap_shift[t] of part tap_phase[t]
  int64_t reach = 0;                          // a part has the number of outputs + reach positions
};

// A tile is a range of consecutive rows of output pixels, over the whole batch: small images share a tile.
template <class T>
class PaddedTile {
 public:
  // Allocates memory for tiles of at most this many channels and rows. The gather must outlive it.
  PaddedTile(const Gather& gather, int64_t most_channels, int64_t most_rows);

  // Copies the input that output rows [row, row + rows) read in channels [channel, channel + channels) of the group.
  void fill(const T* in, int64_t group, int64_t channel, int64_t channels, int64_t row, int64_t rows);

  int64_t columns() const { return rows_ * gather_.w.outputs; }
  // The runs of columns [first, first + count), in order, numbered from 0.
  void runs(int64_t group, int64_t first, int64_t count, std::vector<ColumnRun>& out) const;
  // Rows [k0, k1) of the matrix of columns: row (channel, tap), element (k, j) at out[(k - k0) * width + j].
  void unfold(const std::vector<ColumnRun>& runs, int64_t k0, int64_t k1, int64_t width, T* out) const;

 private:
  // The tile's rows of one image: output rows [first, first + rows), at padded row `base`.
  struct Segment {
    int64_t image, first, rows, base;
  };

  T* data() const { return static_cast<T*>(buffer_.data()); }
  void split(int64_t row, int64_t rows);
  void fill_row(const T* from, T* to) const;

  const Gather& gather_;
  PaddedAxis h_, w_;
  std::vector<std::pair<int64_t, int64_t>> spans_;  // for each part of a row, the positions that are inside the image
  int64_t taps_, line_, row_length_, rows_ = 0, padded_rows_ = 0, plane_ = 0;
  std::vector<Segment> segments_;
  std::vector<int64_t> tap_offsets_;
  Storage buffer_;
};

}  // namespace vitrail::detail
