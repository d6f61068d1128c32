#include "models/weights/families/names.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "tensor/ops.h"
#include "tensor/view.h"

namespace vitrail::weights {

namespace {

// The number that "{}" stands for, and the end that "*" or "{s}" stands for.
struct Holes {
  std::string number, end;
};

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == std::string::npos;
}

// `pattern` without its final "*" or "{s}", and whether it had one.
std::pair<std::string, char> without_end(const std::string& pattern) {
  if (pattern.ends_with(".*")) return {pattern.substr(0, pattern.size() - 1), '*'};
  if (pattern.ends_with("{s}")) return {pattern.substr(0, pattern.size() - 3), 's'};
  return {pattern, '\0'};
}

std::optional<Holes> fits(const std::string& pattern, const std::string& name) {
  Holes holes;
  const auto [start, end] = without_end(pattern);
  std::string rest = name;
  if (end != '\0') {
    for (const char* word : {"weight", "bias", "scale"}) {
      if (!rest.ends_with(word) || word[0] == (end == '*' ? 's' : 'w')) continue;
      holes.end = word[0] == 's' ? "weight" : word;
      rest.resize(rest.size() - std::string(word).size());
      break;
    }
    if (holes.end.empty()) return std::nullopt;
  }
  const size_t hole = start.find("{}");
  if (hole == std::string::npos) return rest == start ? std::optional(holes) : std::nullopt;
  const std::string before = start.substr(0, hole), behind = start.substr(hole + 2);
  if (rest.size() <= before.size() + behind.size() || !rest.starts_with(before) || !rest.ends_with(behind)) return std::nullopt;
  holes.number = rest.substr(before.size(), rest.size() - before.size() - behind.size());
  return is_number(holes.number) ? std::optional(holes) : std::nullopt;
}

std::string filled(const std::string& pattern, const Holes& holes) {
  auto [text, end] = without_end(pattern);
  if (end == '*') text += holes.end;
  if (end == 's') text += holes.end == "weight" ? "scale" : holes.end;
  const size_t hole = text.find("{}");
  return hole == std::string::npos ? text : text.replace(hole, 2, holes.number);
}

// Channels and side of a square patch of one or three channels; zeros if it is none. No number of values is both: 3 s s = t t
// has no whole solution. Other channels, and patches that are no squares, may have as many values: lucidrains' files do not
// say.
std::pair<int64_t, int64_t> patch_of(int64_t values) {
  for (const int64_t channels : {3, 1}) {
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(values / channels))));
    if (channels * side * side == values) return {channels, side};
  }
  return {0, 0};
}

}  // namespace

const FamilyNames& family_names(const std::string& family) {
  for (const FamilyNames& names : all_family_names())
    if (names.family == family) return names;
  fail(ErrorKind::kValue, "weights", "no family has this name: it is ", quote(family));
}

std::optional<NameMatch> match_name(const FamilyNames& family, const std::string& theirs, bool outside) {
  for (const NameRow& row : family.rows) {
    if (row.outside != outside) continue;
    if (const auto holes = fits(row.theirs, theirs)) return NameMatch{&row, filled(row.ours, *holes)};
  }
  return std::nullopt;
}

std::string their_name(const FamilyNames& family, const std::string& ours, int part, bool* outside) {
  for (const NameRow& row : family.rows) {
    if (row.part != part) continue;
    if (const auto holes = fits(row.ours, ours)) {
      if (outside != nullptr) *outside = row.outside;
      return filled(row.theirs, *holes);
    }
  }
  return "";
}

bool is_unused(const FamilyNames& family, const std::string& theirs) {
  for (const std::string& name : family.unused) {
    const bool beginning = name.back() == '.' || name.back() == '/' || name.back() == '_';
    if (beginning ? theirs.starts_with(name) : theirs == name) return true;
  }
  return false;
}

bool is_computed(const FamilyNames& family, const std::string& theirs) {
  return std::ranges::any_of(family.computed, [&](const std::string& start) { return theirs.starts_with(start); });
}

Tensor changed(const Tensor& t, Change change, const std::string& name) {
  const Shape& s = t.shape();
  const auto rank = [&](int64_t wanted) {
    check(t.dim() == wanted && t.numel() > 0, ErrorKind::kData, "weights", escaped(name), " must have ", wanted,
          " axes: it is ", s);
  };
  switch (change) {
    case Change::kNone: return t;
    case Change::kTokens:
      check(t.dim() >= 1 && t.dim() <= 3, ErrorKind::kData, "weights", escaped(name), " must have 1 to 3 axes: it is ", s);
      return t.dim() == 1 ? reshape(t, {1, 1, s[0]}) : t.dim() == 2 ? reshape(t, {1, s[0], s[1]}) : t;
    case Change::kTranspose: rank(2); return contiguous(transpose(t));
    case Change::kFlaxPatch: rank(4); return contiguous(permute(t, {3, 2, 0, 1}));
    case Change::kFlaxIn: rank(3); return contiguous(transpose(reshape(t, {s[0], s[1] * s[2]})));
    case Change::kFlaxInBias: rank(2); return reshape(t, {s[0] * s[1]});
    case Change::kFlaxOut: rank(3); return contiguous(transpose(reshape(t, {s[0] * s[1], s[2]})));
    case Change::kPatchMatrix:
    case Change::kPatchVector: {
      const bool matrix = change == Change::kPatchMatrix;
      rank(matrix ? 2 : 1);
      const auto [channels, side] = patch_of(s[matrix ? 1 : 0]);
      check(side > 0, ErrorKind::kData, "weights", escaped(name), " must hold square patches of 1 or 3 channels: it is ", s);
      if (matrix) return contiguous(permute(reshape(t, {s[0], side, side, channels}), {0, 3, 1, 2}));
      return reshape(contiguous(permute(reshape(t, {side, side, channels}), {2, 0, 1})), {s[0]});
    }
  }
  return t;
}

}  // namespace vitrail::weights
