#include "base/natural_order.h"

#include <cstddef>

namespace vitrail {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A run of digits without its leading zeros: [begin, end).
struct Digits {
  size_t begin, end;
};

Digits digits_at(const std::string& text, size_t at) {
  while (at < text.size() && text[at] == '0') ++at;
  size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return {at, end};
}

}  // namespace

bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      const Digits x = digits_at(a, i), y = digits_at(b, j);
      const size_t length_x = x.end - x.begin, length_y = y.end - y.begin;
      if (length_x != length_y) return length_x < length_y;
      if (const int order = a.compare(x.begin, length_x, b, y.begin, length_y)) return order < 0;
      i = x.end, j = y.end;
      continue;
    }
    if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
    ++i, ++j;
  }
  const bool a_ended = i == a.size(), b_ended = j == b.size();
  return a_ended && b_ended ? a < b : a_ended;
}

}  // namespace vitrail
