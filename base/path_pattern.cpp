#include "base/path_pattern.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "base/number.h"
#include "base/text.h"

namespace vitrail {

namespace {

constexpr size_t kLongest = 200;  // the time of a match is the product of both lengths

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Whether a part is "0-5": two numbers of at most 9 digits.
bool is_range(const std::string& part) {
  const size_t dash = part.find('-');
  if (dash == std::string::npos || dash == 0 || dash > 9 || part.size() - dash - 1 > 9 || dash + 1 == part.size()) return false;
  return std::all_of(part.begin(), part.begin() + static_cast<std::ptrdiff_t>(dash), is_digit) &&
         std::all_of(part.begin() + static_cast<std::ptrdiff_t>(dash) + 1, part.end(), is_digit);
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

}  // namespace

void PathPattern::add_part(const std::string& part, const char* what) {
  if (is_range(part)) {
    const size_t dash = part.find('-');
    const int64_t low = std::stoll(part.substr(0, dash)), high = std::stoll(part.substr(dash + 1));
    check(low <= high, ErrorKind::kValue, what, "a range runs upwards: it is ", part, " in ", quote(text_), ". Hint: ", high,
          "-", low, ".");
    tokens_.push_back({Kind::kNumber, 0, low, high});
    return;
  }
  for (const char c : part) tokens_.push_back({c == '*' ? Kind::kMany : c == '?' ? Kind::kOne : Kind::kCharacter, c});
}

PathPattern::PathPattern(const std::string& text, const char* what) : text_(text) {
  check(!text.empty() && text.size() <= kLongest, ErrorKind::kValue, what, "a pattern has 1 to ", kLongest, " bytes: it has ",
        text.size(), ". Hint: patterns stand between commas, as in \"patch_embed.*,blocks.0-5.*\".");
  for (size_t from = 0; from <= text.size();) {
    const size_t dot = std::min(text.find('.', from), text.size());
    add_part(text.substr(from, dot - from), what);
    if (dot < text.size()) tokens_.push_back({Kind::kCharacter, '.'});
    from = dot + 1;
  }
}

bool PathPattern::matches(const std::string& path) const {
  // reached[j]: the tokens so far can stand for the first j characters.
  std::vector<char> reached(path.size() + 1, 0), next;
  reached[0] = 1;
  for (const Token& token : tokens_) {
    next.assign(path.size() + 1, 0);
    for (size_t j = 0; j <= path.size(); ++j) {
      if (token.kind == Kind::kMany) {
        next[j] = reached[j] || (j > 0 && next[j - 1]);
      } else if (reached[j] && token.kind == Kind::kNumber) {
        size_t end = j;
        while (end < path.size() && is_digit(path[end]) && end - j < 9) ++end;
        if (end == j) continue;
        const int64_t number = std::stoll(path.substr(j, end - j));
        if (number >= token.low && number <= token.high) next[end] = 1;
      } else if (reached[j] && j < path.size() && (token.kind == Kind::kOne || path[j] == token.character)) {
        next[j + 1] = 1;
      }
    }
    reached.swap(next);
  }
  return reached.back() != 0;
}

bool PathPattern::matches_from_start(const std::string& path) const {
  if (matches(path)) return true;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
    if (matches(path.substr(0, dot))) return true;
  return false;
}

bool PathPattern::matches_end(const std::string& path) const {
  if (matches(path)) return true;
  for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', dot + 1))
    if (matches(path.substr(dot + 1))) return true;
  return false;
}

std::vector<PathPattern> path_patterns(const std::string& list, const char* what) {
  std::vector<PathPattern> patterns;
  if (trimmed(list).empty()) return patterns;
  for (size_t from = 0; from <= list.size();) {
    const size_t comma = std::min(list.find(',', from), list.size());
    patterns.emplace_back(trimmed(list.substr(from, comma - from)), what);
    from = comma + 1;
  }
  return patterns;
}

}  // namespace vitrail
