#include "train/task/scores.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "train/printable.h"

namespace vitrail {

namespace {

// A key as flags spell it.
std::string spelled(std::string key) {
  std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

}  // namespace

std::string score_key(const std::string& name) {
  std::string key = name;
  std::replace(key.begin(), key.end(), '-', '_');
  return key;
}

const Score& find_score(const Scores& scores, const std::string& name) {
  const std::string key = score_key(name);
  std::vector<std::string> names;
  std::string list;
  for (const Score& entry : scores) {
    if (entry.name == key) return entry;
    names.push_back(spelled(entry.name));
    list += (list.empty() ? "" : ", ") + names.back();
  }
  const std::string near = nearest(name, names);
  fail(ErrorKind::kValue, "score", "there is no score ", escaped(name),
       ". Hint: ", near.empty() ? "" : cat("did you mean ", near, "? It is "), "one of ", list, ".");
}

double score(const Scores& scores, const std::string& name) { return find_score(scores, name).value; }

Scores with_first(const Scores& scores, const Scores& more, const std::string& name) {
  if (name == "first") return scores;
  Scores all = scores;
  all.insert(all.end(), more.begin(), more.end());
  const Score chosen = find_score(all, name);
  Scores result{chosen};
  for (const Score& entry : scores)
    if (entry.name != chosen.name) result.push_back(entry);
  return result;
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
