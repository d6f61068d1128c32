// Whether a model knows how sure it may be: of the answers that it gives with 80 % confidence, 80 % should be right.
#pragma once

#include <cstdint>
#include <vector>

namespace vitrail {

// Reliability diagram and expected calibration error: Guo et al., "On Calibration of Modern Neural Networks", 2017,
// arXiv:1706.04599, equations 2, 3 and 5.
class Calibration {
 public:
  // Answers whose confidence lies in ((m - 1) / M, m / M].
  struct Bin {
    int64_t answers = 0, right = 0;
    double sum = 0;  // of the confidences
    double accuracy() const { return answers > 0 ? static_cast<double>(right) / static_cast<double>(answers) : 0; }
    double confidence() const { return answers > 0 ? sum / static_cast<double>(answers) : 0; }
  };

  // Error(kValue) unless 1 <= bins <= 1000. The paper has 15.
  explicit Calibration(int64_t bins = 15);
  // confidence: the probability of the answer, in [0, 1], else Error(kNumeric).
  void add(double confidence, bool right);

  const std::vector<Bin>& bins() const { return bins_; }
  Bin total() const;
  // ECE = sum over the bins of n_m / n |accuracy_m - confidence_m|; 0 when empty.
  double error() const;

 private:
  std::vector<Bin> bins_;
};

}  // namespace vitrail
