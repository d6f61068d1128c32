#include "tensor/panel_product.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tensor/product/block.h"
#include "tensor/product/pack.h"
#include "tensor/simd.h"
#include "tensor/storage.h"

namespace vitrail {
namespace {

using simd::kLanes;
using simd::load;
using simd::Quad;
using simd::store;
using simd::Vector;

// Sums held in registers: kTileRows rows of two vectors. With one register per vector of B and one for the element of A this
// fills the 16 registers of SSE and AVX, and 27 of the 32 of AVX-512.
constexpr int kTileRows = kLanes == 16 ? 12 : 6;
constexpr int kPanelVectors = 2;
constexpr int64_t kPanelCols = kPanelVectors * kLanes;

// The columns of C may be fewer than the lanes, or apart: then by way of a spare row.
template <int kRows, int kVectors>
void write_tile(const Vector (&sums)[kRows][kVectors], const MatrixView<float>& c, bool add) {
  if (c.cols == kVectors * kLanes && c.col_stride == 1) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) {
        float* to = c.data + r * c.row_stride + v * kLanes;
        store(to, add ? load(to) + sums[r][v] : sums[r][v]);
      }
    }
    return;
  }
  float spare[kRows][kVectors * kLanes];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) store(spare[r] + v * kLanes, sums[r][v]);
  }
  for (int r = 0; r < kRows; ++r) {
    for (int64_t j = 0; j < c.cols; ++j) {
      float& to = c.data[r * c.row_stride + j * c.col_stride];
      to = add ? to + spare[r][j] : spare[r][j];
    }
  }
}

// kRows rows of A times one panel. The unrolled loops keep every sum in a register of its own.
template <int kRows, int kVectors>
void tile_product(const MatrixView<const float>& a, const float* panel, const MatrixView<float>& c, bool add) {
  Vector sums[kRows][kVectors] = {};
  const float* column = a.data;
  for (int64_t k = 0; k < a.cols; ++k) {
    Vector b[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) b[v] = load(panel + v * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const float x = column[r * a.row_stride];
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sums[r][v] += x * b[v];
    }
    column += a.col_stride;
    panel += kVectors * kLanes;
  }
  write_tile(sums, c, add);
}

using TileProduct = void (*)(const MatrixView<const float>&, const float*, const MatrixView<float>&, bool);

// [rows - 1]
template <int kVectors, int... kRow>
constexpr std::array<TileProduct, sizeof...(kRow)> tile_products(std::integer_sequence<int, kRow...>) {
  return {tile_product<kRow + 1, kVectors>...};
}
constexpr auto kWide = tile_products<kPanelVectors>(std::make_integer_sequence<int, kTileRows>());
constexpr auto kNarrow = tile_products<1>(std::make_integer_sequence<int, kTileRows>());

// Where element (k, 0) of the panel that begins at column `col` stands, and how wide that panel is.
struct Panel {
  Panel(int64_t col, int64_t depth, int64_t cols, float* panels)
      : width(std::min(kPanelCols, packed_cols(cols) - col)), data(panels + col * depth) {}
  int64_t width;
  float* data;
};

// Rows are asked for this many ahead (simd::prefetch says why).
constexpr int64_t kRowsAhead = 12;

// Rows of B one after the other in memory; reads each once from end to end.
void pack_rows(MatrixView<const float> b, float factor, float* panels) {
  const int64_t whole = b.cols / kLanes * kLanes;
  for (int64_t k = 0; k < b.rows; ++k) {
    const float* row = b.data + k * b.row_stride;
    if (k + kRowsAhead < b.rows) simd::prefetch(row + kRowsAhead * b.row_stride, b.cols);
    for (int64_t col = 0; col < b.cols; col += kPanelCols) {
      const Panel panel(col, b.rows, b.cols, panels);
      float* to = panel.data + k * panel.width;
      for (int64_t j = 0; j < panel.width; j += kLanes) {
        if (col + j < whole) {
          store(to + j, factor * load(row + col + j));
        } else {
          for (int64_t i = 0; i < kLanes; ++i) to[j + i] = col + j + i < b.cols ? factor * row[col + j + i] : 0.0f;
        }
      }
    }
  }
}

// Columns of B one after the other in memory: squares of four are transposed.
void pack_columns(MatrixView<const float> b, float factor, float* panels) {
  for (int64_t j = 0; j < packed_cols(b.cols); j += 4) {
    const Panel panel(j / kPanelCols * kPanelCols, b.rows, b.cols, panels);
    float* to = panel.data + j % kPanelCols;
    if (j + 4 > b.cols) {
      for (int64_t k = 0; k < b.rows; ++k) {
        for (int64_t i = 0; i < 4; ++i)
          to[k * panel.width + i] = j + i < b.cols ? factor * b.data[k + (j + i) * b.col_stride] : 0.0f;
      }
      continue;
    }
    const float *c0 = b.data + j * b.col_stride, *c1 = c0 + b.col_stride, *c2 = c1 + b.col_stride, *c3 = c2 + b.col_stride;
    for (int64_t i = kRowsAhead; i < std::min(kRowsAhead + 4, b.cols - j); ++i) simd::prefetch(c0 + i * b.col_stride, b.rows);
    int64_t k = 0;
    for (; k + 4 <= b.rows; k += 4, to += 4 * panel.width) {
      Quad q0 = load<Quad>(c0 + k), q1 = load<Quad>(c1 + k), q2 = load<Quad>(c2 + k), q3 = load<Quad>(c3 + k);
      simd::transpose(q0, q1, q2, q3);
      store(to, factor * q0);
      store(to + panel.width, factor * q1);
      store(to + 2 * panel.width, factor * q2);
      store(to + 3 * panel.width, factor * q3);
    }
    for (; k < b.rows; ++k, to += panel.width) {
      to[0] = factor * c0[k], to[1] = factor * c1[k], to[2] = factor * c2[k], to[3] = factor * c3[k];
    }
  }
}

// ---- bf16, by the micro-kernels of tensor/product/ ----

using detail::ProductFormat;

constexpr ProductFormat kPair = ProductFormat::kBf16Pair;

const detail::MicroKernel& pair_kernel() { return *detail::micro_kernel_for(kPair); }
int64_t pair_panel_size(int64_t depth) { return detail::steps_of(depth, kPair) * pair_kernel().cols; }

void pack_pairs(MatrixView<const float> b, float factor, float* panels) {
  if (factor == 1) return detail::pack_panels(b, pair_kernel().cols, kPair, pair_panel_size(b.rows), panels);
  // The factor comes before the rounding. B is small, and stays in the cache.
  const bool by_rows = b.col_stride == 1;
  const Storage copy(b.rows * b.cols * static_cast<int64_t>(sizeof(float)));
  const MatrixView<float> scaled{static_cast<float*>(copy.data()), b.rows, b.cols, by_rows ? b.cols : 1, by_rows ? 1 : b.rows};
  const int64_t lines = by_rows ? b.rows : b.cols, length = by_rows ? b.cols : b.rows;
  for (int64_t i = 0; i < lines; ++i) {
    const float* from = b.data + i * (by_rows ? b.row_stride : b.col_stride);
    for (int64_t j = 0; j < length; ++j) scaled.data[i * length + j] = factor * from[j];
  }
  const MatrixView<const float> read{scaled.data, b.rows, b.cols, scaled.row_stride, scaled.col_stride};
  detail::pack_panels(read, pair_kernel().cols, kPair, pair_panel_size(b.rows), panels);
}

void multiply_pairs(MatrixView<const float> a, const float* panels, MatrixView<float> c, bool add) {
  const Storage scratch(4 * detail::grouped_rows_size(a.rows, pair_kernel().rows, a.cols, kPair));
  detail::multiply_block(pair_kernel(), kPair, a, {reinterpret_cast<const uint32_t*>(panels), pair_panel_size(a.cols)}, add, c,
                         static_cast<uint32_t*>(scratch.data()));
}

bool in_pairs(Precision precision) { return precision == Precision::kBf16 && detail::micro_kernel_for(kPair) != nullptr; }

}  // namespace

int64_t packed_cols(int64_t cols) { return (cols + kLanes - 1) / kLanes * kLanes; }
int64_t packed_size(int64_t rows, int64_t cols, Precision precision) {
  if (!in_pairs(precision)) return rows * packed_cols(cols);
  return (cols + pair_kernel().cols - 1) / pair_kernel().cols * pair_panel_size(rows);
}

void pack_panels(MatrixView<const float> b, float factor, float* panels, Precision precision) {
  if (in_pairs(precision)) return pack_pairs(b, factor, panels);
  if (b.col_stride == 1 || b.cols == 1) {
    pack_rows(b, factor, panels);
  } else {
    pack_columns(b, factor, panels);
  }
}

void multiply_panels(MatrixView<const float> a, const float* panels, MatrixView<float> c, bool add, Precision precision) {
  if (in_pairs(precision)) return multiply_pairs(a, panels, c, add);
  // Tiles of nearly equal height: 65 rows are ten tiles of six and one of five, and 49 no six and a one.
  const int64_t tiles = (c.rows + kTileRows - 1) / kTileRows;
  const int64_t low = tiles ? c.rows / tiles : 0, higher = tiles ? c.rows % tiles : 0;
  for (int64_t col = 0; col < c.cols; col += kPanelCols) {
    const auto& kernels = packed_cols(c.cols) - col < kPanelCols ? kNarrow : kWide;
    MatrixView<const float> a_tile = a;
    MatrixView<float> c_tile = c.block(0, low, col, std::min(kPanelCols, c.cols - col));
    for (int64_t t = 0; t < tiles; ++t) {
      a_tile.rows = c_tile.rows = t < higher ? low + 1 : low;
      kernels[c_tile.rows - 1](a_tile, panels + col * a.cols, c_tile, add);
      a_tile.data += a_tile.rows * a_tile.row_stride;
      c_tile.data += c_tile.rows * c_tile.row_stride;
    }
  }
}

}  // namespace vitrail
