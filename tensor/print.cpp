#include "tensor/print.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

namespace vitrail {
namespace {

constexpr int64_t kSummaryAbove = 1000;
constexpr int64_t kEdge = 3;
constexpr size_t kLineWidth = 100;
constexpr int64_t kGap = -1;  // stands for the elements left out

// The shown positions of an axis, with kGap where some are left out.
std::vector<int64_t> shown_positions(const Tensor& x, int axis) {
  const int64_t extent = x.shape()[axis];
  std::vector<int64_t> positions;
  const bool cut = x.numel() > kSummaryAbove && extent > 2 * kEdge;
  for (int64_t i = 0; i < (cut ? kEdge : extent); ++i) positions.push_back(i);
  if (cut) positions.push_back(kGap);
  for (int64_t i = extent - kEdge; cut && i < extent; ++i) positions.push_back(i);
  return positions;
}

// Memory offsets of the shown elements, in the order in which they are printed.
void collect_places(const Tensor& x, int axis, int64_t place, std::vector<int64_t>* places) {
  if (axis == x.dim()) {
    places->push_back(place);
    return;
  }
  for (int64_t i : shown_positions(x, axis)) {
    if (i != kGap) collect_places(x, axis + 1, place + i * x.strides()[axis], places);
  }
}

std::string formatted(double value, bool scientific) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[64];
  std::snprintf(text, sizeof text, scientific ? "%.4e" : "%.4f", value);
  return text;
}

template <class T>
std::vector<std::string> cells_of(const T* data, const std::vector<int64_t>& places) {
  std::vector<std::string> cells;
  if constexpr (std::is_floating_point_v<T>) {
    const bool scientific = std::any_of(places.begin(), places.end(), [&](int64_t place) {
      const double size = std::fabs(static_cast<double>(data[place]));
      return std::isfinite(size) && size != 0 && (size >= 1e6 || size < 1e-4);
    });
    for (int64_t place : places) cells.push_back(formatted(static_cast<double>(data[place]), scientific));
  } else {
    for (int64_t place : places) cells.push_back(std::to_string(data[place]));
  }
  return cells;
}

// Writes the brackets and the cells, one after the other.
class Writer {
 public:
  Writer(const Tensor& x, const std::vector<std::string>& cells) : x_(x), cells_(cells) {
    for (const std::string& cell : cells) width_ = std::max(width_, cell.size());
  }

  std::string write() {
    text_ = "Tensor(";
    if (x_.dim() == 0) {
      text_ += cells_[0];
    } else if (x_.numel() == 0) {
      text_ += "[]";
    } else {
      write_axis(0);
    }
    return text_ + cat(", shape=", x_.shape(), ", dtype=", name_of(x_.dtype()), ")");
  }

 private:
  void new_line(int axis, int count) { text_ += std::string(count, '\n') + std::string(7 + axis, ' '); }

  void write_row(int axis) {
    size_t line_start = text_.rfind('\n') == std::string::npos ? 0 : text_.rfind('\n');
    bool first = true;
    for (int64_t i : shown_positions(x_, axis)) {
      const std::string cell = i == kGap ? "..." : std::string(width_ - cells_[next_].size(), ' ') + cells_[next_];
      next_ += i != kGap;
      if (!first) text_ += ',';
      if (!first && text_.size() - line_start + 1 + cell.size() > kLineWidth) {
        line_start = text_.size();
        new_line(axis + 1, 1);
      } else if (!first) {
        text_ += ' ';
      }
      text_ += cell;
      first = false;
    }
  }

  void write_axis(int axis) {
    text_ += '[';
    if (axis + 1 == x_.dim()) {
      write_row(axis);
    } else {
      bool first = true;
      for (int64_t i : shown_positions(x_, axis)) {
        if (!first) {
          text_ += ',';
          new_line(axis + 1, x_.dim() - axis - 1);  // blocks of more dimensions are separated by more lines
        }
        first = false;
        if (i == kGap) {
          text_ += "...";
        } else {
          write_axis(axis + 1);
        }
      }
    }
    text_ += ']';
  }

  const Tensor& x_;
  const std::vector<std::string>& cells_;
  std::string text_;
  size_t next_ = 0, width_ = 0;
};

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "Tensor(undefined)";
  std::vector<int64_t> places;
  if (x.numel() > 0) collect_places(x, 0, 0, &places);
  const auto cells = dispatch(x.dtype(), [&](auto zero) { return cells_of(x.data<decltype(zero)>(), places); });
  return Writer(x, cells).write();
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }

}  // namespace vitrail
