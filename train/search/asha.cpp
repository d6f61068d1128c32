#include "train/search/asha.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace vitrail::search {

std::vector<int64_t> rung_epochs(int64_t min_epochs, int64_t max_epochs, int64_t eta) {
  check(min_epochs >= 1 && min_epochs <= max_epochs, ErrorKind::kValue, "search",
        "the epochs of the first rung must be from 1 to those of the last, ", max_epochs, ": they are ", min_epochs, ".");
  check(eta >= 2, ErrorKind::kValue, "search", "eta must be at least 2: it is ", eta, ".");
  std::vector<int64_t> rungs;
  const double end = static_cast<double>(max_epochs) / std::sqrt(static_cast<double>(eta));
  // The second test comes before the product that could overflow.
  for (int64_t epochs = min_epochs; static_cast<double>(epochs) <= end; epochs *= eta) {
    rungs.push_back(epochs);
    if (epochs > max_epochs / eta) break;
  }
  rungs.push_back(max_epochs);
  return rungs;
}

Asha::Asha(size_t rungs, int64_t eta, int64_t max_trials) : eta_(eta), max_trials_(max_trials), results_(rungs), begun_(rungs) {
  check(rungs >= 1 && eta >= 2 && max_trials >= 0, ErrorKind::kValue, "search",
        "needs a rung, eta >= 2 and trials >= 0: they are ", rungs, ", ", eta, " and ", max_trials, ".");
}

std::optional<Job> Asha::next() const {
  // From the top: a trial that may finish comes before one that begins.
  for (size_t rung = results_.size() - 1; rung-- > 0;)
    if (const std::optional<int64_t> trial = promotable(rung)) return Job{*trial, rung + 1};
  if (max_trials_ == 0 || trials_ < max_trials_) return Job{trials_, 0};
  return std::nullopt;
}

// The best of the upper 1/eta of a rung that has not gone on.
std::optional<int64_t> Asha::promotable(size_t rung) const {
  std::vector<std::pair<double, int64_t>> ranked = results_[rung];
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  const size_t top = ranked.size() / static_cast<size_t>(eta_);
  for (size_t i = 0; i < top; ++i)
    if (std::isfinite(ranked[i].first) && !begun_[rung + 1].contains(ranked[i].second)) return ranked[i].second;
  return std::nullopt;
}

void Asha::begin(const Job& job) {
  check(job.trial >= 0 && job.rung < begun_.size(), ErrorKind::kValue, "search", "there is no rung ", job.rung, ": there are ",
        begun_.size(), ".");
  begun_[job.rung].insert(job.trial);
  trials_ = std::max(trials_, job.trial + 1);
}

void Asha::report(const Job& job, double score) {
  begin(job);
  const auto has_result = [&](size_t rung) {
    return std::any_of(results_[rung].begin(), results_[rung].end(), [&](const auto& r) { return r.second == job.trial; });
  };
  check(!has_result(job.rung), ErrorKind::kValue, "search", "trial ", job.trial, " has a result at rung ", job.rung,
        " already.");
  check(job.rung == 0 || has_result(job.rung - 1), ErrorKind::kValue, "search", "trial ", job.trial, " has a result at rung ",
        job.rung, ", but none at the rung below.");
  // NaN has no place in an order.
  results_[job.rung].emplace_back(std::isfinite(score) ? score : -std::numeric_limits<double>::infinity(), job.trial);
}

}  // namespace vitrail::search
