// The course of a run between its epochs, in a bounded number of points: what the curves of the report are drawn from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/trainer.h"

namespace vitrail::report {

// Consecutive updates taken together.
struct CurvePoint {
  int64_t step = 0;                // the last of them
  int64_t updates = 0;             // how many they are
  double epochs = 0, lr = 0;       // at the last of them
  double loss = 0, grad_norm = 0;  // means
};

// Not thread-safe. Whenever there are more points than `most`, neighbours are merged and the stride doubles: the points are a
// function of the updates alone, and a long run keeps its shape.
class StepCurve {
 public:
  // Error(kValue) unless most >= 2.
  explicit StepCurve(size_t most = 1000);

  // The first update after a restart removes the points that it and what follows will give again.
  void add(const StepReport& update);
  const std::vector<CurvePoint>& points() const { return points_; }

  // "step,updates,epochs,loss,lr,grad_norm" and a line per point.
  std::string csv() const;
  // What csv() wrote. Error(kData) naming source, line and what is wrong.
  static StepCurve parse(const std::string& csv, const std::string& source, size_t most = 1000);

 private:
  int64_t bin(int64_t step) const { return (step - 1) / stride_; }
  void merge(const CurvePoint& point);

  size_t most_;
  int64_t stride_ = 1;  // updates a point
  std::vector<CurvePoint> points_;
};

}  // namespace vitrail::report
