// Results by name: what a task measures, as trainer, progress line, log and saved model see it.
#pragma once

#include <string>
#include <vector>

namespace vitrail {

enum class ScoreUnit {
  kNumber,  // printed as 0.412
  kPart,    // in [0, 1], printed as 41.2 %
};

struct Score {
  std::string name;   // key in logs and files: "top1"
  std::string label;  // for people: "top-1"
  double value = 0;
  ScoreUnit unit = ScoreUnit::kNumber;
  bool larger_is_better = true;
};

// The first one decides which of two models is better.
using Scores = std::vector<Score>;

// A name as a user writes it, as the key of a score: "macro-f1" is macro_f1.
std::string score_key(const std::string& name);
// The score of that name, in either spelling. Error(kValue) listing the names, with the nearest, if there is none.
const Score& find_score(const Scores& scores, const std::string& name);
double score(const Scores& scores, const std::string& name);
// `scores` with the one of that name in front, taken from `more` if it is not among them; "first": as they are. Error(kValue)
// as above.
Scores with_first(const Scores& scores, const Scores& more, const std::string& name);
// "top-1 85.1 %, loss 0.412", with so many digits behind the point (a percentage has two less).
std::string format_scores(const Scores& scores, int digits = 3);

}  // namespace vitrail
