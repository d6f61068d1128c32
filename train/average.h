// One model from several that were trained from one start: the mean of their weights (Wortsman et al., "Model soups", ICML
// 2022, arXiv:2203.05482). It costs no more than one of them in use, and is often better than the best.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/weights/save.h"
#include "train/task/scores.h"

namespace vitrail {

// What keeps the weights of two models from being averaged, in words: every field of the architecture that differs, but for
// dropout and stochastic depth, which evaluation does not use; classes by name and place; preprocessing; tensors by name and
// shape. Empty if nothing does.
std::vector<std::string> average_obstacles(const SavedModel& first, const SavedModel& other);

// Sums in double, in the order in which they are given; a copy of one model has its bits.
class WeightSum {
 public:
  // Error(kValue) naming a tensor that is not a float and differs from that of the models before.
  void add(const nn::StateDict& weights);
  // What the mean would be with these as well.
  nn::StateDict mean_with(const nn::StateDict& weights) const;
  nn::StateDict mean() const;
  int64_t count() const { return count_; }

 private:
  nn::StateDict sums_;   // f64; what is not a float as it is
  nn::StateDict kinds_;  // of the first: dtype of each
  int64_t count_ = 0;
};

// A model as the average sees it: where it came from, what its weights are, how good it is.
struct Ingredient {
  std::string path, hash;  // weights_hash() of all of it
  Scores scores{};
  bool kept = false;  // in the greedy average
};

struct AverageResult {
  Scores uniform;
  std::optional<Scores> greedy;
  nn::StateDict weights;  // of the greedy average, or of the uniform one
  Scores scores;          // of these
};

// The uniform average, and with `greedy` recipe 1 of the paper: the models by falling first score (of equal ones by hash), each
// kept where the average with it is not worse than without it. Nothing depends on the order of `models`, which get their
// scores: the uniform sum runs in the order of their hashes. One model is in memory at a time, beside the sums. `read` gives
// the weights of models[i], `judge` the scores of weights.
AverageResult average_models(std::vector<Ingredient>& models, bool greedy, const std::function<nn::StateDict(size_t)>& read,
                             const std::function<Scores(const nn::StateDict&)>& judge);

}  // namespace vitrail
