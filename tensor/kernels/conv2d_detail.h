// Shared by forward and backward of conv2d: the sizes, and the description of a convolution as a gather from padded planes.
//
// An output pixel of any of the passes is a sum over channels and taps of input pixels. Forward gathers from x; the gradient
// of the input gathers from dy, one gather for each residue of the pixel modulo the stride. Both are the same product of packed
// weights with the matrix of columns (conv2d_product.cpp), and the gradient of the weights multiplies dy with the columns of
// the forward pass (conv2d_weight_gradient.cpp).
#pragma once

#include <vector>

#include "tensor/ops/conv.h"
#include "tensor/storage.h"

namespace vitrail::detail {

// All sizes of one convolution. K = C' P Q with C' = C / groups is the number of terms in one output element.
struct ConvGeometry {
  int64_t batch, channels, height, width;    // B, C, H, W
  int64_t out_channels, kernel_h, kernel_w;  // O, P, Q
  int64_t out_h, out_w;                      // H', W'
  int64_t group_channels, group_out;         // C / groups, O / groups
  Conv2dOptions options;

  int64_t window() const { return kernel_h * kernel_w; }
  Shape out_shape() const { return {batch, out_channels, out_h, out_w}; }
  // True if the windows tile the image (kernel = stride, no padding), as in a patch embedding.
  bool is_patches() const;
};

// Checks options, ranks, channels, groups, and that the kernel fits; every message has the numbers.
ConvGeometry conv_geometry(const char* op, const Shape& x, const Shape& weight, const Conv2dOptions& options);

// One axis of a gather: output i reads, under tap t, input pixel i * stride + offsets[t]; a pixel outside [0, extent) counts as
// zero. The result is written to pixel i * step + start of an axis of out_extent pixels.
struct GatherAxis {
  int64_t extent, outputs, stride;
  std::vector<int64_t> offsets;
  int64_t out_extent, step, start;
};

struct Gather {
  int64_t batch, groups;
  int64_t channels, out_channels;  // of one group
  GatherAxis h, w;
  // Weight of (group, output channel m, channel c, tap t): weight[group * weight_group + m * weight_out + c * weight_in +
  // weight_taps[t]].
  int64_t weight_group, weight_out, weight_in;
  std::vector<int64_t> weight_taps;
  // Pixel (0, 0) of output channel m of (image, group) is out[(image * groups + group) * out_group + out_offsets[m]].
  int64_t out_group;
  std::vector<int64_t> out_offsets;

  int64_t taps() const { return static_cast<int64_t>(weight_taps.size()); }
  int64_t depth() const { return channels * taps(); }  // number of terms in one output element
  int64_t rows() const { return batch * h.outputs; }   // rows of output pixels in the whole batch
};

Gather forward_gather(const ConvGeometry& g);
// The gathers that compute dx. Each pixel of dx belongs to at most one of them; a pixel that belongs to none is zero.
std::vector<Gather> input_gradient_gathers(const ConvGeometry& g);

// y = bias + the gather of x; bias may be null. Writes only the pixels that belong to the gather.
template <class T>
void gather_product(const Gather& g, const T* in, const T* weight, const T* bias, T* out);

// dweight of a forward gather.
template <class T>
void weight_gradient_product(const Gather& g, const T* dy, const T* x, T* dweight);

// db = the sum of dy over batch and pixels, for dy [batch, channels, plane].
template <class T>
void bias_gradient(int64_t batch, int64_t channels, int64_t plane, const T* dy, T* db);

}  // namespace vitrail::detail
