#include "train/metrics.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace vitrail {

namespace {

void check_batch(const char* op, const Tensor& logits, const Tensor& target) {
  check(logits.dim() == 2 && target.dim() == 1 && logits.size(0) == target.size(0), ErrorKind::kShape, op,
        "needs logits [B, C] and targets [B]: logits is ", logits.shape(), ", target is ", target.shape(), ".");
}

// How many classes stand before `target` in the order "largest logit first, lower class first"; `classes` for a NaN row.
template <class T>
int64_t rank_of(const T* row, int64_t classes, int64_t target) {
  int64_t before = 0;
  for (int64_t c = 0; c < classes; ++c) {
    if (std::isnan(row[c])) return classes;
    before += row[c] > row[target] || (row[c] == row[target] && c < target);
  }
  return before;
}

void check_target(const char* op, int64_t target, int64_t classes, int64_t row) {
  check(target >= 0 && target < classes, ErrorKind::kValue, op, "target outside [0, ", classes, "): target[", row, "] is ",
        target, ".");
}

}  // namespace

int64_t count_top_k(const Tensor& logits, const Tensor& target, int64_t k) {
  check_batch("count_top_k", logits, target);
  check(k >= 1, ErrorKind::kValue, "count_top_k", "k must be at least 1: it is ", k, ".");
  const Tensor x = contiguous(logits), t = contiguous(target);
  const int64_t classes = x.size(1);
  return dispatch_float("count_top_k", x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    int64_t correct = 0;
    for (int64_t i = 0; i < t.numel(); ++i) {
      const int64_t wanted = t.data<int64_t>()[i];
      check_target("count_top_k", wanted, classes, i);
      correct += rank_of(x.data<T>() + i * classes, classes, wanted) < std::min(k, classes);
    }
    return correct;
  });
}

double top_k_accuracy(const Tensor& logits, const Tensor& target, int64_t k) {
  return static_cast<double>(count_top_k(logits, target, k)) / static_cast<double>(target.numel());
}

ConfusionMatrix::ConfusionMatrix(int64_t classes) : classes_(classes) {
  check(classes >= 1 && classes <= 65536, ErrorKind::kValue, "confusion_matrix", "classes must be in [1, 65536]: it is ",
        classes, ".");
  truths_.assign(static_cast<size_t>(classes), 0);
  predictions_ = truths_;
}

void ConfusionMatrix::add(int64_t truth, int64_t predicted) {
  check_target("confusion_matrix", truth, classes_, total_);
  check_target("confusion_matrix", predicted, classes_, total_);
  ++counts_[{truth, predicted}];
  ++truths_[truth];
  ++predictions_[predicted];
  ++total_;
}

void ConfusionMatrix::add(const Tensor& logits, const Tensor& target) {
  check_batch("confusion_matrix", logits, target);
  check(logits.size(1) == classes_, ErrorKind::kShape, "confusion_matrix", "logits must have ", classes_,
        " classes: logits is ", logits.shape(), ".");
  const std::vector<double> values = to_vector<double>(logits);
  const std::vector<int64_t> truths = to_vector<int64_t>(target);
  for (size_t i = 0; i < truths.size(); ++i) {
    const auto row = values.begin() + static_cast<int64_t>(i) * classes_;
    add(truths[i], std::max_element(row, row + classes_) - row);
  }
}

int64_t ConfusionMatrix::count(int64_t truth, int64_t predicted) const {
  check_target("confusion_matrix", truth, classes_, 0);
  check_target("confusion_matrix", predicted, classes_, 0);
  const auto found = counts_.find({truth, predicted});
  return found == counts_.end() ? 0 : found->second;
}

double ConfusionMatrix::accuracy() const {
  int64_t right = 0;
  for (int64_t c = 0; c < classes_; ++c) right += count(c, c);
  return total_ > 0 ? static_cast<double>(right) / static_cast<double>(total_) : 0;
}

double ConfusionMatrix::recall(int64_t truth) const {
  const int64_t found = count(truth, truth), all = truths_[truth];
  return all > 0 ? static_cast<double>(found) / static_cast<double>(all) : 0;
}

double ConfusionMatrix::precision(int64_t predicted) const {
  const int64_t right = count(predicted, predicted), all = predictions_[predicted];
  return all > 0 ? static_cast<double>(right) / static_cast<double>(all) : 0;
}

int64_t ConfusionMatrix::images(int64_t truth) const {
  check_target("confusion_matrix", truth, classes_, 0);
  return truths_[truth];
}

std::vector<ConfusionMatrix::Confusion> ConfusionMatrix::confusions() const {
  std::vector<Confusion> result;
  for (const auto& [pair, n] : counts_)
    if (pair.first != pair.second) result.push_back({pair.first, pair.second, n});
  std::stable_sort(result.begin(), result.end(), [](const Confusion& a, const Confusion& b) { return a.count > b.count; });
  return result;
}

double ConfusionMatrix::f1(int64_t cls) const {
  const double r = recall(cls), p = precision(cls);
  return r + p > 0 ? 2 * r * p / (r + p) : 0;
}

double ConfusionMatrix::macro_f1() const {
  RunningMean mean;
  for (int64_t c = 0; c < classes_; ++c)
    if (truths_[c] + predictions_[c] > 0) mean.add(f1(c));
  return mean.mean();
}

double ConfusionMatrix::balanced_accuracy() const {
  RunningMean mean;
  for (int64_t c = 0; c < classes_; ++c)
    if (truths_[c] > 0) mean.add(recall(c));
  return mean.mean();
}

std::string ConfusionMatrix::to_string(const std::vector<std::string>& names) const {
  const auto label = [&](int64_t c) { return c < static_cast<int64_t>(names.size()) ? names[c] : std::to_string(c); };
  int width = 6, left = 5;
  for (int64_t c = 0; c < classes_; ++c) left = std::max(left, static_cast<int>(label(c).size()));
  std::ostringstream out;
  out << std::left << std::setw(left) << "truth" << std::right;
  for (int64_t c = 0; c < classes_; ++c) out << " " << std::setw(width) << label(c).substr(0, width);
  out << "  recall\n";
  for (int64_t r = 0; r < classes_; ++r) {
    out << std::left << std::setw(left) << label(r) << std::right;
    for (int64_t c = 0; c < classes_; ++c) out << " " << std::setw(width) << count(r, c);
    out << "  " << std::fixed << std::setprecision(1) << 100 * recall(r) << " %\n";
  }
  return out.str();
}

}  // namespace vitrail
