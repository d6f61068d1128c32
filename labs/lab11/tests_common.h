// Lab 11: what the tests of several exercises use.
#pragma once

#include <string>
#include <vector>

#include "base/text.h"
#include "comm/all_reduce.h"
#include "labs/common/lab.h"
#include "labs/lab11/watched_ranks.h"

namespace {

using namespace vitrail;

constexpr int kRanks = 4;  // tests run with 1 to so many

// Messages that are there at once; that take random times; and sends that wait for their receivers.
std::vector<lab::Weather> weathers(uint64_t stream) {
  const uint64_t seed = lab::seed() * 1000 + stream;
  return {{.seed = seed}, {.seed = seed, .most_delay = 300}, {.seed = seed, .most_delay = 100, .handed_over = true}};
}

// Lists of numbers, one of each rank.
using OfRanks = std::vector<std::vector<double>>;

// What each rank's own list became, and what was sent; or what was wrong.
struct AfterRun {
  OfRanks lists;
  lab::Traffic traffic;
  std::string trouble;
};

// fn(comm, list) on each rank. A CommTrouble is told in `trouble`; what is not written yet is thrown.
template <class Fn>
AfterRun on_ranks(OfRanks lists, const lab::Weather& weather, Fn fn) {
  AfterRun after;
  try {
    after.traffic = lab::run_watched(static_cast<int>(lists.size()), weather,
                                     [&](Communicator& comm) { fn(comm, lists[static_cast<size_t>(comm.rank())]); });
  } catch (const lab::CommTrouble& trouble) {
    after.trouble = trouble.what();
  }
  after.lists = lists;
  return after;
}

// For probes: which kind of trouble, not which rank.
std::string text_of(const AfterRun& after, int digits = 5) {
  for (const char* kind : {"for ever", "did not wait", "never received", "expects", "speaks to"})
    if (after.trouble.find(kind) != std::string::npos) return std::string(kind) + "; ";
  std::string text;
  for (const std::vector<double>& list : after.lists) text += lab::digits(list, digits) + "; ";
  return text;
}

// "" or the first difference.
std::string difference_of(const std::vector<double>& given, const std::vector<double>& wanted, double tolerance) {
  const auto row = [](const std::vector<double>& x) { return from_vector(x, {static_cast<int64_t>(x.size())}); };
  return lab::difference(row(given), row(wanted), tolerance);
}

// "" or what is wrong, and with how many ranks and in which weather.
std::string problem_of(const AfterRun& after, const OfRanks& wanted, double tolerance, const lab::Weather& weather) {
  std::string what = after.trouble;
  for (size_t r = 0; what.empty() && r < wanted.size(); ++r) {
    const std::string different = difference_of(after.lists[r], wanted[r], tolerance);
    if (!different.empty()) what = cat("rank ", r, " of ", wanted.size(), ": ", different);
  }
  if (what.empty()) return "";
  const char* const how = weather.handed_over      ? " (a send waits for its receiver)"
                          : weather.most_delay > 0 ? " (messages take random times)"
                                                   : "";
  return what + how;
}

std::string text_of(const std::vector<int64_t>& list) {
  std::string text;
  for (const int64_t x : list) text += (text.empty() ? "" : " ") + std::to_string(x);
  return "{" + text + "}";
}

std::vector<float> floats_in(const std::vector<double>& x) { return {x.begin(), x.end()}; }
std::vector<double> doubles_in(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// Whole numbers, of which a float holds every sum.
OfRanks whole_numbers(int ranks, int64_t n, lab::Dice& dice) {
  OfRanks lists(static_cast<size_t>(ranks), std::vector<double>(static_cast<size_t>(n)));
  for (std::vector<double>& list : lists)
    for (double& x : list) x = static_cast<double>(dice.roll(-1000, 1000));
  return lists;
}

std::vector<double> sum_of(const OfRanks& lists) {
  std::vector<double> sum(lists[0].size());
  for (const std::vector<double>& list : lists)
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += list[i];
  return sum;
}

}  // namespace
