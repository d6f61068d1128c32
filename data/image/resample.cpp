#include "data/image/resample.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr int kBits = 22;
constexpr int32_t kHalf = 1 << (kBits - 1);

uint8_t to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

// Rows [from, from + out.size(1)) of each plane, columns by `w`: u8 [C, H, W] -> [C, rows, w.first.size()].
void horizontal_pass(const Tensor& image, int64_t from, const AxisWeights& w, Tensor& out) {
  const int64_t rows = out.size(1), width = out.size(2);
  for (int64_t c = 0; c < image.size(0); ++c) {
    for (int64_t y = 0; y < rows; ++y) {
      const uint8_t* in = image.data<uint8_t>() + (c * image.size(1) + from + y) * image.size(2);
      uint8_t* to = out.mutable_data<uint8_t>() + (c * rows + y) * width;
      for (int64_t x = 0; x < width; ++x) {
        const uint8_t* pixels = in + w.first[x];
        const int32_t* weights = w.weights.data() + x * w.taps;
        int32_t sum = kHalf;
        for (int64_t j = 0; j < w.count[x]; ++j) sum += pixels[j] * weights[j];
        to[x] = to_byte(sum);
      }
    }
  }
}

// Columns [from, from + out.size(2)) of each plane, rows by `w` less `above`: u8 [C, H, W] -> [C, w.first.size(), columns].
void vertical_pass(const Tensor& image, int64_t from, const AxisWeights& w, int64_t above, Tensor& out) {
  const int64_t height = out.size(1), columns = out.size(2), stride = image.size(2);
  std::vector<int32_t> sums(static_cast<size_t>(columns));
  for (int64_t c = 0; c < image.size(0); ++c) {
    for (int64_t y = 0; y < height; ++y) {
      const uint8_t* in = image.data<uint8_t>() + (c * image.size(1) + w.first[y] - above) * stride + from;
      std::fill(sums.begin(), sums.end(), kHalf);
      for (int64_t j = 0; j < w.count[y]; ++j, in += stride) {
        const int32_t weight = w.weights[y * w.taps + j];
        for (int64_t x = 0; x < columns; ++x) sums[x] += in[x] * weight;
      }
      uint8_t* to = out.mutable_data<uint8_t>() + (c * height + y) * columns;
      for (int64_t x = 0; x < columns; ++x) to[x] = to_byte(sums[x]);
    }
  }
}

// The input pixels that the outputs of `w` take: [first, last).
std::pair<int64_t, int64_t> needed(const AxisWeights& w) { return {w.first.front(), w.first.back() + w.count.back()}; }

Tensor resample_nearest(const Tensor& image, int64_t out_h, int64_t out_w, const Region& r) {
  const std::vector<int64_t> rows = nearest_pixels(image.size(1), out_h, r.top, r.top + r.height);
  const std::vector<int64_t> columns = nearest_pixels(image.size(2), out_w, r.left, r.left + r.width);
  Tensor out = empty({image.size(0), r.height, r.width}, Dtype::u8, "resample");
  uint8_t* to = out.mutable_data<uint8_t>();
  for (int64_t c = 0; c < image.size(0); ++c) {
    for (const int64_t y : rows) {
      const uint8_t* in = image.data<uint8_t>() + (c * image.size(1) + y) * image.size(2);
      for (const int64_t x : columns) *to++ = in[x];
    }
  }
  return out;
}

Tensor cut(const Tensor& image, const Region& r) {
  return contiguous(slice(slice(image, 1, r.top, r.top + r.height), 2, r.left, r.left + r.width));
}

Tensor new_image(const Tensor& like, int64_t height, int64_t width) {
  return empty({like.size(0), height, width}, Dtype::u8, "resample");
}

// Both axes change.
Tensor two_passes(const Tensor& image, const AxisWeights& across, const AxisWeights& down, const Region& r,
                  bool vertical_first) {
  Tensor out = new_image(image, r.height, r.width);
  if (vertical_first) {
    const auto [first, last] = needed(across);
    Tensor between = new_image(image, r.height, last - first);
    vertical_pass(image, first, down, 0, between);
    AxisWeights moved = across;
    for (int64_t& x : moved.first) x -= first;
    horizontal_pass(between, 0, moved, out);
  } else {
    const auto [first, last] = needed(down);
    Tensor between = new_image(image, last - first, r.width);
    horizontal_pass(image, first, across, between);
    vertical_pass(between, 0, down, first, out);
  }
  return out;
}

void check_image(const Tensor& image, const char* op) {
  check(image.defined() && image.dtype() == Dtype::u8 && image.dim() == 3 && image.numel() > 0, ErrorKind::kShape, op,
        "needs a u8 image [C, H, W] with pixels: it is ", image.defined() ? name_of(image.dtype()) : "undefined", " ",
        image.shape());
}

void check_arguments(const Tensor& image, int64_t out_h, int64_t out_w, const Region& r) {
  check_image(image, "resample");
  constexpr int64_t kMost = int64_t{1} << 31;
  check(out_h >= 1 && out_w >= 1 && out_h <= kMost && out_w <= kMost, ErrorKind::kValue, "resample",
        "the new size must lie in [1, 2^31]: it is ", out_h, " x ", out_w);
  const bool within =
      r.top >= 0 && r.left >= 0 && r.height >= 1 && r.width >= 1 && r.top <= out_h - r.height && r.left <= out_w - r.width;
  check(within, ErrorKind::kValue, "resample", "the region must lie within the new size ", out_h, " x ", out_w, ": it is ",
        r.height, " x ", r.width, " at ", r.top, ", ", r.left);
}

}  // namespace

Tensor resample(const Tensor& source, int64_t out_h, int64_t out_w, Resample filter, const Region& r, PassOrder order) {
  check_arguments(source, out_h, out_w, r);
  const Tensor image = contiguous(source);
  const int64_t in_h = image.size(1), in_w = image.size(2);
  if (in_h == out_h && in_w == out_w) return cut(image, r);
  if (filter == Resample::kNearest) return resample_nearest(image, out_h, out_w, r);
  Tensor out;
  if (in_h == out_h) {  // Pillow runs no pass along an axis whose size stays
    out = new_image(image, r.height, r.width);
    horizontal_pass(image, r.top, axis_weights(in_w, out_w, r.left, r.left + r.width, filter), out);
    return out;
  }
  const AxisWeights down = axis_weights(in_h, out_h, r.top, r.top + r.height, filter);
  if (in_w == out_w) {
    out = new_image(image, r.height, r.width);
    vertical_pass(image, r.left, down, 0, out);
    return out;
  }
  const bool vertical_first = order == PassOrder::kPillow13 && out_h < in_h && in_h - out_h > 2 * (in_w - out_w);
  return two_passes(image, axis_weights(in_w, out_w, r.left, r.left + r.width, filter), down, r, vertical_first);
}

Tensor resample(const Tensor& image, int64_t out_h, int64_t out_w, Resample filter, PassOrder order) {
  return resample(image, out_h, out_w, filter, {0, 0, out_h, out_w}, order);
}

Tensor reduce(const Tensor& source, int64_t rows, int64_t columns) {
  check_image(source, "reduce");
  check(rows >= 1 && columns >= 1 && rows <= 4096 && columns <= 4096, ErrorKind::kValue, "reduce",
        "a block must have 1 to 4096 rows and columns: it has ", rows, " x ", columns);
  const Tensor image = contiguous(source);
  const int64_t H = image.size(1), W = image.size(2);
  Tensor result = new_image(image, (H + rows - 1) / rows, (W + columns - 1) / columns);
  uint8_t* out = result.mutable_data<uint8_t>();
  for (int64_t c = 0; c < image.size(0); ++c) {
    const uint8_t* in = image.data<uint8_t>() + c * H * W;
    for (int64_t top = 0; top < H; top += rows) {
      for (int64_t left = 0; left < W; left += columns) {
        const int64_t bottom = std::min(H, top + rows), right = std::min(W, left + columns),
                      n = (bottom - top) * (right - left);
        int64_t sum = n / 2;
        for (int64_t y = top; y < bottom; ++y) sum = std::accumulate(in + y * W + left, in + y * W + right, sum);
        *out++ = static_cast<uint8_t>(sum * ((1 << 24) / n) >> 24);
      }
    }
  }
  return result;
}

}  // namespace vitrail
