// A part of labs/lab8/tests.cpp: what is fitted on frozen features, against sorting and against fitting again.
#include "train/probe/head.h"
#include "train/probe/neighbours.h"
#include "train/probe/ridge.h"

namespace {

struct Pictures {
  Tensor raw;  // f32 [N, D]
  std::vector<int64_t> labels;
  StandardFeatures features;
};

Pictures made_up(int64_t n, int64_t d, int64_t classes, const Tensor& noise) {
  Pictures p;
  p.raw = clone(contiguous(to(noise, Dtype::f32)));
  float* x = p.raw.mutable_data<float>();
  for (int64_t i = 0; i < n; ++i) {
    p.labels.push_back(i % classes);
    x[i * d + i % classes] += 2;
  }
  p.features = standardised(p.raw);
  return p;
}

// Solves a x = b in place of b by Gaussian elimination; a [n, n] symmetric positive.
void solve(std::vector<double>& a, std::vector<double>& b, size_t n, size_t columns) {
  for (size_t p = 0; p < n; ++p)
    for (size_t r = 0; r < n; ++r) {
      if (r == p) continue;
      const double f = a[r * n + p] / a[p * n + p];
      for (size_t c = p; c < n; ++c) a[r * n + c] -= f * a[p * n + c];
      for (size_t c = 0; c < columns; ++c) b[r * columns + c] -= f * b[p * columns + c];
    }
  for (size_t p = 0; p < n; ++p)
    for (size_t c = 0; c < columns; ++c) b[p * columns + c] /= a[p * n + p];
}

// Ridge regression with a free intercept, fitted to all pictures but `out`: the scores of picture `out`.
std::vector<double> scores_without(const Pictures& p, int64_t classes, double lambda, int64_t out) {
  const int64_t n = p.features.values.size(0), d = p.features.values.size(1);
  const double* x = p.features.values.data<double>();
  const auto m = static_cast<size_t>(d + 1), k = static_cast<size_t>(classes);
  const auto feature = [&](int64_t i, size_t j) { return j + 1 == m ? 1.0 : x[i * d + static_cast<int64_t>(j)]; };
  std::vector<double> gram(m * m), right(m * k), scores(k);
  for (int64_t i = 0; i < n; ++i) {
    if (i == out) continue;
    for (size_t r = 0; r < m; ++r) {
      for (size_t c = 0; c < m; ++c) gram[r * m + c] += feature(i, r) * feature(i, c);
      for (size_t c = 0; c < k; ++c)
        right[r * k + c] += feature(i, r) * (p.labels[static_cast<size_t>(i)] == static_cast<int64_t>(c) ? 1 : -1);
    }
  }
  for (size_t r = 0; r + 1 < m; ++r) gram[r * m + r] += lambda;
  solve(gram, right, m, k);
  for (size_t c = 0; c < k; ++c)
    for (size_t j = 0; j < m; ++j) scores[c] += right[j * k + c] * feature(out, j);
  return scores;
}

PenaltyScore refitted(const Pictures& p, int64_t classes, double penalty) {
  PenaltyScore result{penalty};
  const auto n = static_cast<int64_t>(p.labels.size());
  for (int64_t i = 0; i < n; ++i) {
    const std::vector<double> s = scores_without(p, classes, penalty * static_cast<double>(n), i);
    const auto label = static_cast<size_t>(p.labels[static_cast<size_t>(i)]);
    for (size_t c = 0; c < s.size(); ++c) result.error += std::pow((c == label ? 1 : -1) - s[c], 2);
    result.accuracy += std::max_element(s.begin(), s.end()) - s.begin() == static_cast<std::ptrdiff_t>(label);
  }
  result.error /= static_cast<double>(n * classes);
  result.accuracy /= static_cast<double>(n);
  return result;
}

std::string nearest(const Neighbours& found) {
  std::string text;
  for (const int64_t row : found.rows) text += cat(row, " ");
  for (const float cosine : found.cosines) text += lab::digits({cosine}, 3) + " ";
  return text;
}

Tensor bank_of(const Tensor& x) { return unit_rows(contiguous(to(x, Dtype::f32))); }

// 60 rows, (1, 0) and (0, 1) in turn; and their order by the cosine with (1, 0).
Tensor alternating() {
  std::vector<float> rows;
  for (int i = 0; i < 60; ++i) rows.push_back(static_cast<float>(1 - i % 2)), rows.push_back(static_cast<float>(i % 2));
  return from_vector(rows, {60, 2});
}
std::vector<int64_t> even_then_odd() {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 60; ++i) rows.push_back(i < 30 ? 2 * i : 2 * i - 59);
  return rows;
}

}  // namespace

LAB_PROBE("8.6") {
  return cat(nearest_rows(alternating(), from_vector(std::vector<float>{1, 0}, {1, 2}), 60).rows == even_then_odd());
}
LAB_PROBE("8.6") {
  const Tensor bank = bank_of(fixed({6, 3}, 1));
  return nearest(nearest_rows(bank, bank_of(fixed({2, 3}, 2)), 4)) + "| " +
         nearest(nearest_rows(bank, bank, 2, {0, 1, 2, 3, 4, 5}));
}
LAB_PROBE("8.6") {
  const Tensor bank = from_vector(std::vector<float>{0, 1, 1, 0, 0, 1, 1, 0, 1, 0}, {5, 2});
  return nearest(nearest_rows(bank, slice(bank, 0, 1, 2), 5));
}
LAB_PROBE("8.6") {
  Neighbours found;
  found.k = 3, found.rows = {0, 1, 2, 3, 2, 1}, found.cosines = {0.9f, 0.88f, 0.85f, 0.6f, 0.58f, 0.5f};
  return lab::digits(neighbour_votes(found, {0, 1, 1, 2}, 3, 2), 4) +
         lab::digits(neighbour_votes(found, {0, 1, 1, 2}, 3, 3), 4);
}
LAB_PROBE("8.6") {
  const Pictures p = made_up(7, 3, 2, fixed({7, 3}, 1));
  const RidgeProbe probe = fit_ridge(p.features, p.labels, 2, {0.01, 1});
  return lab::digits({probe.scores[0].error, probe.scores[0].accuracy, probe.scores[1].error}, 4);
}
LAB_PROBE("8.6") {
  const Pictures p = made_up(7, 3, 2, add(fixed({7, 3}, 1), 3));
  const nn::LinearValues head = on_raw_features(fixed({2, 3}, 4), fixed({2}, 5), p.features);
  return lab::digits(head.weight, 4) + lab::digits(head.bias, 4);
}

TEST_SUITE("8.6") {
  TEST_CASE("the nearest rows are those of sorting all cosines, each picture left out of its own neighbours") {
    const Tensor bank = bank_of(lab::random({40, 5}, 861)), others = bank_of(lab::random({25, 5}, 862));
    std::vector<int64_t> own;
    for (int64_t i = 0; i < 40; ++i) own.push_back(i);
    for (const bool itself : {false, true}) {
      CAPTURE(itself);
      const Tensor& asked = itself ? bank : others;
      const Neighbours found = nearest_rows(bank, asked, 6, itself ? own : std::vector<int64_t>{});
      REQUIRE(found.k == 6);
      std::string wrong;
      for (int64_t q = 0; q < asked.size(0); ++q) {
        std::vector<std::pair<double, int64_t>> all;
        for (int64_t i = 0; i < 40; ++i) {
          double cosine = 0;
          for (int64_t j = 0; j < 5; ++j) cosine += bank.at({i, j}) * asked.at({q, j});
          if (!itself || i != q) all.emplace_back(-cosine, i);
        }
        std::sort(all.begin(), all.end());
        for (int64_t j = 0; j < 6; ++j) {
          const auto at = static_cast<size_t>(q * 6 + j), place = static_cast<size_t>(j);
          const bool row_wrong =
              found.rows[at] != all[place].second && std::abs(all[place].first - all[place + 1].first) > 1e-5 && j < 5;
          if (!wrong.empty() ||
              !(std::abs(found.cosines[at] + all[place].first) > 1e-6 || (itself && found.rows[at] == q) || row_wrong))
            continue;
          wrong = cat("query ", q, ", neighbour ", j, ": row ", found.rows[at], " with cosine ", found.cosines[at],
                      ", it should be row ", all[place].second, " with ", -all[place].first);
        }
      }
      CHECK(wrong == "");
    }
  }
  TEST_CASE("of equal ones the lower row comes first, and k is at most what there is") {
    const Tensor bank = from_vector(std::vector<float>{0, 1, 1, 0, 0, 1, 1, 0, 1, 0}, {5, 2});
    CHECK(nearest_rows(bank, slice(bank, 0, 1, 2), 5).rows == std::vector<int64_t>{1, 3, 4, 0, 2});
    CHECK(nearest_rows(bank, slice(bank, 0, 1, 2), 2).rows == std::vector<int64_t>{1, 3});
    CHECK(nearest_rows(bank, slice(bank, 0, 1, 2), 9, {1}).rows == std::vector<int64_t>{3, 4, 0, 2});
    CHECK(nearest_rows(alternating(), slice(bank, 0, 1, 2), 60).rows == even_then_odd());  // many equal ones, too
  }
  TEST_CASE("a vote weighs exp(cosine / 0.07); the first k count, and a row sums to one") {
    lab::Dice dice(86);
    Neighbours found;
    found.k = 5;
    std::vector<int64_t> labels;
    for (int i = 0; i < 9; ++i) labels.push_back(dice.roll(0, 3));
    for (int i = 0; i < 20; ++i) found.rows.push_back(dice.roll(0, 8)), found.cosines.push_back(0.9f - 0.03f * (i % 5));
    for (const int64_t k : {1, 3, 5}) {
      CAPTURE(k);
      Tensor wanted = zeros({4, 4}, Dtype::f64);
      for (int64_t q = 0; q < 4; ++q) {
        double total = 0;
        for (int64_t near = 0; near < k; ++near) total += std::exp(found.cosines[static_cast<size_t>(q * 5 + near)] / 0.07);
        for (int64_t near = 0; near < k; ++near) {
          const auto at = static_cast<size_t>(q * 5 + near);
          wanted.mutable_data<double>()[q * 4 + labels[static_cast<size_t>(found.rows[at])]] +=
              std::exp(found.cosines[at] / 0.07) / total;
        }
      }
      CHECK(lab::difference(neighbour_votes(found, labels, 4, k), wanted, 1e-9) == "");
    }
  }
  TEST_CASE("ridge: the error of leaving a picture out is that of fitting again without it, for many and for few pictures") {
    for (const auto& [n, d] : {std::pair<int64_t, int64_t>{24, 4}, {9, 14}}) {
      const Pictures p = made_up(n, d, 3, lab::random({n, d}, 863, 0.5, 1.5));
      const RidgeProbe probe = fit_ridge(p.features, p.labels, 3, {1e-2, 0.3, 5});
      REQUIRE(probe.scores.size() == 3);
      for (const PenaltyScore& score : probe.scores) {
        CAPTURE(score.penalty);
        const PenaltyScore again = refitted(p, 3, score.penalty);
        CHECK(score.error == doctest::Approx(again.error).epsilon(1e-7));
        CHECK(score.accuracy == doctest::Approx(again.accuracy));
      }
    }
  }
  TEST_CASE("a head on standardised features is a head on the features themselves") {
    const Pictures p = made_up(12, 4, 3, lab::random({12, 4}, 864, 3, 2));
    const Tensor weight = lab::random({3, 4}, 865), bias = lab::random({3}, 866);
    const nn::LinearValues head = on_raw_features(weight, bias, p.features);
    const Tensor wanted = add(matmul(p.features.values, transpose(weight)), bias);
    const Tensor given = add(matmul(to(p.raw, Dtype::f64), transpose(to(head.weight, Dtype::f64))), to(head.bias, Dtype::f64));
    CHECK(lab::difference(given, wanted, 1e-5) == "");
  }
}
