// Milestone of lab 2: the same product by five programs, in GFLOP/s over the size, below the peak of this machine. All run on
// one thread, and the clock is that of the thread, so that other programs disturb little.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <vector>

#include "base/file.h"
#include "base/svg.h"
#include "base/text.h"
#include "labs/common/milestone.h"
#include "labs/lab2/ladder.h"
#include "tensor/machine/parallel.h"
#include "tensor/machine/probe.h"
#include "tensor/product/gemm.h"
#include "tensor/reference/matmul.h"
#include "tensor/reference/rounding.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

constexpr int64_t kSizes[] = {32, 64, 96, 128, 192, 256, 384, 512, 768};
constexpr int64_t kBlock = 32;

struct Square {
  int64_t n;
  std::vector<float> a, b, c;
  explicit Square(int64_t side) : n(side), a(filled(1)), b(filled(2)), c(static_cast<size_t>(side * side), 0.0f) {}
  std::vector<float> filled(uint64_t seed) const {
    const Tensor x = rand_normal({n * n}, 0, 1, Rng(seed));
    return to_vector<float>(x);
  }
  MatrixView<const float> left() const { return {a.data(), n, n, n, 1}; }
  MatrixView<const float> right() const { return {b.data(), n, n, n, 1}; }
  MatrixView<float> result() { return {c.data(), n, n, n, 1}; }
};

struct Kernel {
  const char* name;
  const char* dash;  // told apart without colour
  std::function<void(Square&)> run;
};

std::vector<Kernel> kernels() {
  return {{"2.1 plain: i, j, k", "2 3", [](Square& s) { reference::gemm<float>(1, s.left(), s.right(), 0, s.result()); }},
          {"2.2 by rows: i, k, j", "6 3",
           [](Square& s) { lab::multiply_by_rows(s.a.data(), s.b.data(), s.c.data(), s.n, s.n, s.n); }},
          {"2.3 in blocks of 32", "10 3 2 3",
           [](Square& s) { lab::multiply_in_blocks(s.a.data(), s.b.data(), s.c.data(), s.n, s.n, s.n, kBlock); }},
          {"2.5 BLIS, one thread", "14 4", [](Square& s) { gemm_serial<float>(1, s.left(), s.right(), 0, s.result()); }},
          {"the framework's kernel", "", [](Square& s) { gemm<float>(1, s.left(), s.right(), 0, s.result()); }}};
}

// The best of at least three runs, more where they are short: other programs can only slow a run down.
double gflops(const Kernel& kernel, Square& square) {
  double best = 1e30, spent = 0;
  for (int i = 0; i < 200 && (i < 3 || spent < 0.1); ++i) {
    const double start = lab::thread_seconds();
    kernel.run(square);
    const double seconds = lab::thread_seconds() - start;
    best = std::min(best, seconds), spent += seconds;
  }
  const auto n = static_cast<double>(square.n);
  return 2 * n * n * n / best / 1e9;
}

// Larger than rounding explains?
bool differs(const std::vector<float>& x, const std::vector<float>& y) {
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(std::abs(x[i] - y[i]) <= 1e-3f * (1 + std::abs(y[i])))) return true;
  }
  return false;
}

// A small C of a long depth: exercise 2.4.
bool same_bits_for_all_threads() {
  const int64_t m = 16, n = 16, k = 50000;
  const std::vector<float> a = to_vector<float>(rand_normal({m * k}, 0, 1, Rng(3)));
  std::vector<float> first;
  for (const int threads : {1, 2, 3, 4}) {
    std::vector<float> c(static_cast<size_t>(m * n), 0.0f);
    set_num_threads(threads);
    gemm_blis<float>(1, {a.data(), m, k, k, 1}, {a.data(), k, n, 1, k}, 0, {c.data(), m, n, n, 1});
    if (first.empty()) first = c;
    if (c != first) return false;
  }
  return true;
}

// The largest relative error that rounding to bf16 makes.
double largest_bf16_error() {
  double largest = 0;
  const Rng rng(4);
  for (uint64_t i = 0; i < 20000; ++i) {
    const double x = static_cast<double>(static_cast<float>(rng.normal(i)));
    largest = std::max(largest, std::abs(reference::rounded(x) - x) / std::abs(x));
  }
  return largest;
}

struct Chart {
  static constexpr double kLeft = 60, kTop = 40, kWidth = 420, kHeight = 300;
  static constexpr double kLow = 0.1, kHigh = 1000;  // GFLOP/s
  Svg svg{740, 390, "text{font:13px sans-serif}.t{font-weight:bold}.e{text-anchor:end}.m{text-anchor:middle}"};

  static double x(double n) { return kLeft + kWidth * std::log(n / 32) / std::log(768.0 / 32); }
  static double y(double rate) {
    const double held = std::clamp(rate, kLow, kHigh);
    return kTop + kHeight * (1 - std::log(held / kLow) / std::log(kHigh / kLow));
  }
  void frame() {
    svg.text(kLeft, 24, "GFLOP/s of C = A B, all n by n, f32", "class=\"t\"");
    for (const double rate : {0.1, 1.0, 10.0, 100.0, 1000.0}) {
      svg.path(cat("M ", svg_number(kLeft), " ", svg_number(y(rate)), " h ", svg_number(kWidth)), "stroke=\"#ccc\"");
      svg.text(kLeft - 6, y(rate) + 4, cat(rate), "class=\"e\"");
    }
    for (const int64_t n : {32, 64, 128, 256, 512, 768})
      svg.text(x(static_cast<double>(n)), kTop + kHeight + 18, std::to_string(n), "class=\"m\"");
    svg.text(kLeft + kWidth / 2, kTop + kHeight + 38, "n", "class=\"m\"");
  }
  void line(const Kernel& kernel, const std::vector<double>& rates, int number) {
    std::string path;
    for (size_t i = 0; i < rates.size(); ++i)
      path += cat(i ? " L " : "M ", svg_number(x(static_cast<double>(kSizes[i]))), " ", svg_number(y(rates[i])));
    const std::string style = cat("fill=\"none\" stroke=\"#000\" stroke-width=\"1.8\" stroke-dasharray=\"", kernel.dash, "\"");
    svg.path(path, style);
    const double at = 70 + 40 * number;
    svg.path(cat("M 510 ", svg_number(at), " h 44"), style);
    svg.text(562, at - 3, kernel.name);
    svg.text(562, at + 13, cat(number_text(*std::max_element(rates.begin(), rates.end())), " GFLOP/s"));
  }
  void peak(double rate) {
    svg.path(cat("M ", svg_number(kLeft), " ", svg_number(y(rate)), " h ", svg_number(kWidth)),
             "stroke=\"#000\" stroke-width=\"4\" stroke-opacity=\"0.35\"");
    svg.path("M 510 270 h 44", "stroke=\"#000\" stroke-width=\"4\" stroke-opacity=\"0.35\"");
    svg.text(562, 267, "measured peak, one thread");
    svg.text(562, 283, cat(number_text(rate), " GFLOP/s"));
  }
  static std::string number_text(double rate) {
    char text[32];
    std::snprintf(text, sizeof text, rate < 10 ? "%.2f" : "%.0f", rate);
    return text;
  }
};

int draw_all(const std::string& folder) {
  const int threads = num_threads();
  set_num_threads(1);
  Chart chart;
  chart.frame();
  const std::vector<Kernel> all = kernels();
  bool good = true;
  double slowest = 0, fastest = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    std::vector<double> rates;
    for (const int64_t n : kSizes) {
      Square square(n), reference(n);
      rates.push_back(gflops(all[i], square));
      if (n > 192) continue;
      all[0].run(reference);
      if (differs(square.c, reference.c)) {
        std::printf("  %s differs from the plain product at n = %d\n", all[i].name, static_cast<int>(n));
        good = false;
      }
    }
    std::printf("  %-28s %s GFLOP/s at n = 768\n", all[i].name, Chart::number_text(rates.back()).c_str());
    std::fflush(stdout);
    chart.line(all[i], rates, static_cast<int>(i));
    (i == 0 ? slowest : fastest) = rates.back();
  }
  double peak = 0;  // by the clock on the wall: the best of many short runs, some of which nobody interrupted
  for (int i = 0; i < 12; ++i) peak = std::max(peak, measure_peak_gflops());
  const double error = largest_bf16_error();
  chart.peak(peak);
  const bool same = same_bits_for_all_threads();
  set_num_threads(threads);
  std::printf("lab 2: from the plain loops to the framework's kernel x%.0f, %.0f %% of the peak of %.0f GFLOP/s\n",
              fastest / slowest, 100 * fastest / peak, peak);
  std::printf("  the same bits for 1 to 4 threads: %s; largest error of rounding to bf16: %.5f (at most 2^-8 = 0.00391)\n",
              same ? "yes" : "NO", error);
  write_file_atomically(folder + "/lab2.svg", chart.svg.str());
  return good && same && error <= 1.0 / 256 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
