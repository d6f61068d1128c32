// Lab 2, exercises 2.2 and 2.3: memory traffic is counted, not timed.
#pragma once

#include <list>
#include <unordered_map>

#include "labs/lab2/ladder.h"
#include "labs/lab2/tests_matrix.h"

namespace {

// A, B and C as traced numbers with room behind them.
struct TracedProduct {
  static constexpr size_t kRoom = 600;
  int64_t m, n, k;
  std::vector<lab::Traced> a, b, c;
  TracedProduct(int64_t rows, int64_t cols, int64_t depth)
      : m(rows), n(cols), k(depth), a(m * k + kRoom), b(k * n + kRoom), c(m * n + kRoom) {
    for (size_t i = 0; i < a.size(); ++i) a[i].value = static_cast<float>(i % 7);
    for (size_t i = 0; i < b.size(); ++i) b[i].value = static_cast<float>(i % 5);
    lab::Traced::places().clear();
  }
  // The element that was touched, counted from the begin of its matrix; -1 if it is in another one.
  static int64_t element(const std::vector<lab::Traced>& x, const lab::Traced* place) {
    return place >= x.data() && place < x.data() + x.size() ? place - x.data() : -1;
  }
  // How often the next access to the matrix was neither the same element nor its right neighbour.
  int64_t jumps(const std::vector<lab::Traced>& x) const {
    int64_t count = 0, last = -1;
    for (const lab::Traced* place : lab::Traced::places()) {
      const int64_t now = element(x, place);
      if (now < 0) continue;
      count += last >= 0 && now != last && now != last + 1;
      last = now;
    }
    return count;
  }
  // Lines of 4 elements that a cache of `lines` lines, which drops what was not used for longest, had to fetch.
  int64_t misses(size_t lines) const {
    std::list<int64_t> order;
    std::unordered_map<int64_t, std::list<int64_t>::iterator> held;
    int64_t count = 0;
    for (const lab::Traced* place : lab::Traced::places()) {
      int64_t line = -1;
      for (int which = 0; which < 3; ++which) {
        const int64_t e = element(which == 0 ? a : which == 1 ? b : c, place);
        if (e >= 0) line = which * 1000000 + e / 4;
      }
      if (line < 0) continue;
      if (const auto at = held.find(line); at != held.end()) {
        order.splice(order.begin(), order, at->second);
        continue;
      }
      ++count;
      order.push_front(line);
      held[line] = order.begin();
      if (order.size() > lines) held.erase(order.back()), order.pop_back();
    }
    return count;
  }
};

// A product of plain row-major matrices with room behind them: the elements that are wrong, and the numbers behind C that were
// written to.
template <class Fn>
std::string ladder_difference(Fn multiply, int64_t m, int64_t n, int64_t k, uint64_t stream) {
  lab::Dice dice(stream);
  Matrix<double> a(m, k, 0, dice), b(k, n, 0, dice), c(m, n, 0, dice);
  const std::vector<double> wanted = product(1, a, b, 0, c);
  multiply(a.view.data, b.view.data, c.view.data, m, n, k);
  const std::string wrong = wrong_in(c, wanted, 1e-12);
  return wrong.empty() ? "" : cat(wrong, "; [", m, ", ", k, "] times [", k, ", ", n, "]");
}

template <class Fn>
std::string fixed_ladder(Fn multiply, int64_t m, int64_t n, int64_t k) {
  lab::Dice dice(1);
  Matrix<double> a(m, k, 0, dice), b(k, n, 0, dice), c(m, n, 0, dice);
  for (int64_t i = 0; i < m * k; ++i) a.view.data[i] = static_cast<double>(i + 1);
  for (int64_t i = 0; i < k * n; ++i) b.view.data[i] = static_cast<double>(10 - i);
  std::fill(a.view.data + m * k, a.memory.data() + a.memory.size(), 100.0);
  std::fill(b.view.data + k * n, b.memory.data() + b.memory.size(), 1000.0);
  for (int64_t i = 0; i < m * n; ++i) c.view.data[i] = 0.5;
  multiply(a.view.data, b.view.data, c.view.data, m, n, k);
  std::vector<double> out(c.view.data, c.view.data + m * n);
  return lab::digits(out, 5) + cat(c.damage(), " ");
}

}  // namespace

LAB_PROBE("2.2") { return fixed_ladder(lab::multiply_by_rows<double>, 2, 3, 4); }
LAB_PROBE("2.2") {
  TracedProduct p(4, 6, 5);
  lab::multiply_by_rows(p.a.data(), p.b.data(), p.c.data(), p.m, p.n, p.k);
  return cat(p.jumps(p.b) > 30, p.jumps(p.c) > 30, " ", p.jumps(p.a) > 60, p.jumps(p.a) > 10);
}

TEST_SUITE("2.2") {
  TEST_CASE("the product, for sizes that differ") {
    CHECK(ladder_difference(lab::multiply_by_rows<double>, 3, 5, 4, 111) == "");
    CHECK(ladder_difference(lab::multiply_by_rows<double>, 7, 2, 9, 112) == "");
    CHECK(ladder_difference(lab::multiply_by_rows<double>, 1, 13, 1, 113) == "");
    CHECK(ladder_difference(lab::multiply_by_rows<double>, 17, 1, 11, 114) == "");
  }
  TEST_CASE("what stood in C before does not count, also without depth") {
    CHECK(ladder_difference(lab::multiply_by_rows<double>, 4, 4, 4, 115) == "");
    CHECK(ladder_difference(lab::multiply_by_rows<double>, 3, 2, 0, 116) == "");
  }
  TEST_CASE("A, B and C are walked along their rows: one jump a row at most") {
    lab::Dice dice(117);
    const int64_t m = dice.roll(6, 9), n = dice.roll(14, 20), k = dice.roll(6, 9);
    TracedProduct p(m, n, k);
    lab::multiply_by_rows(p.a.data(), p.b.data(), p.c.data(), m, n, k);
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const int64_t jumps_in_a = p.jumps(p.a), jumps_in_b = p.jumps(p.b), jumps_in_c = p.jumps(p.c);
    CHECK(lab::Traced::places().size() > static_cast<size_t>(m * n * k));
    CHECK(jumps_in_b <= m * k);
    CHECK(jumps_in_c <= m * (k + 1));
    CHECK(jumps_in_a <= m);
  }
}

namespace {
template <int kBlock>
void in_blocks(const double* a, const double* b, double* c, int64_t m, int64_t n, int64_t k) {
  lab::multiply_in_blocks(a, b, c, m, n, k, kBlock);
}
constexpr int64_t kSide = 32, kBlockSide = 8;
constexpr size_t kCacheLines = 72;

int64_t misses_of_blocks(int64_t m, int64_t n, int64_t k) {
  TracedProduct p(m, n, k);
  lab::multiply_in_blocks(p.a.data(), p.b.data(), p.c.data(), m, n, k, kBlockSide);
  return p.misses(kCacheLines);
}
}  // namespace

LAB_PROBE("2.3") { return fixed_ladder(in_blocks<2>, 4, 4, 4); }
LAB_PROBE("2.3") { return fixed_ladder(in_blocks<2>, 3, 4, 4); }
LAB_PROBE("2.3") { return fixed_ladder(in_blocks<2>, 4, 3, 4); }
LAB_PROBE("2.3") { return fixed_ladder(in_blocks<2>, 4, 4, 3); }
LAB_PROBE("2.3") { return fixed_ladder(in_blocks<9>, 3, 2, 4); }
LAB_PROBE("2.3") { return cat(misses_of_blocks(kSide, kSide, kSide) > 5000); }

TEST_SUITE("2.3") {
  TEST_CASE("sizes that are multiples of the block") {
    CHECK(ladder_difference(in_blocks<4>, 8, 12, 4, 121) == "");
    CHECK(ladder_difference(in_blocks<1>, 3, 4, 5, 122) == "");
  }
  TEST_CASE("tails: rows, columns and depth that are no multiples, and nothing outside of C is touched") {
    CHECK(ladder_difference(in_blocks<4>, 7, 8, 8, 123) == "");
    CHECK(ladder_difference(in_blocks<4>, 8, 7, 8, 124) == "");
    CHECK(ladder_difference(in_blocks<4>, 8, 8, 7, 125) == "");
    CHECK(ladder_difference(in_blocks<5>, 13, 11, 17, 126) == "");
  }
  TEST_CASE("a block larger than the matrices") {
    CHECK(ladder_difference(in_blocks<64>, 3, 5, 2, 127) == "");
    CHECK(ladder_difference(in_blocks<64>, 1, 1, 1, 128) == "");
  }
  TEST_CASE("random sizes") {
    lab::Dice dice(129);
    for (int round = 0; round < 20; ++round) {
      const int64_t m = dice.roll(1, 20), n = dice.roll(1, 20), k = dice.roll(0, 20);
      CHECK(ladder_difference(in_blocks<3>, m, n, k, 130 + static_cast<uint64_t>(round)) == "");
    }
  }
  TEST_CASE("a small cache fetches each line a few times only: blocks are used again while they are there") {
    const int64_t fetched = misses_of_blocks(kSide, kSide, kSide), whole_matrices = 3 * kSide * kSide / 4;
    CAPTURE(fetched);
    CAPTURE(whole_matrices);
    const bool few = fetched >= whole_matrices && fetched <= 5000;  // row by row it is above 8,000
    CHECK(few);
  }
}
