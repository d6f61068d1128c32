#include "train/calibration.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace vitrail {

Calibration::Calibration(int64_t bins) {
  check(bins >= 1 && bins <= 1000, ErrorKind::kValue, "calibration", "bins must be in [1, 1000]: it is ", bins, ".");
  bins_.resize(static_cast<size_t>(bins));
}

void Calibration::add(double confidence, bool right) {
  check(confidence >= 0 && confidence <= 1, ErrorKind::kNumeric, "calibration", "a confidence lies in [0, 1]: it is ",
        confidence, ".");
  const auto count = static_cast<int64_t>(bins_.size());
  const auto place = static_cast<int64_t>(std::ceil(confidence * static_cast<double>(count))) - 1;
  Bin& bin = bins_[static_cast<size_t>(std::clamp<int64_t>(place, 0, count - 1))];
  ++bin.answers;
  bin.right += right;
  bin.sum += confidence;
}

Calibration::Bin Calibration::total() const {
  Bin all;
  for (const Bin& bin : bins_) all.answers += bin.answers, all.right += bin.right, all.sum += bin.sum;
  return all;
}

double Calibration::error() const {
  const double answers = static_cast<double>(total().answers);
  double error = 0;
  for (const Bin& bin : bins_)
    if (bin.answers > 0) error += static_cast<double>(bin.answers) / answers * std::abs(bin.accuracy() - bin.confidence());
  return error;
}

}  // namespace vitrail
