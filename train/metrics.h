// How good a classifier is: top-k accuracy, running averages, the confusion matrix.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// How many rows of logits [B, C] have their target (i64 [B]) among the k largest. Of equal logits the lower class counts as
// the larger, as in argmax; a row with a NaN counts as wrong. k above C means C. Error(kShape), Error(kValue) for a target
// outside [0, C).
int64_t count_top_k(const Tensor& logits, const Tensor& target, int64_t k);
// count_top_k / B; NaN for an empty batch.
double top_k_accuracy(const Tensor& logits, const Tensor& target, int64_t k = 1);

// The mean of values that stand for different numbers of samples: the last, smaller batch of an epoch weighs less.
class RunningMean {
 public:
  RunningMean() = default;
  RunningMean(double sum, double samples) : sum_(sum), samples_(samples) {}
  void add(double value, double samples = 1) {
    sum_ += value * samples;
    samples_ += samples;
  }
  double mean() const { return samples_ > 0 ? sum_ / samples_ : 0; }
  double sum() const { return sum_; }
  double samples() const { return samples_; }

 private:
  double sum_ = 0, samples_ = 0;
};

// count(truth, predicted). Memory grows with the pairs that occur, not with the square of the classes.
class ConfusionMatrix {
 public:
  // Error(kValue) unless 1 <= classes <= 65536.
  explicit ConfusionMatrix(int64_t classes);
  // Adds the rows of logits [B, C] with their targets (i64 [B]).
  void add(const Tensor& logits, const Tensor& target);
  void add(int64_t truth, int64_t predicted);

  int64_t classes() const { return classes_; }
  int64_t count(int64_t truth, int64_t predicted) const;
  int64_t total() const { return total_; }
  int64_t images(int64_t truth) const;  // of this class
  struct Confusion {
    int64_t truth, predicted, count;
  };
  // The wrong pairs that occur, the most frequent first; of equally frequent ones the lower classes.
  std::vector<Confusion> confusions() const;
  double accuracy() const;                    // trace / total; 0 when empty
  double recall(int64_t truth) const;         // of the images of this class, the part that was found; 0 if there are none
  double precision(int64_t predicted) const;  // of the images called this class, the part that is; 0 if there are none
  double f1(int64_t cls) const;               // harmonic mean of the two
  // The mean of f1() over the classes that occur as truth or as answer; of recall() over those that occur as truth. As
  // scikit-learn's f1_score(average="macro") and balanced_accuracy_score; 0 when empty.
  double macro_f1() const;
  double balanced_accuracy() const;
  // A table with class names (or numbers, if names is empty), rows are the truth.
  std::string to_string(const std::vector<std::string>& names = {}) const;

 private:
  int64_t classes_, total_ = 0;
  std::map<std::pair<int64_t, int64_t>, int64_t> counts_;  // (truth, predicted)
  std::vector<int64_t> truths_, predictions_;
};

}  // namespace vitrail
