#include "models/suggest.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace vitrail::models {
namespace {

// Levenshtein distance, one row of the table at a time.
size_t edits(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  if (word.size() > 256) return "";  // nobody mistypes that much
  std::string best;
  size_t best_edits = word.size() / 2 + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edits(word, candidate);
    if (distance < best_edits) best = candidate, best_edits = distance;
  }
  return best;
}

}  // namespace vitrail::models
