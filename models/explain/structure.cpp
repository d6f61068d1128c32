#include "models/explain/structure.h"

#include <algorithm>
#include <cmath>

#include "base/divide.h"
#include "data/image/image.h"
#include "models/explain/overlay.h"
#include "tensor/ops.h"

namespace vitrail::models::explain {
namespace {

// Between the centres of all pairs of patches, in pixels: f64 [N, N]
Tensor distances(Size2d grid, Size2d image) {
  const int64_t n = grid.h * grid.w;
  const double down = static_cast<double>(image.h) / static_cast<double>(grid.h),
               across = static_cast<double>(image.w) / static_cast<double>(grid.w);
  Tensor result = empty({n, n}, Dtype::f64, "distances");
  double* d = result.mutable_data<double>();
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      d[i * n + j] = std::hypot(static_cast<double>(i / grid.w - j / grid.w) * down,
                                static_cast<double>(i % grid.w - j % grid.w) * across);
  return result;
}

uint8_t byte_of(double value) { return static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L)); }

}  // namespace

Tensor attention_distance(const Tensor& attention, int64_t prefix, Size2d grid, Size2d image) {
  const int64_t tokens = prefix + grid.h * grid.w;
  check(attention.dim() == 4 && attention.size(2) == tokens && attention.size(3) == tokens, ErrorKind::kShape,
        "attention_distance", "attention must have ", tokens, " tokens (", prefix, " prefix tokens, ", grid.h, " x ", grid.w,
        " patches): it is ", attention.shape());
  const Tensor d = distances(grid, image);
  Tensor result = empty({attention.size(0), attention.size(1)}, Dtype::f64, "attention_distance");
  double* out = result.mutable_data<double>();
  for (int64_t layer = 0; layer < attention.size(0); ++layer)
    for (int64_t head = 0; head < attention.size(1); ++head) {
      const Tensor whole = select(select(attention, 0, layer), 0, head);
      const Tensor a = to(slice(slice(whole, 0, prefix, tokens), 1, prefix, tokens), Dtype::f64);
      const Tensor weight = maximum(sum(a, {1}), scalar(1e-300, Dtype::f64));
      *out++ = mean(sum(a * d, {1}) / weight).item();
    }
  return result;
}

double even_distance(Size2d grid, Size2d image) { return mean(distances(grid, image)).item(); }

Tensor position_similarity(const Tensor& positions) {
  check(positions.dim() == 2, ErrorKind::kShape, "position_similarity", "positions are [N, D]: they are ", positions.shape());
  // LAB 9.5 BEGIN  The cosine of every pair of rows, in f64; with a row of zeros it is 0, not NaN.
  const Tensor x = to(positions, Dtype::f64);
  const Tensor length = maximum(sqrt(sum(square(x), {1}, true)), scalar(1e-300, Dtype::f64));
  const Tensor unit = x / length;
  return matmul(unit, transpose(unit));
  // LAB 9.5 END
}

Tensor similarity_picture(const Tensor& similarity, Size2d grid, int64_t most_side) {
  const int64_t n = grid.h * grid.w;
  check(similarity.shape() == Shape{n, n}, ErrorKind::kShape, "similarity_picture", "similarity must be [N, N] with N = ", n,
        ": it is ", similarity.shape());
  const int64_t step = ceil_div(std::max(grid.h, grid.w), most_side);
  const int64_t rows = ceil_div(grid.h, step), columns = ceil_div(grid.w, step), gap = std::max<int64_t>(1, grid.h / 8);
  const Tensor values = contiguous(similarity);
  const double* s = values.data<double>();
  const int64_t height = rows * (grid.h + gap) - gap, width = columns * (grid.w + gap) - gap;
  Tensor picture = full({3, height, width}, 255, Dtype::u8);
  uint8_t* out = picture.mutable_data<uint8_t>();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      const double* of = s + (row * step * grid.w + column * step) * n;
      for (int64_t i = 0; i < n; ++i) {
        const Colour colour = heat_colour((of[i] + 1) / 2);
        const int64_t y = row * (grid.h + gap) + i / grid.w, x = column * (grid.w + gap) + i % grid.w;
        for (int64_t c = 0; c < 3; ++c) out[(c * height + y) * width + x] = byte_of(colour[static_cast<size_t>(c)]);
      }
    }
  return picture;
}

FilterPicture filter_picture(const Tensor& filters, int64_t count) {
  check(filters.dim() == 4, ErrorKind::kShape, "filter_picture", "filters are [D, C, h, w]: they are ", filters.shape());
  const bool shown = filters.size(1) == 1 || filters.size(1) == 3;
  const Tensor weight = contiguous(shown ? filters : mean(filters, {1}, true));
  const int64_t channels = weight.size(1), h = weight.size(2), w = weight.size(3), area = channels * h * w;
  const PrincipalComponents found = principal_components(reshape(weight, {weight.size(0), area}), count);
  FilterPicture result;
  result.count = found.directions.size(0);
  Tensor tiles = empty({result.count, channels, h, w}, Dtype::u8, "filter_picture");
  const double* from = found.directions.data<double>();
  uint8_t* to_byte = tiles.mutable_data<uint8_t>();
  for (int64_t i = 0; i < result.count; ++i) {
    const double* f = from + i * area;
    double largest = 1e-300;
    for (int64_t j = 0; j < area; ++j) largest = std::max(largest, std::abs(f[j]));
    for (int64_t j = 0; j < area; ++j) to_byte[i * area + j] = byte_of(127.5 * (1 + f[j] / largest));
    result.share += found.total > 0 ? found.variances[static_cast<size_t>(i)] / found.total : 0;
  }
  result.picture = contact_sheet(tiles, std::min<int64_t>(7, result.count), 1);
  return result;
}

}  // namespace vitrail::models::explain
