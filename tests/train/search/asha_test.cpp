// Successive halving: the rungs, the promotions, and an answer that is a function of the results.
#include "train/search/asha.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>

#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::search;
using namespace vitrail::testing;

namespace {

using Rungs = std::vector<int64_t>;

// Runs jobs one after another until there is none left.
std::vector<Job> run_all(Asha& asha, const std::function<double(const Job&)>& score, size_t most = 100000) {
  std::vector<Job> jobs;
  for (std::optional<Job> job = asha.next(); job && jobs.size() < most; job = asha.next()) {
    jobs.push_back(*job);
    asha.report(*job, score(*job));
  }
  return jobs;
}

// A score in which no two trials are equal.
double drawn(const Job& job) { return Rng(9).uniform(static_cast<uint64_t>(job.trial)) + 0.1 * static_cast<double>(job.rung); }

}  // namespace

TEST_CASE("asha: rungs are min eta^k, and the last one is the whole run") {
  CHECK(rung_epochs(1, 9, 3) == Rungs{1, 3, 9});
  CHECK(rung_epochs(1, 8, 3) == Rungs{1, 3, 8});
  CHECK(rung_epochs(1, 10, 3) == Rungs{1, 3, 10});  // 9 would hardly differ from 10
  CHECK(rung_epochs(2, 16, 2) == Rungs{2, 4, 8, 16});
  CHECK(rung_epochs(1, 1, 3) == Rungs{1});
  CHECK(rung_epochs(5, 5, 4) == Rungs{5});
  CHECK(rung_epochs(1, int64_t{1} << 40, 1 << 30).size() == 2);
  CHECK(refuses([] { rung_epochs(0, 9, 3); }, ErrorKind::kValue,
                "the epochs of the first rung must be from 1 to those of the last, 9"));
  CHECK(refuses([] { rung_epochs(10, 9, 3); }, ErrorKind::kValue, "they are 10"));
  CHECK(refuses([] { rung_epochs(1, 9, 1); }, ErrorKind::kValue, "eta must be at least 2: it is 1"));
}

TEST_CASE("asha: worked by hand, eta 2 and two rungs") {
  Asha asha(2, 2, 4);
  // The first trial has nobody to beat; with the second, the better one of two goes on at once;
  // the third is the best of three, the fourth among nobody.
  CHECK(run_all(asha, [](const Job& job) {
          return std::vector<double>{0.3, 0.5, 0.9, 0.1}[static_cast<size_t>(job.trial)];
        }) == std::vector<Job>{{0, 0}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {3, 0}});
}

TEST_CASE(
    "asha: with all results in, the best 1/eta of each rung have gone on, and nobody else of those that never were among "
    "them") {
  Asha asha(4, 3, 81);
  std::vector<std::vector<int64_t>> at(4);
  for (const Job& job : run_all(asha, drawn)) at[job.rung].push_back(job.trial);
  CHECK(at[0].size() == 81);
  for (size_t rung = 0; rung < 3; ++rung) {
    std::vector<int64_t> ranked = at[rung];
    std::sort(ranked.begin(), ranked.end(), [](int64_t a, int64_t b) { return drawn({a, 0}) > drawn({b, 0}); });
    const std::set<int64_t> above(at[rung + 1].begin(), at[rung + 1].end());
    for (size_t i = 0; i < ranked.size() / 3; ++i) CHECK(above.contains(ranked[i]));
    // The paper: too early promotions are few; never fewer than a third, hardly more than half.
    CHECK(above.size() >= ranked.size() / 3);
    CHECK(above.size() <= ranked.size() / 2 + 1);
    for (const int64_t trial : above) CHECK(std::find(at[rung].begin(), at[rung].end(), trial) != at[rung].end());
  }
}

TEST_CASE("asha: the winner of all reaches the last rung") {
  Asha asha(4, 3, 81);
  int64_t best = 0;
  for (int64_t t = 0; t < 81; ++t)
    if (drawn({t, 0}) > drawn({best, 0})) best = t;
  const std::vector<Job> jobs = run_all(asha, drawn);
  CHECK(std::find(jobs.begin(), jobs.end(), Job{best, 3}) != jobs.end());
}

TEST_CASE("asha: a scheduler that is told the results of another goes on as that one would") {
  Asha whole(3, 3, 30);
  const std::vector<Job> jobs = run_all(whole, drawn);
  for (size_t stop = 0; stop <= jobs.size(); stop += 7) {
    Asha again(3, 3, 30);
    for (size_t i = 0; i < stop; ++i) again.report(jobs[i], drawn(jobs[i]));
    CHECK(run_all(again, drawn) == std::vector<Job>(jobs.begin() + static_cast<std::ptrdiff_t>(stop), jobs.end()));
  }
}

TEST_CASE("asha: more trials than at first continue the same search") {
  Asha few(3, 3, 9), many(3, 3, 27);
  std::vector<Job> jobs = run_all(few, drawn);
  const std::vector<Job> undisturbed = run_all(many, drawn);
  CHECK(jobs == std::vector<Job>(undisturbed.begin(), undisturbed.begin() + static_cast<std::ptrdiff_t>(jobs.size())));
}

TEST_CASE("asha: a failed trial is never promoted, and equal scores go by number") {
  Asha asha(2, 2, 4);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> scores{nan, nan, 0.2, 0.2};
  const std::vector<Job> jobs = run_all(asha, [&](const Job& job) { return scores[static_cast<size_t>(job.trial)]; });
  CHECK(jobs == std::vector<Job>{{0, 0}, {1, 0}, {2, 0}, {2, 1}, {3, 0}, {3, 1}});
  Asha all_fail(2, 2, 6);
  CHECK(run_all(all_fail, [&](const Job&) { return nan; }).size() == 6);
}

TEST_CASE("asha: jobs that run are not given out again") {
  Asha asha(2, 2, 0);
  for (int64_t t = 0; t < 4; ++t) {
    CHECK(asha.next() == Job{t, 0});
    asha.begin({t, 0});
  }
  asha.report({2, 0}, 0.5);
  CHECK(asha.next() == Job{4, 0});
  asha.report({0, 0}, 0.7);
  CHECK(asha.next() == Job{0, 1});
  asha.begin({0, 1});
  CHECK(asha.next() == Job{4, 0});
  CHECK(asha.trials() == 4);
  CHECK(asha.finished(0) == 2);
}

TEST_CASE("asha: one rung is random search") {
  Asha asha(1, 3, 5);
  CHECK(run_all(asha, drawn) == std::vector<Job>{{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}});
}

TEST_CASE("asha: results that cannot be are refused") {
  Asha asha(2, 3, 5);
  asha.report({0, 0}, 1);
  CHECK(refuses([&] { asha.report({0, 0}, 1); }, ErrorKind::kValue, "trial 0 has a result at rung 0 already"));
  CHECK(refuses([&] { asha.report({1, 1}, 1); }, ErrorKind::kValue, "none at the rung below"));
  CHECK(refuses([&] { asha.report({0, 2}, 1); }, ErrorKind::kValue, "there is no rung 2: there are 2"));
  CHECK(refuses([] { Asha(0, 3, 5); }, ErrorKind::kValue, "needs a rung"));
}
