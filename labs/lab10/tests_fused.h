// Lab 10, exercises 10.3 and 10.4: one pass instead of two, by counting what is read and written.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "labs/common/lab.h"
#include "labs/lab10/counted_memory.h"
#include "labs/lab10/fused.h"
#include "labs/lab10/online.h"
#include "labs/lab10/watched.h"
#include "tensor/ops.h"

namespace {

using namespace vitrail;

std::vector<float> floats(int64_t count, uint64_t stream, double deviation = 1) {
  return to_vector<float>(contiguous(lab::random({1, count}, stream, 0, deviation, Dtype::f32)));
}
std::vector<double> doubles(const std::vector<float>& x) { return {x.begin(), x.end()}; }
Tensor matrix(const std::vector<float>& x, int64_t rows, int64_t cols) { return from_vector(doubles(x), {rows, cols}); }
std::vector<lab::Watched> watched(const std::vector<float>& x) { return {x.begin(), x.end()}; }

// How often each was read and written: "1/0" for all alike, else "between 0/1 and 2/1".
std::string traffic(const std::vector<lab::Watched>& x) {
  int least_read = 1000, most_read = 0, least_written = 1000, most_written = 0;
  for (const lab::Watched& w : x) {
    least_read = std::min(least_read, w.reads), most_read = std::max(most_read, w.reads);
    least_written = std::min(least_written, w.writes), most_written = std::max(most_written, w.writes);
  }
  if (least_read == most_read && least_written == most_written) return cat(least_read, "/", least_written);
  return cat("between ", least_read, "/", least_written, " and ", most_read, "/", most_written);
}

struct Fused {
  std::vector<float> y, slope;
  Fused(const std::vector<float>& x, const std::vector<float>& bias, int64_t rows, int64_t cols)
      : y(x.size(), -77.0f), slope(x.size(), -77.0f) {
    lab::bias_gelu(x.data(), bias.data(), y.data(), slope.data(), rows, cols);
  }
};

// The framework's ops in f64, with a random cotangent for the slope.
struct Unfused {
  Tensor y, slope;
  Unfused(const std::vector<float>& x, const std::vector<float>& bias, int64_t rows, int64_t cols) {
    const Variable leaf(matrix(x, rows, cols), true);
    const Variable out = gelu(leaf + Variable(from_vector(doubles(bias), {cols})));
    out.backward(ones({rows, cols}, Dtype::f64));
    y = out.value(), slope = leaf.grad();
  }
};

std::string fused_traffic() {
  std::vector<lab::Watched> x = watched(floats(12, 1)), bias = watched(floats(4, 2)), y(12), slope(12);
  lab::bias_gelu(x.data(), bias.data(), y.data(), slope.data(), 3, 4);
  return traffic(x) + " " + traffic(y) + " " + traffic(slope);
}
std::string backward_traffic() {
  std::vector<lab::Watched> dy = watched(floats(12, 3)), slope = watched(floats(12, 4)), dx(12);
  std::vector<double> dbias(4);
  lab::bias_gelu_backward(dy.data(), slope.data(), dx.data(), dbias.data(), 3, 4);
  return traffic(dy) + " " + traffic(slope) + " " + traffic(dx);
}

}  // namespace

LAB_PROBE("10.3") {
  const Fused f({-1, 0, 0.5f, 2, 3, -2}, {0.5f, -0.25f, 1}, 2, 3);
  return lab::digits(doubles(f.y), 4) + "; " + lab::digits(doubles(f.slope), 4);
}
LAB_PROBE("10.3") { return fused_traffic() + "; " + backward_traffic(); }
LAB_PROBE("10.3") {
  std::vector<float> dy{1, 2, 3, 4, 5, 6}, slope{0.5f, 1, 2, -1, 0.25f, 0.125f}, dx(6);
  std::vector<double> dbias{100, 100, 100};
  lab::bias_gelu_backward(dy.data(), slope.data(), dx.data(), dbias.data(), 2, 3);
  return lab::digits(doubles(dx), 5) + "; " + lab::digits(dbias, 5);
}
LAB_PROBE("10.3") {
  std::vector<float> x{1, -1}, bias{0, 0.5f}, y(2);
  lab::bias_gelu(x.data(), bias.data(), y.data(), static_cast<float*>(nullptr), 1, 2);
  return lab::digits(doubles(y), 4);
}

TEST_SUITE("10.3") {
  TEST_CASE("the value and the slope are those of the two ops") {
    lab::Dice dice(1031);
    for (int round = 0; round < 6; ++round) {
      const int64_t rows = dice.roll(1, 7), cols = dice.roll(1, 9);
      const std::vector<float> x = floats(rows * cols, 1032 + static_cast<uint64_t>(round), 2), bias = floats(cols, 1050);
      const Fused given(x, bias, rows, cols);
      const Unfused wanted(x, bias, rows, cols);
      CAPTURE(rows);
      CAPTURE(cols);
      CHECK(lab::difference(matrix(given.y, rows, cols), wanted.y, 1e-6) == "");
      CHECK(lab::difference(matrix(given.slope, rows, cols), wanted.slope, 1e-6) == "");
    }
  }
  TEST_CASE("the exact GELU, not its approximation by tanh; and far out it is x or 0") {
    const Fused f({2, 40, -40, 0}, {0}, 4, 1);
    CHECK(f.y[0] == doctest::Approx(1.95449974).epsilon(1e-7));
    CHECK(f.y[1] == 40);
    CHECK(f.y[2] == 0);
    CHECK(f.slope[1] == 1);
    CHECK(f.slope[2] == 0);
    CHECK(f.slope[3] == 0.5f);
  }
  TEST_CASE("one pass: x is read once, y and the slope are written once and not read, nothing is allocated") {
    CHECK(fused_traffic() == "1/0 0/1 0/1");
    const std::vector<float> x = floats(600, 1033), bias = floats(30, 1034);
    std::vector<float> y(600), slope(600);
    const int64_t taken = lab::most_bytes_of([&] { lab::bias_gelu(x.data(), bias.data(), y.data(), slope.data(), 20, 30); });
    CHECK(taken == 0);
  }
  TEST_CASE("without a slope, and in place") {
    std::vector<float> x = floats(15, 1035);
    const std::vector<float> bias = floats(5, 1036);
    const Unfused wanted(x, bias, 3, 5);
    lab::bias_gelu(x.data(), bias.data(), x.data(), static_cast<float*>(nullptr), 3, 5);
    CHECK(lab::difference(matrix(x, 3, 5), wanted.y, 1e-6) == "");
  }
  TEST_CASE("backward: the gradients of x and of the bias, which do not depend on what was there") {
    const std::vector<float> dy = floats(24, 1037), slope = floats(24, 1038);
    std::vector<float> dx(24, 5.0f);
    std::vector<double> dbias(4, 5.0);
    lab::bias_gelu_backward(dy.data(), slope.data(), dx.data(), dbias.data(), 6, 4);
    const Tensor product = matrix(dy, 6, 4) * matrix(slope, 6, 4);
    CHECK(lab::difference(matrix(dx, 6, 4), product, 1e-6) == "");
    CHECK(lab::difference(from_vector(dbias, {4}), sum(product, {0}), 1e-12) == "");
  }
  TEST_CASE("backward in one pass, and in place") {
    CHECK(backward_traffic() == "1/0 1/0 0/1");
    std::vector<float> dy = floats(10, 1039);
    const std::vector<float> slope = floats(10, 1040);
    const Tensor product = matrix(dy, 2, 5) * matrix(slope, 2, 5);
    std::vector<double> dbias(5);
    lab::bias_gelu_backward(dy.data(), slope.data(), dy.data(), dbias.data(), 2, 5);
    CHECK(lab::difference(matrix(dy, 2, 5), product, 1e-6) == "");
  }
}

namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

lab::Running sums_of(const std::vector<double>& x) {
  lab::Running sum;
  for (const double value : x) sum = lab::with(sum, value);
  return sum;
}
std::vector<double> pair_of(const lab::Running& sum) { return {sum.largest, sum.total}; }

constexpr float kNothing = -std::numeric_limits<float>::infinity();
// 0 and 4000 times -17.5: each power, 2.5e-8, is too small for a float that holds 1, all together are 1.0044e-4.
std::vector<float> many_small() {
  std::vector<float> x(4001, -17.5f);
  x[0] = 0;
  return x;
}

std::vector<double> online(const std::vector<float>& x) {
  std::vector<float> y(x.size(), -77.0f);
  lab::online_softmax(x.data(), y.data(), static_cast<int64_t>(x.size()));
  return doubles(y);
}

// By its definition, in double, with the largest subtracted.
std::vector<double> softmax_of(const std::vector<float>& x) {
  double largest = kMinusInfinity, total = 0;
  for (const float value : x) largest = std::max(largest, static_cast<double>(value));
  std::vector<double> y;
  for (const float value : x) y.push_back(std::exp(static_cast<double>(value) - largest)), total += y.back();
  for (double& value : y) value /= total;
  return y;
}

std::string softmax_traffic() {
  std::vector<lab::Watched> x = watched({1, 3, 2, -1, 5}), y(5);
  lab::online_softmax(x.data(), y.data(), 5);
  return traffic(x) + " " + traffic(y);
}

}  // namespace

LAB_PROBE("10.4") { return lab::digits(pair_of(sums_of({1, 3, 2})), 5) + lab::digits(pair_of(sums_of({-5, -7})), 5); }
LAB_PROBE("10.4") { return lab::digits(pair_of(sums_of({kMinusInfinity, 2, kMinusInfinity})), 5); }
LAB_PROBE("10.4") {
  return lab::digits(pair_of(lab::merged(sums_of({1, 2}), sums_of({4}))), 5) +
         lab::digits(pair_of(lab::merged(sums_of({4}), sums_of({1, 2}))), 5);
}
LAB_PROBE("10.4") {
  return lab::digits(pair_of(lab::merged({}, sums_of({-3}))), 5) + lab::digits(pair_of(lab::merged({}, {})), 5);
}
LAB_PROBE("10.4") { return lab::digits(online({1, 3, 2}), 5) + lab::digits(online({-1e4f, -1e4f}), 5) + softmax_traffic(); }
LAB_PROBE("10.4") { return lab::digits(online({kNothing, kNothing}), 5); }
LAB_PROBE("10.4") { return lab::digits({online(many_small())[0]}, 5); }

TEST_SUITE("10.4") {
  TEST_CASE("one number after the other: the largest, and the sum of the powers below it") {
    const lab::Running sum = sums_of({1, 3, 2});
    CHECK(sum.largest == 3);
    CHECK(sum.total == doctest::Approx(std::exp(-2.0) + 1 + std::exp(-1.0)).epsilon(1e-13));
    CHECK(lab::with({}, -5).largest == -5);
    CHECK(lab::with({}, -5).total == doctest::Approx(1));
  }
  TEST_CASE("the order does not matter, nor where the row is cut") {
    lab::Dice dice(1041);
    for (int round = 0; round < 20; ++round) {
      std::vector<double> x;
      const int64_t n = dice.roll(2, 40);
      for (int64_t i = 0; i < n; ++i) x.push_back(dice.uniform(-30, 30));
      const lab::Running whole = sums_of(x);
      const auto cut = static_cast<std::ptrdiff_t>(dice.roll(0, n));
      const std::vector<double> left(x.begin(), x.begin() + cut), right(x.begin() + cut, x.end());
      const lab::Running two = lab::merged(sums_of(left), sums_of(right)), other = lab::merged(sums_of(right), sums_of(left));
      const std::vector<double> reversed(x.rbegin(), x.rend());
      for (const lab::Running& sum : {two, other, sums_of(reversed)}) {
        CHECK(sum.largest == whole.largest);
        CHECK(sum.total == doctest::Approx(whole.total).epsilon(1e-12));
      }
    }
  }
  TEST_CASE("ten thousand up and down") {
    CHECK(sums_of({1e4, -1e4}).total == 1);
    CHECK(sums_of({-1e4, 1e4}).total == 1);
    CHECK(sums_of({-1e4, -1e4}).total == 2);
    CHECK(lab::merged(sums_of({-1e4}), sums_of({1e4, 1e4})).total == 2);
  }
  TEST_CASE("-infinity weighs nothing, alone or among others") {
    CHECK(sums_of({kMinusInfinity, kMinusInfinity}).total == 0);
    CHECK(sums_of({kMinusInfinity, kMinusInfinity}).largest == kMinusInfinity);
    CHECK(sums_of({kMinusInfinity, 2, kMinusInfinity}).total == 1);
    CHECK(lab::merged(sums_of({kMinusInfinity}), sums_of({2, 2})).total == 2);
    CHECK(lab::merged(sums_of({2, 2}), {}).largest == 2);
    CHECK(lab::merged({}, {}).total == 0);
    CHECK(online({kNothing, kNothing, kNothing}) == std::vector<double>{0, 0, 0});
  }
  TEST_CASE("the softmax of random rows, also far from 0") {
    lab::Dice dice(1042);
    for (int round = 0; round < 10; ++round) {
      std::vector<float> x = floats(dice.roll(1, 30), 1043 + static_cast<uint64_t>(round), 3);
      const float shift = round % 3 == 0 ? -1000.0f : round % 3 == 1 ? 1000.0f : 0.0f;
      for (float& value : x) value += shift;
      const Tensor wanted = from_vector(softmax_of(x), {static_cast<int64_t>(x.size())});
      CHECK(lab::difference(from_vector(online(x), wanted.shape()), wanted, 1e-6) == "");
    }
  }
  TEST_CASE("the total is a double: four thousand small powers beside a large one count") {
    CHECK(online(many_small())[0] == doctest::Approx(1 / (1 + 4000 * std::exp(-17.5))).epsilon(1e-6));
  }
  TEST_CASE("every number is read twice and every result written once") { CHECK(softmax_traffic() == "2/0 0/1"); }
}
