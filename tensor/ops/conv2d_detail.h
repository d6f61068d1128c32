// What forward and backward of conv2d share: the sizes, and the matrix of columns that turns a convolution into a product.
#pragma once

#include <vector>

#include "tensor/blas.h"
#include "tensor/ops/conv.h"

namespace vitrail::detail {

// All sizes of one convolution. K = C' P Q with C' = C / groups is the length of the sum behind one output element.
struct ConvGeometry {
  int64_t batch, channels, height, width;    // B, C, H, W
  int64_t out_channels, kernel_h, kernel_w;  // O, P, Q
  int64_t out_h, out_w;                      // H', W'
  int64_t group_channels, group_out;         // C / groups, O / groups
  Conv2dOptions options;

  int64_t window() const { return kernel_h * kernel_w; }
  int64_t plane() const { return height * width; }
  int64_t out_plane() const { return out_h * out_w; }
  Shape out_shape() const { return {batch, out_channels, out_h, out_w}; }
  // A 1 x 1 kernel at every pixel: x itself is the matrix of columns.
  bool is_pointwise() const;
  // Windows that tile the image (kernel = stride, no padding), as in a patch embedding: a column is kernel_h runs of pixels.
  bool is_patches() const;
  // One input channel to a group: too little work for products.
  bool is_depthwise() const { return group_channels == 1 && options.groups > 1; }
};

// Checks options, ranks, channels, groups, and that the kernel fits; every message has the numbers.
ConvGeometry conv_geometry(const char* op, const Shape& x, const Shape& weight, const Conv2dOptions& options);

// A part of the matrix of columns of one image and group: output rows [row, row + rows), input channels
// [channel, channel + channels) counted within the group.
struct ColumnTile {
  int64_t image, group, row, rows, channel, channels;
};
// Output rows of one tile: its columns should fit the second-level cache, and be enough to make packing the weights cheap.
// Depends on the sizes alone.
int64_t rows_per_tile(const ConvGeometry& g);
// Input channels of one block in the backward passes: about 256 rows of the matrix of columns.
int64_t channels_per_block(const ConvGeometry& g);

// The tile as a matrix [channels P Q, rows W']: element ((c, p, q), (i, j)) is x[c, i stride + p dilation - padding, ...], zero
// in the padding. A view into x if the convolution is pointwise; otherwise written to buffer.
template <class T>
MatrixView<const T> unfold_columns(const ConvGeometry& g, const ColumnTile& tile, const T* x, std::vector<T>& buffer);
// Where the gradient of that tile is to be written before fold_columns: a view into dx if pointwise, else into buffer.
template <class T>
MatrixView<T> gradient_columns(const ConvGeometry& g, const ColumnTile& tile, T* dx, std::vector<T>& buffer);
// The transpose of unfold_columns: adds each element to the pixel that it came from. Nothing to do if pointwise.
template <class T>
void fold_columns(const ConvGeometry& g, const ColumnTile& tile, const std::vector<T>& buffer, T* dx);

// The rows of y (or dy) that belong to a tile: [O / groups, rows W'].
template <class T>
MatrixView<T> output_tile(const ConvGeometry& g, const ColumnTile& tile, T* y) {
  T* start = y + (tile.image * g.out_channels + tile.group * g.group_out) * g.out_plane() + tile.row * g.out_w;
  return {start, g.group_out, tile.rows * g.out_w, g.out_plane(), 1};
}

// The outputs i in [first, last) of one axis for which i * stride + offset lies in [0, extent); offset = k dilation - padding.
struct Span {
  int64_t first, last;
};
Span valid_outputs(int64_t out_extent, int64_t extent, int64_t stride, int64_t offset);

// Direct loops for is_depthwise().
template <class T>
void depthwise_forward(const ConvGeometry& g, const T* x, const T* weight, const T* bias, T* y);
template <class T>
void depthwise_backward_input(const ConvGeometry& g, const T* dy, const T* weight, T* dx);
template <class T>
void depthwise_backward_weight(const ConvGeometry& g, const T* dy, const T* x, T* dweight);

}  // namespace vitrail::detail
