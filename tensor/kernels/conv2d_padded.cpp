#include "tensor/kernels/conv2d_padded.h"

#include <algorithm>
#include <cstring>

#include "base/divide.h"
#include "tensor/shape.h"

namespace vitrail::detail {
namespace {

// The positions i in [first, last) of [0, count) for which i * stride + offset lies in [0, extent).
std::pair<int64_t, int64_t> inside(int64_t count, int64_t extent, int64_t stride, int64_t offset) {
  const int64_t first = offset >= 0 ? 0 : ceil_div(-offset, stride);
  const int64_t last = offset >= extent ? 0 : (extent - 1 - offset) / stride + 1;
  const int64_t begin = std::min(first, count);
  return {begin, std::clamp(last, begin, count)};
}

// The most images that `rows` consecutive output rows can belong to.
int64_t most_segments(const Gather& g, int64_t rows) { return (rows + g.h.outputs - 2) / g.h.outputs + 1; }

template <class T>
int64_t buffer_bytes(const Gather& g, int64_t channels, int64_t rows) {
  const PaddedAxis h(g.h), w(g.w);
  const int64_t parts_h = static_cast<int64_t>(h.phases.size()), parts_w = static_cast<int64_t>(w.phases.size());
  const int64_t plane = checked_numel({parts_h, rows + most_segments(g, rows) * h.reach, parts_w, g.w.outputs + w.reach});
  return checked_bytes({channels, plane}, sizeof(T), "conv2d");
}

// kLength: the columns of every run, as a compile-time constant; 0 if the runs differ.
template <int64_t kLength, class T>
void copy_runs(const std::vector<ColumnRun>& runs, const T* from, T* to) {
  for (const ColumnRun& run : runs) {
    const size_t length = kLength > 0 ? kLength : static_cast<size_t>(run.length);
    std::memcpy(to + run.column, from + run.source, length * sizeof(T));
  }
}

}  // namespace

PaddedAxis::PaddedAxis(const GatherAxis& axis) {
  const int64_t low = *std::min_element(axis.offsets.begin(), axis.offsets.end());
  for (const int64_t offset : axis.offsets) {
    const int64_t phase = low + (offset - low) % axis.stride;
    const auto at = std::find(phases.begin(), phases.end(), phase);
    tap_phase.push_back(at - phases.begin());
    if (at == phases.end()) phases.push_back(phase);
    tap_shift.push_back((offset - low) / axis.stride);
    reach = std::max(reach, tap_shift.back());
  }
}

template <class T>
PaddedTile<T>::PaddedTile(const Gather& gather, int64_t most_channels, int64_t most_rows)
    : gather_(gather),
      h_(gather.h),
      w_(gather.w),
      taps_(gather.taps()),
      line_(gather.w.outputs + w_.reach),
      row_length_(line_ * static_cast<int64_t>(w_.phases.size())),
      tap_offsets_(gather.taps()),
      buffer_(buffer_bytes<T>(gather, most_channels, most_rows)) {
  for (const int64_t phase : w_.phases) spans_.push_back(inside(line_, gather.w.extent, gather.w.stride, phase));
}

template <class T>
void PaddedTile<T>::split(int64_t row, int64_t rows) {
  const int64_t outputs = gather_.h.outputs;
  segments_.clear();
  padded_rows_ = 0;
  for (int64_t r = row; r < row + rows;) {
    const int64_t count = std::min(row + rows, (r / outputs + 1) * outputs) - r;
    segments_.push_back({r / outputs, r % outputs, count, padded_rows_});
    padded_rows_ += count + h_.reach;
    r += count;
  }
  rows_ = rows;
  plane_ = static_cast<int64_t>(h_.phases.size()) * padded_rows_ * row_length_;
  for (int64_t t = 0; t < taps_; ++t) {
    const size_t p = t / w_.tap_phase.size(), q = t % w_.tap_phase.size();
    tap_offsets_[t] =
        (h_.tap_phase[p] * padded_rows_ + h_.tap_shift[p]) * row_length_ + w_.tap_phase[q] * line_ + w_.tap_shift[q];
  }
}

template <class T>
void PaddedTile<T>::fill_row(const T* from, T* to) const {
  const int64_t stride = gather_.w.stride;
  for (size_t part = 0; part < spans_.size(); ++part, to += line_) {
    const auto [first, last] = spans_[part];
    const T* pixel = from + w_.phases[part];
    for (int64_t j = 0; j < first; ++j) to[j] = T{0};
    if (stride == 1) {
      std::copy(pixel + first, pixel + last, to + first);
    } else {
      for (int64_t j = first; j < last; ++j) to[j] = pixel[j * stride];
    }
    for (int64_t j = last; j < line_; ++j) to[j] = T{0};
  }
}

template <class T>
void PaddedTile<T>::fill(const T* in, int64_t group, int64_t channel, int64_t channels, int64_t row, int64_t rows) {
  split(row, rows);
  const GatherAxis& h = gather_.h;
  const int64_t input_plane = h.extent * gather_.w.extent;
  for (const Segment& s : segments_) {
    const T* planes = in + ((s.image * gather_.groups + group) * gather_.channels + channel) * input_plane;
    for (int64_t c = 0; c < channels; ++c) {
      for (size_t part = 0; part < h_.phases.size(); ++part) {
        T* to = data() + c * plane_ + (static_cast<int64_t>(part) * padded_rows_ + s.base) * row_length_;
        for (int64_t i = 0; i < s.rows + h_.reach; ++i, to += row_length_) {
          const int64_t y = (s.first + i) * h.stride + h_.phases[part];
          if (y < 0 || y >= h.extent) {
            std::fill_n(to, row_length_, T{0});
          } else {
            fill_row(planes + c * input_plane + y * gather_.w.extent, to);
          }
        }
      }
    }
  }
}

template <class T>
void PaddedTile<T>::runs(int64_t group, int64_t first, int64_t count, std::vector<ColumnRun>& out) const {
  const GatherAxis &h = gather_.h, &w = gather_.w;
  out.clear();
  int64_t before = 0;  // columns of the segments so far
  for (const Segment& s : segments_) {
    const int64_t columns = s.rows * w.outputs;
    int64_t column = std::max<int64_t>(first - before, 0);
    const int64_t end = std::min(first + count - before, columns);
    while (column < end) {
      const int64_t i = column / w.outputs, j = column % w.outputs, length = std::min(w.outputs - j, end - column);
      const int64_t pixel = ((s.first + i) * h.step + h.start) * w.out_extent + j * w.step + w.start;
      out.push_back({before + column - first, length, (s.base + i) * row_length_ + j,
                     (s.image * gather_.groups + group) * gather_.out_group + pixel});
      column += length;
    }
    before += columns;
  }
}

template <class T>
void PaddedTile<T>::unfold(const std::vector<ColumnRun>& runs, int64_t k0, int64_t k1, int64_t width, T* out) const {
  const int64_t length = runs.front().length;
  const bool equal = std::all_of(runs.begin(), runs.end(), [&](const ColumnRun& run) { return run.length == length; });
  const auto copy = !equal         ? copy_runs<0, T>
                    : length == 4  ? copy_runs<4, T>
                    : length == 8  ? copy_runs<8, T>
                    : length == 16 ? copy_runs<16, T>
                    : length == 32 ? copy_runs<32, T>
                                   : copy_runs<0, T>;
  const T* plane = data() + k0 / taps_ * plane_;
  for (int64_t k = k0, tap = k0 % taps_; k < k1; ++k, out += width) {
    copy(runs, plane + tap_offsets_[tap], out);
    if (++tap == taps_) tap = 0, plane += plane_;
  }
}

template class PaddedTile<float>;
template class PaddedTile<double>;

}  // namespace vitrail::detail
