#include "tensor/product/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace vitrail::detail {
namespace {

// Eight lanes whatever the processor: the compiler splits or keeps them.
typedef uint32_t Lanes __attribute__((vector_size(32), aligned(4), may_alias));
typedef float FloatLanes __attribute__((vector_size(32), aligned(4), may_alias));
constexpr int64_t kLanes = 8;

// The bits of a float rounded to bf16 in the upper half; the lower half is left over.
inline uint32_t rounded_bits(uint32_t bits) {
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : rounded;
}
inline Lanes rounded_bits(Lanes bits) {
  const Lanes rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  const Lanes is_nan = reinterpret_cast<Lanes>((bits & 0x7fffffffu) > 0x7f800000u);
  return (rounded & ~is_nan) | (is_nan & 0x7fc00000u);
}

// first into the low half, second into the high one.
template <class Bits>
inline Bits pair_of(Bits first, Bits second) {
  return (rounded_bits(first) >> 16) | (rounded_bits(second) & 0xffff0000u);
}

inline Lanes load(const float* x) { return *reinterpret_cast<const Lanes*>(x); }
inline void store(uint32_t* to, Lanes x) { *reinterpret_cast<Lanes*>(to) = x; }

// Eight pairs out of sixteen neighbouring numbers.
inline Lanes pairs_along(const float* x) {
  const Lanes a = load(x), b = load(x + kLanes);
  return pair_of(__builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14),
                 __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15));
}

// r[i][j] = r[j][i]
inline void transpose(Lanes (&r)[kLanes]) {
  Lanes t[kLanes], u[kLanes];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[2 * i + 1] = __builtin_shufflevector(r[2 * i], r[2 * i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 2; ++i) {
    const int j = 4 * i;
    u[j] = __builtin_shufflevector(t[j], t[j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
    u[j + 1] = __builtin_shufflevector(t[j], t[j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    u[j + 2] = __builtin_shufflevector(t[j + 1], t[j + 3], 0, 1, 8, 9, 4, 5, 12, 13);
    u[j + 3] = __builtin_shufflevector(t[j + 1], t[j + 3], 2, 3, 10, 11, 6, 7, 14, 15);
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = __builtin_shufflevector(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

// How one format turns numbers into elements.
struct F32Format {
  static constexpr ProductFormat kFormat = ProductFormat::kF32;
  static uint32_t one(const float* x, int64_t, int64_t) { return std::bit_cast<uint32_t>(*x); }
  static Lanes along(const float* x) { return load(x); }                     // elements of eight steps
  static Lanes across(const float* x, int64_t, int64_t) { return load(x); }  // one step of eight neighbours
};
struct Bf16Format {
  static constexpr ProductFormat kFormat = ProductFormat::kBf16Pair;
  // The pair at x and `next` behind it; `left` numbers remain.
  static uint32_t one(const float* x, int64_t next, int64_t left) {
    return pair_of(std::bit_cast<uint32_t>(*x), left > 1 ? std::bit_cast<uint32_t>(x[next]) : 0u);
  }
  static Lanes along(const float* x) { return pairs_along(x); }
  static Lanes across(const float* x, int64_t next, int64_t left) {
    return pair_of(load(x), left > 1 ? load(x + next) : Lanes{});
  }
};

// Numbers along the depth lie one after the other (B is a transposed weight): blocks of 8 x 8 are turned in registers.
template <class Format>
void pack_panel_along(MatrixView<const float> b, int64_t width, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kFormat);
  const int64_t steps = steps_of(b.rows, Format::kFormat), whole = b.rows / (kNumbers * kLanes) * kLanes;
  const int64_t columns = b.cols / kLanes * kLanes;
  for (int64_t col = 0; col < columns; col += kLanes) {
    for (int64_t step = 0; step < whole; step += kLanes) {
      Lanes block[kLanes];
      for (int64_t i = 0; i < kLanes; ++i) block[i] = Format::along(b.data + (col + i) * b.col_stride + step * kNumbers);
      transpose(block);
      for (int64_t i = 0; i < kLanes; ++i) store(out + (step + i) * width + col, block[i]);
    }
  }
  for (int64_t col = 0; col < b.cols; ++col) {  // what the blocks left over
    const float* column = b.data + col * b.col_stride;
    for (int64_t step = col < columns ? whole : 0; step < steps; ++step)
      out[step * width + col] = Format::one(column + step * kNumbers, 1, b.rows - step * kNumbers);
  }
}

// Numbers across the panel lie one after the other.
template <class Format>
void pack_panel_across(MatrixView<const float> b, int64_t width, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kFormat);
  const int64_t steps = steps_of(b.rows, Format::kFormat);
  for (int64_t step = 0; step < steps; ++step) {
    const float* row = b.data + step * kNumbers * b.row_stride;
    const int64_t left = b.rows - step * kNumbers;
    int64_t col = 0;
    for (; col + kLanes <= b.cols; col += kLanes)
      store(out + step * width + col, Format::across(row + col, b.row_stride, left));
    for (; col < b.cols; ++col) out[step * width + col] = Format::one(row + col, b.row_stride, left);
  }
}

template <class Format>
void pack_panel_as(MatrixView<const float> b, int64_t width, uint32_t* out) {
  if (b.cols < width) std::memset(out, 0, sizeof(uint32_t) * steps_of(b.rows, Format::kFormat) * width);
  b.row_stride == 1 && b.col_stride != 1 ? pack_panel_along<Format>(b, width, out) : pack_panel_across<Format>(b, width, out);
}

// Between two rows of a copied block: not a multiple of 4 KiB, so that the rows of a group do not share one cache set.
int64_t copied_row_step(int64_t steps) { return (steps + kLanes - 1) / kLanes * kLanes + 16; }

template <class Format>
PackedRows copy_rows(MatrixView<const float> a, int64_t group, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kFormat);
  const int64_t steps = steps_of(a.cols, Format::kFormat), step_row = copied_row_step(steps);
  const int64_t whole = a.cols / (kNumbers * kLanes) * kLanes, rows = (a.rows + group - 1) / group * group;
  for (int64_t i = 0; i < a.rows; ++i) {
    const float* row = a.data + i * a.row_stride;
    uint32_t* to = out + i * step_row;
    for (int64_t step = 0; step < whole; step += kLanes) store(to + step, Format::along(row + step * kNumbers));
    for (int64_t step = whole; step < steps; ++step) to[step] = Format::one(row + step * kNumbers, 1, a.cols - step * kNumbers);
  }
  for (int64_t i = a.rows; i < rows; ++i) std::memset(out + i * step_row, 0, sizeof(uint32_t) * steps);
  return {step_row, 1, step_row};
}

// Step by step, so that each row of memory is read once from end to end; a group is the kernel's rows, known when compiling.
template <class Format, int64_t kGroup>
PackedRows interleave_rows(MatrixView<const float> a, uint32_t* out) {
  constexpr int64_t kNumbers = numbers_per_step(Format::kFormat);
  const int64_t steps = steps_of(a.cols, Format::kFormat), whole = a.rows / kGroup * kGroup;
  for (int64_t step = 0; step < steps; ++step) {
    const float* from = a.data + step * kNumbers * a.col_stride;
    uint32_t* to = out + step * kGroup;
    const int64_t left = a.cols - step * kNumbers;
    for (int64_t row = 0; row < whole; row += kGroup) {
      for (int64_t i = 0; i < kGroup; ++i) to[row * steps + i] = Format::one(from + row + i, a.col_stride, left);
    }
    if (whole == a.rows) continue;
    for (int64_t i = 0; i < kGroup; ++i)
      to[whole * steps + i] = whole + i < a.rows ? Format::one(from + whole + i, a.col_stride, left) : 0;
  }
  return {1, kGroup, steps};
}

template <class Format>
PackedRows pack_rows_as(MatrixView<const float> a, int64_t group, uint32_t* out) {
  if (a.col_stride == 1) return copy_rows<Format>(a, group, out);
  switch (group) {
    case 4: return interleave_rows<Format, 4>(a, out);
    case 6: return interleave_rows<Format, 6>(a, out);
    case 12: return interleave_rows<Format, 12>(a, out);
    default: return interleave_rows<Format, 14>(a, out);
  }
}

}  // namespace

uint16_t to_bf16(float x) { return static_cast<uint16_t>(rounded_bits(std::bit_cast<uint32_t>(x)) >> 16); }

float from_bf16(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

void pack_panel(MatrixView<const float> b, int64_t width, ProductFormat format, void* out) {
  auto* to = static_cast<uint32_t*>(out);
  format == ProductFormat::kF32 ? pack_panel_as<F32Format>(b, width, to) : pack_panel_as<Bf16Format>(b, width, to);
}

int64_t packed_rows_size(int64_t rows, int64_t group, int64_t depth, ProductFormat format) {
  return (rows + group - 1) / group * group * copied_row_step(steps_of(depth, format));
}

PackedRows pack_rows(MatrixView<const float> a, int64_t group, ProductFormat format, void* out) {
  auto* to = static_cast<uint32_t*>(out);
  return format == ProductFormat::kF32 ? pack_rows_as<F32Format>(a, group, to) : pack_rows_as<Bf16Format>(a, group, to);
}

}  // namespace vitrail::detail
