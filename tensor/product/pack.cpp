#include "tensor/product/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "tensor/machine/bf16.h"

namespace vitrail::detail {
namespace {

constexpr int64_t kLanes = 8;

// r[i][j] = r[j][i]
inline void transpose(Bits8 (&r)[kLanes]) {
  Bits8 t[kLanes], u[kLanes];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = simd::shuffled<0, 8, 1, 9, 4, 12, 5, 13>(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = simd::shuffled<2, 10, 3, 11, 6, 14, 7, 15>(r[2 * i], r[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    const int j = 4 * i;
    u[j] = simd::shuffled<0, 1, 8, 9, 4, 5, 12, 13>(t[j], t[j + 2]);
    u[j + 1] = simd::shuffled<2, 3, 10, 11, 6, 7, 14, 15>(t[j], t[j + 2]);
    u[j + 2] = simd::shuffled<0, 1, 8, 9, 4, 5, 12, 13>(t[j + 1], t[j + 3]);
    u[j + 3] = simd::shuffled<2, 3, 10, 11, 6, 7, 14, 15>(t[j + 1], t[j + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = simd::shuffled<0, 1, 2, 3, 8, 9, 10, 11>(u[i], u[i + 4]);
    r[i + 4] = simd::shuffled<4, 5, 6, 7, 12, 13, 14, 15>(u[i], u[i + 4]);
  }
}

// How numbers become packed elements in one precision.
struct F32Format {
  static constexpr Precision kPrecision = Precision::kF32;
  static uint32_t one(const float* x, int64_t, int64_t) { return std::bit_cast<uint32_t>(*x); }
  static Bits8 along(const float* x) { return simd::load<Bits8>(x); }  // the elements of eight steps
  template <int64_t kCount>
  static simd::Vector<uint32_t, kCount> across(const float* x, int64_t, int64_t) {  // one step of neighbouring columns
    return simd::load<simd::Vector<uint32_t, kCount>>(x);
  }
};
struct Bf16Format {
  static constexpr Precision kPrecision = Precision::kBf16;
  // The pair of x[0] and x[next], or of x[0] and 0 if `left`, the count of numbers from x[0] on, is 1.
  static uint32_t one(const float* x, int64_t next, int64_t left) {
    return pair_of(std::bit_cast<uint32_t>(*x), left > 1 ? std::bit_cast<uint32_t>(x[next]) : 0u);
  }
  static uint32_t one(const Bf16* x, int64_t next, int64_t left) {
    return x->bits | (left > 1 ? uint32_t{x[next].bits} << 16 : 0u);
  }
  template <class T>
  static Bits8 along(const T* x) {
    return pairs_along(x);
  }
  template <int64_t kCount>
  static simd::Vector<uint32_t, kCount> across(const float* x, int64_t next, int64_t left) {
    using Bits = simd::Vector<uint32_t, kCount>;
    return pair_of(simd::load<Bits>(x), left > 1 ? simd::load<Bits>(x + next) : Bits{});
  }
  template <int64_t kCount>
  static simd::Vector<uint32_t, kCount> across(const Bf16* x, int64_t next, int64_t left) {
    using H = Halves<kCount>;
    return pair_of_halves<kCount>(simd::load<H>(x), left > 1 ? simd::load<H>(x + next) : H{});
  }
};

// For B that is contiguous along the depth (a transposed weight): transposes blocks of 8 x 8 in registers.
template <class Format, class T>
void pack_panel_along(MatrixView<const T> b, int64_t width, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kPrecision);
  if (b.cols < width) std::memset(out, 0, sizeof(uint32_t) * steps_of(b.rows, Format::kPrecision) * width);
  const int64_t steps = steps_of(b.rows, Format::kPrecision), whole = b.rows / (kNumbers * kLanes) * kLanes;
  const int64_t columns = b.cols / kLanes * kLanes;
  for (int64_t col = 0; col < columns; col += kLanes) {
    for (int64_t step = 0; step < whole; step += kLanes) {
      Bits8 block[kLanes];
      for (int64_t i = 0; i < kLanes; ++i) block[i] = Format::along(b.data + (col + i) * b.col_stride + step * kNumbers);
      transpose(block);
      for (int64_t i = 0; i < kLanes; ++i) simd::store(out + (step + i) * width + col, block[i]);
    }
  }
  for (int64_t col = 0; col < b.cols; ++col) {  // the rest that the blocks leave
    const T* column = b.data + col * b.col_stride;
    for (int64_t step = col < columns ? whole : 0; step < steps; ++step)
      out[step * width + col] = Format::one(column + step * kNumbers, 1, b.rows - step * kNumbers);
  }
}

// For B whose rows are contiguous: goes step by step, so that each row of memory is read once from start to end.
template <class Format, class T>
void pack_panels_across(MatrixView<const T> b, int64_t width, int64_t panel_stride, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kPrecision), kWide = 16;
  const int64_t steps = steps_of(b.rows, Format::kPrecision), whole = b.cols / width * width;
  for (int64_t step = 0; step < steps; ++step) {
    const T* row = b.data + step * kNumbers * b.row_stride;
    const int64_t left = b.rows - step * kNumbers;
    uint32_t* to = out + step * width;
    for (int64_t col = 0; col < whole; col += width, to += panel_stride) {
      for (int64_t i = 0; i < width; i += kWide)
        simd::store(to + i, Format::template across<kWide>(row + col + i, b.row_stride, left));
    }
    if (whole == b.cols) continue;
    for (int64_t i = 0; i < width; ++i) to[i] = whole + i < b.cols ? Format::one(row + whole + i, b.row_stride, left) : 0;
  }
}

template <class Format, class T>
void pack_panels_as(MatrixView<const T> b, int64_t width, int64_t panel_stride, uint32_t* out) {
  if (b.row_stride != 1 || b.col_stride == 1) return pack_panels_across<Format>(b, width, panel_stride, out);
  for (int64_t col = 0; col < b.cols; col += width, out += panel_stride)
    pack_panel_along<Format>(b.block(0, b.rows, col, std::min(width, b.cols - col)), width, out);
}

// The distance of two rows of a copied block. It is not a multiple of 4 KiB, so that the rows of a group fall into different
// cache sets.
int64_t copied_row_step(int64_t steps) { return round_up(steps, kLanes) + 16; }

template <class Format, class T>
LeftOperand copy_rows(MatrixView<const T> a, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kPrecision);
  const int64_t steps = steps_of(a.cols, Format::kPrecision), step_row = copied_row_step(steps);
  const int64_t whole = a.cols / (kNumbers * kLanes) * kLanes;
  for (int64_t i = 0; i < a.rows; ++i) {
    const T* row = a.data + i * a.row_stride;
    uint32_t* to = out + i * step_row;
    for (int64_t step = 0; step < whole; step += kLanes) simd::store(to + step, Format::along(row + step * kNumbers));
    for (int64_t step = whole; step < steps; ++step) to[step] = Format::one(row + step * kNumbers, 1, a.cols - step * kNumbers);
  }
  return {out, a.rows, steps, step_row, 1};
}

// One step of a group of at most 16 rows: one or two vectors, where the second overlaps the first instead of reaching beyond
// the group.
template <class Format, class T>
inline void interleave_group(const T* from, int64_t rows, int64_t next, int64_t left, uint32_t* to) {
  if (rows >= 8) {
    simd::store(to, Format::template across<8>(from, next, left));
    simd::store(to + rows - 8, Format::template across<8>(from + rows - 8, next, left));
  } else if (rows >= 4) {
    simd::store(to, Format::template across<4>(from, next, left));
    simd::store(to + rows - 4, Format::template across<4>(from + rows - 4, next, left));
  } else {
    for (int64_t i = 0; i < rows; ++i) to[i] = Format::one(from + i, next, left);
  }
}

// Interleaves rows, step by step, so that each row of memory is read once from start to end. In a tile these are short pieces
// far apart, which no hardware prefetcher predicts, so they are prefetched some steps early.
template <class Format, int64_t kGroup, class T>
LeftOperand interleave_rows(MatrixView<const T> a, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kPrecision), kRowsAhead = 16;
  static_assert(kGroup <= 16);
  const int64_t steps = steps_of(a.cols, Format::kPrecision), whole = a.rows / kGroup * kGroup;
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t first = step * kNumbers;
    for (int64_t soon = first + kRowsAhead; soon < std::min(a.cols, first + kRowsAhead + kNumbers); ++soon) {
      for (int64_t i = 0; i < a.rows; i += 16) __builtin_prefetch(a.data + soon * a.col_stride + i);
    }
    const T* from = a.data + first * a.col_stride;
    uint32_t* to = out + step * kGroup;
    for (int64_t row = 0; row < whole; row += kGroup)
      interleave_group<Format>(from + row, kGroup, a.col_stride, a.cols - first, to + row * steps);
    if (whole < a.rows)
      interleave_group<Format>(from + whole, a.rows - whole, a.col_stride, a.cols - first, to + whole * steps);
  }
  return {out, a.rows, steps, 1, kGroup, true};
}

// True if the rows can be read in place: f32 rows are packed elements already. Rows that are a multiple of 4 KiB apart are
// copied, since they would share one cache set.
bool can_stay(const MatrixView<const float>& a, Precision precision) {
  return precision == Precision::kF32 && a.col_stride == 1 && a.row_stride % 1024 != 0;
}
bool can_stay(const MatrixView<const Bf16>& a, Precision) {
  const bool whole_pairs = a.cols % 2 == 0 && a.row_stride % 2 == 0 && reinterpret_cast<uintptr_t>(a.data) % 4 == 0;
  return whole_pairs && a.col_stride == 1 && a.row_stride % 2048 != 0;
}

template <class Format, class T>
LeftOperand group_rows_as(MatrixView<const T> a, int64_t group, uint32_t* out) {
  if (can_stay(a, Format::kPrecision)) {
    const int64_t row_step = a.row_stride * static_cast<int64_t>(sizeof(T)) / 4;
    return {a.data, a.rows, steps_of(a.cols, Format::kPrecision), row_step, 1};
  }
  if (a.col_stride == 1) return copy_rows<Format>(a, out);
  switch (group) {
    case 4: return interleave_rows<Format, 4>(a, out);
    case 6: return interleave_rows<Format, 6>(a, out);
    case 12: return interleave_rows<Format, 12>(a, out);
    default: return interleave_rows<Format, 14>(a, out);
  }
}

// fn(F32Format or Bf16Format, the view)
template <class Fn>
auto with_format(const Operand& x, Precision precision, Fn&& fn) {
  return x.visit([&](const auto& view) {
    if constexpr (std::is_same_v<decltype(view), const MatrixView<const float>&>) {
      if (precision == Precision::kF32) return fn(F32Format{}, view);
    }
    return fn(Bf16Format{}, view);
  });
}

}  // namespace

void pack_panels(const Operand& b, int64_t width, Precision precision, int64_t panel_stride, void* out) {
  auto* to = static_cast<uint32_t*>(out);
  with_format(b, precision, [=](auto how, const auto& x) { pack_panels_as<decltype(how)>(x, width, panel_stride, to); });
}

int64_t grouped_rows_size(int64_t rows, int64_t group, int64_t depth, Precision precision) {
  return round_up(rows, group) * copied_row_step(steps_of(depth, precision));
}

LeftOperand group_rows(const Operand& a, int64_t group, Precision precision, uint32_t* scratch) {
  return with_format(a, precision, [=](auto how, const auto& x) { return group_rows_as<decltype(how)>(x, group, scratch); });
}

}  // namespace vitrail::detail
