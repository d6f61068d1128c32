#include "tensor/product/product.h"

#include <algorithm>

#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"
#include "tensor/product/pack.h"
#include "tensor/product/panel.h"
#include "tensor/shape.h"

namespace vitrail::detail {
namespace {

// A panel of B of this many steps stays in the first-level cache while all rows of a tile are multiplied by it.
constexpr int64_t kStepsPerBlock = 256;
constexpr int64_t kRowsPerTile = 144, kMostRowsPerTile = 240;  // a block of A of that height stays in the second-level cache
constexpr int64_t kColsPerTile = 768;
constexpr int64_t kPackedAtOnce = int64_t{1} << 22;  // elements of B whose packed copy stays in the third-level cache
constexpr int64_t kFarAway = int64_t{1} << 19;       // numbers of a B whose panels exceed the second-level cache
constexpr double kLeastWork = 1 << 18;               // multiply-adds below which packing costs more than it saves

// The depth in blocks of equal length, a multiple of eight steps. They depend on the depth alone, and so does the order of all
// additions: tiles and threads do not change the result.
struct DepthBlocks {
  DepthBlocks(int64_t depth, Precision precision) : total(depth) {
    const int64_t numbers = numbers_per_step(precision), steps = steps_of(depth, precision);
    count = std::max<int64_t>(1, ceil_div(steps, kStepsPerBlock));
    length = ceil_div(ceil_div(steps, count), 8) * 8 * numbers;
    count = std::max<int64_t>(1, ceil_div(depth, length));
  }
  int64_t begin(int64_t block) const { return block * length; }
  int64_t size(int64_t block) const { return std::min(length, total - block * length); }

  int64_t total, count, length;
};

// Tiles of C of nearly equal size. The order of each sum does not depend on the tiles, so the tiles may depend on the number of
// threads: their count should divide evenly among them.
struct Tiles {
  Tiles(const Operand& a, int64_t n, const MicroKernel& kernel)
      : m(a.rows()),
        row_groups(ceil_div(m, kernel.rows)),
        col_groups(ceil_div(n, kernel.cols)),
        down(m <= kMostRowsPerTile ? 1 : ceil_div(m, kRowsPerTile)),
        across(ceil_div(n, kColsPerTile)),
        whole_groups(a.col_stride() != 1) {
    const int64_t threads = num_threads();
    // Narrower tiles pack rows of A more often, lower tiles read B more often. So cut both ways in turn, the cheaper one first.
    const bool columns_first = !whole_groups && n > m;
    for (int64_t least = 8; least >= 2 && count() < threads; least /= 2) {
      if (columns_first) cut_columns(threads, least);
      down = std::max(down, std::min(ceil_div(threads, across), row_groups / least));
      cut_columns(threads, least);
    }
    // If threads would wait for one last tile, one more cut costs less.
    for (int64_t tries = 1; tries < threads && count() < 16 * threads && count() % threads != 0; ++tries) {
      if (row_groups / (down + 1) >= 2) ++down;
    }
  }
  int64_t count() const { return down * across; }
  // row(i): the first row of tile row i; col(j): the first column of tile column j. Interleaved rows are cut between groups
  // only.
  int64_t row(int64_t i, const MicroKernel& kernel) const {
    return whole_groups ? std::min(m, row_groups * i / down * kernel.rows) : m * i / down;
  }
  int64_t col(int64_t j, const MicroKernel& kernel) const { return col_groups * j / across * kernel.cols; }
  int64_t most_rows(const MicroKernel& kernel) const { return ceil_div(row_groups, down) * kernel.rows; }

  int64_t m, row_groups, col_groups, down, across;
  bool whole_groups;

 private:
  void cut_columns(int64_t threads, int64_t least) {
    across = std::max(across, std::min(ceil_div(threads, down), col_groups / (least / 2)));
  }
};

struct Tile {
  int64_t row, rows, col, cols;
};

// fn(tile, scratch for multiply_tile) for all tiles of A B, in parallel.
template <class Fn>
void for_each_tile(const Operand& a, const PackedMatrix& b, Fn&& fn) {
  check(!a.rounded() || b.precision() == Precision::kBf16, ErrorKind::kValue, "product",
        "rounded numbers are multiplied in bf16, but the other operand was packed in f32");
  const Precision precision = b.precision();
  const MicroKernel& kernel = *micro_kernel_for(precision);
  const Tiles tiles(a, b.cols(), kernel);
  const int64_t scratch_bytes =
      4 * grouped_rows_size(tiles.most_rows(kernel), kernel.rows, DepthBlocks(a.cols(), precision).length, precision);
  count_flops(2 * a.rows() * b.cols() * a.cols());
  parallel_for(tiles.count(), 1, [&](int64_t begin, int64_t end) {
    const Storage scratch(scratch_bytes);
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t i = tile / tiles.across, j = tile % tiles.across;
      const int64_t row = tiles.row(i, kernel), col = tiles.col(j, kernel);
      fn(Tile{row, std::min(a.rows(), tiles.row(i + 1, kernel)) - row, col, std::min(b.cols(), tiles.col(j + 1, kernel)) - col},
         static_cast<uint32_t*>(scratch.data()));
    }
  });
}

// Prefetches part `part` of `parts` of a panel. In small parts, because many requests at once wait for each other.
void prefetch_part(const uint32_t* panel, int64_t elements, int64_t part, int64_t parts) {
  constexpr int64_t kLine = 16;
  const int64_t lines = elements / kLine, end = lines * (part + 1) / parts;
  for (int64_t line = lines * part / parts; line < end; ++line) __builtin_prefetch(panel + line * kLine, 0, 2);
}

// One tile of C, [rows, K] x [K, cols]: for each block of the depth, for each panel of B. If the panels of one block together
// do not fit into the caches of a core (far), the next panel is prefetched while one is multiplied.
void multiply_tile(const Operand& a, const PackedMatrix& b, int64_t col0, float beta, MatrixView<float> c, uint32_t* scratch) {
  const Precision precision = b.precision();
  const MicroKernel& kernel = *micro_kernel_for(precision);
  const DepthBlocks depth(a.cols(), precision);
  const int64_t panel_stride = steps_of(depth.length, precision) * kernel.cols;
  const bool far = precision == Precision::kF32 && b.rows() * b.cols() >= kFarAway;
  for (int64_t block = 0; block < depth.count; ++block) {
    const LeftOperand left =
        group_rows(a.block(0, a.rows(), depth.begin(block), depth.size(block)), kernel.rows, precision, scratch);
    const auto* panel = static_cast<const uint32_t*>(b.panel(block, col0));
    for (int64_t j = 0; j < c.cols; j += kernel.cols, panel += panel_stride) {
      const bool prefetch = far && j + kernel.cols < c.cols;
      multiply_panel(kernel, left, panel, kernel.cols, c.block(0, c.rows, j, c.cols - j), block > 0 || beta != 0,
                     [&](int64_t group, int64_t groups) {
                       if (prefetch) prefetch_part(panel + panel_stride, left.steps * kernel.cols, group, groups);
                     });
    }
  }
}

}  // namespace

bool has_product_kernels() { return micro_kernel_for(Precision::kF32) != nullptr; }

bool large_enough(int64_t m, int64_t n, int64_t k) {
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  return has_product_kernels() && work >= kLeastWork && std::min(m, n) >= 8;
}

bool suits_product(const Operand& a, const Operand& b, float beta, const MatrixView<float>& c) {
  return large_enough(c.rows, c.cols, a.cols()) && (a.row_stride() == 1 || a.col_stride() == 1) &&
         (b.row_stride() == 1 || b.col_stride() == 1) && c.col_stride == 1 && (beta == 0 || beta == 1);
}

PackedMatrix::PackedMatrix(const Operand& b, Precision precision)
    : rows_(b.rows()), cols_(b.cols()), precision_(precision), data_([&] {
        const DepthBlocks depth(b.rows(), precision);
        const int64_t width = micro_kernel_for(precision)->cols;
        return checked_bytes({depth.count * steps_of(depth.length, precision), ceil_div(b.cols(), width) * width}, 4,
                             "product");
      }()) {
  check(!b.rounded() || precision == Precision::kBf16, ErrorKind::kValue, "product", "rounded numbers are multiplied in bf16");
  const DepthBlocks depth(b.rows(), precision);
  const int64_t width = micro_kernel_for(precision)->cols, panel_stride = steps_of(depth.length, precision) * width;
  // One piece of work is contiguous in memory: some whole rows, or one panel of a transposed matrix.
  const bool transposed = b.row_stride() == 1 && b.col_stride() != 1;
  const int64_t most_rows = transposed ? depth.length : std::min(depth.length, 16 * numbers_per_step(precision));
  const int64_t most_cols = transposed ? width : b.cols();
  const int64_t down = ceil_div(depth.length, most_rows), across = ceil_div(b.cols(), most_cols);
  const int64_t grain = std::max<int64_t>(1, kElementwiseGrain / std::max<int64_t>(1, most_rows * most_cols));
  parallel_for(depth.count * down * across, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t block = item / (down * across), row = item / across % down * most_rows, col = item % across * most_cols;
      const int64_t rows = std::min(most_rows, depth.size(block) - row), cols = std::min(most_cols, b.cols() - col);
      if (rows <= 0) continue;
      auto* to = static_cast<uint32_t*>(const_cast<void*>(panel(block, col))) + row / numbers_per_step(precision) * width;
      pack_panels(b.block(depth.begin(block) + row, rows, col, cols), width, precision, panel_stride, to);
    }
  });
}

const void* PackedMatrix::panel(int64_t block, int64_t col) const {
  const DepthBlocks depth(rows_, precision_);
  const int64_t width = micro_kernel_for(precision_)->cols, steps = steps_of(depth.length, precision_);
  return static_cast<const uint32_t*>(data_.data()) + block * steps * ceil_div(cols_, width) * width + col * steps;
}

void product(const Operand& a, const Operand& b, float beta, MatrixView<float> c, const TileEpilogue& epilogue,
             Precision precision) {
  const DepthBlocks depth(a.cols(), precision);
  if (b.rows() * b.cols() <= kPackedAtOnce || depth.count == 1)
    return product(a, PackedMatrix(b, precision), beta, c, epilogue);
  for (int64_t block = 0; block < depth.count; ++block) {
    const int64_t begin = depth.begin(block), size = depth.size(block);
    const PackedMatrix packed(b.block(begin, size, 0, b.cols()), precision);
    product(a.block(0, a.rows(), begin, size), packed, block > 0 ? 1 : beta, c,
            block + 1 < depth.count ? TileEpilogue{} : epilogue);
  }
}

void product(const Operand& a, const PackedMatrix& b, float beta, MatrixView<float> c, const TileEpilogue& epilogue) {
  for_each_tile(a, b, [&](const Tile& t, uint32_t* scratch) {
    multiply_tile(a.block(t.row, t.rows, 0, a.cols()), b, t.col, beta, c.block(t.row, t.rows, t.col, t.cols), scratch);
    if (epilogue) epilogue(t.row, t.row + t.rows, t.col, t.col + t.cols);
  });
}

void product_tiles(const Operand& a, const PackedMatrix& b, const TileSink& sink) {
  for_each_tile(a, b, [&](const Tile& t, uint32_t* scratch) {
    const int64_t row_stride = t.cols + 16;  // not a multiple of 4 KiB
    const Storage sums(t.rows * row_stride * static_cast<int64_t>(sizeof(float)));
    const MatrixView<float> c{static_cast<float*>(sums.data()), t.rows, t.cols, row_stride, 1};
    multiply_tile(a.block(t.row, t.rows, 0, a.cols()), b, t.col, 0, c, scratch);
    sink(t.row, t.col, c);
  });
}

}  // namespace vitrail::detail
