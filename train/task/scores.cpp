#include "train/task/scores.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "train/printable.h"

namespace vitrail {

double score(const Scores& scores, const std::string& name) {
  std::string names;
  for (const Score& entry : scores) {
    if (entry.name == name) return entry.value;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  fail(ErrorKind::kValue, "score", "there is no score ", name, ". Hint: one of ", names, ".");
}

std::string format_scores(const Scores& scores, int digits) {
  std::string text;
  for (const Score& entry : scores) {
    char number[64];
    if (entry.unit == ScoreUnit::kPart)
      std::snprintf(number, sizeof number, "%.*f %%", std::max(0, digits - 2), printable(100 * entry.value));
    else
      std::snprintf(number, sizeof number, "%.*f", digits, printable(entry.value));
    text += cat(text.empty() ? "" : ", ", entry.label, " ", number);
  }
  return text;
}

}  // namespace vitrail
