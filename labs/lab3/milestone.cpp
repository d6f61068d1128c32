// Two spirals, learned with the student's rules and engine: a film strip of the decision boundary, and the graph of one step.
#include <cmath>
#include <iostream>
#include <numbers>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/graph_picture.h"
#include "autograd/ops.h"
#include "base/file.h"
#include "base/svg.h"
#include "labs/common/milestone.h"
#include "tensor/ops.h"
#include "tensor/view.h"

using namespace vitrail;

namespace {

constexpr int64_t kPoints = 70, kHidden = 24, kCells = 48;  // points of an arm, units of a layer, cells along a frame's side
constexpr double kReach = 1.15;                             // the frame shows [-kReach, kReach]

// Points of two spiral arms [2 n, 2], and the class of each as rows (1, 0) or (0, 1).
struct Spirals {
  Tensor points = empty({2 * kPoints, 2}, Dtype::f64), targets = zeros({2 * kPoints, 2}, Dtype::f64);
  Spirals() {
    const Rng noise(3);
    auto* xy = points.mutable_data<double>();
    auto* t = targets.mutable_data<double>();
    for (int64_t i = 0; i < 2 * kPoints; ++i) {
      const double along = static_cast<double>(i / 2 + 1) / kPoints,
                   angle = 2.75 * std::numbers::pi * along + std::numbers::pi * static_cast<double>(i % 2);
      xy[2 * i] = along * std::cos(angle) + 0.02 * noise.normal(static_cast<uint64_t>(2 * i));
      xy[2 * i + 1] = along * std::sin(angle) + 0.02 * noise.normal(static_cast<uint64_t>(2 * i + 1));
      t[2 * i + i % 2] = 1;
    }
  }
};

// All parameters lie in one vector; slice and reshape cut the matrices out of it.
struct Network {
  static constexpr int64_t kSizes[4] = {2, kHidden, kHidden, 2};

  static int64_t parameters() {
    int64_t n = 0;
    for (int i = 0; i < 3; ++i) n += (kSizes[i] + 1) * kSizes[i + 1];
    return n;
  }
  // x W^T + b, with the next parameters of theta.
  static Variable layer(const Variable& x, const Variable& theta, int64_t& at, int64_t outputs) {
    const int64_t inputs = x.size(1), end_of_weight = at + inputs * outputs;
    const Variable weight = reshape(slice(theta, 0, at, end_of_weight), {outputs, inputs});
    const Variable bias = slice(theta, 0, end_of_weight, end_of_weight + outputs);
    at = end_of_weight + outputs;
    return matmul(x, permute(weight, {1, 0})) + bias;
  }
  static Variable logits(const Variable& theta, const Tensor& points) {
    int64_t at = 0;
    const Variable h = tanh(layer(points * 3.0, theta, at, kHidden));
    const Variable g = relu(layer(h, theta, at, kHidden));
    return layer(g, theta, at, 2);
  }
  // Mean cross-entropy, and a little of the length of theta.
  static Variable loss(const Variable& theta, const Spirals& data) {
    const Variable z = logits(theta, data.points);
    const Variable largest = max(z, {1}, true);
    const Variable log_sum = log(sum(exp(z - largest), {1}, true)) + largest;
    const Variable of_target = sum(z * Variable(data.targets), {1}, true);
    return sum(log_sum - of_target) / static_cast<double>(data.points.size(0)) + sqrt(sum(pow(theta, 2))) * 1e-4;
  }
};

Tensor first_parameters() {
  const Rng rng(8);
  Tensor theta = zeros({Network::parameters()}, Dtype::f64);
  int64_t at = 0;
  for (int i = 0; i < 3; ++i) {
    const int64_t inputs = Network::kSizes[i], outputs = Network::kSizes[i + 1];
    copy_(slice(theta, 0, at, at + inputs * outputs),
          rand_normal({inputs * outputs}, 0, std::sqrt(2.0 / static_cast<double>(inputs)), rng.at(static_cast<uint64_t>(i)),
                      Dtype::f64));
    at += (inputs + 1) * outputs;
  }
  return theta;
}

// Adam (Kingma and Ba, arXiv:1412.6980), with plain tensors.
struct Adam {
  Tensor mean = zeros({Network::parameters()}, Dtype::f64), square_mean = mean;
  int step = 0;
  Tensor update(const Tensor& gradient, double rate) {
    ++step;
    mean = mean * 0.9 + gradient * 0.1;
    square_mean = square_mean * 0.99 + square(gradient) * 0.01;
    const Tensor deviation = sqrt(square_mean / (1 - std::pow(0.99, step))) + 1e-8;
    return mean / (1 - std::pow(0.9, step)) / deviation * rate;
  }
};

int64_t right_ones(const Tensor& logits, const Tensor& targets) {
  return static_cast<int64_t>(sum(to(equal(argmax(logits, 1), argmax(targets, 1)), Dtype::f64)).item());
}

// ---- the film strip ----

constexpr double kCell = 3.5, kFrame = kCell * kCells, kGap = 14, kTitle = 18;

// The cells that the network gives to the second class, row by row, as one path of rectangles.
std::string second_class(const Variable& theta) {
  const NoGradGuard no_grad;
  Tensor cells = empty({kCells * kCells, 2}, Dtype::f64);
  auto* xy = cells.mutable_data<double>();
  for (int64_t i = 0; i < kCells * kCells; ++i) {
    xy[2 * i] = kReach * (2 * (static_cast<double>(i % kCells) + 0.5) / kCells - 1);
    xy[2 * i + 1] = kReach * (1 - 2 * (static_cast<double>(i / kCells) + 0.5) / kCells);
  }
  const std::vector<int64_t> chosen = to_vector<int64_t>(argmax(Network::logits(theta, cells).value(), 1));
  std::string path;
  for (int64_t row = 0; row < kCells; ++row) {
    for (int64_t column = 0; column < kCells; ++column) {
      int64_t run = 0;
      while (column + run < kCells && chosen[static_cast<size_t>(row * kCells + column + run)] == 1) ++run;
      if (run > 0) path += cat("M", column, " ", row, "h", run, "v1h-", run, "z");
      column += run;
    }
  }
  return path;
}

// The points of one class as one path of dots.
std::string dots(const Spirals& data, int64_t which) {
  std::string path;
  for (int64_t i = which; i < 2 * kPoints; i += 2) {
    const double x = (data.points.at({i, 0}) / kReach + 1) / 2 * kFrame, y = (1 - data.points.at({i, 1}) / kReach) / 2 * kFrame;
    path += cat("M", svg_number(std::round(x * 10) / 10), " ", svg_number(std::round(y * 10) / 10), "h0");
  }
  return path;
}

class FilmStrip {
 public:
  explicit FilmStrip(const Spirals& data)
      : svg_(4 * kFrame + 5 * kGap, 2 * (kFrame + kTitle) + 3 * kGap,
             "text{font:12px "
             "sans-serif}.b{fill:#9aa4b0}.f{fill:none;stroke:#333}.o{stroke:#000;stroke-width:5;stroke-linecap:round}.w{stroke:"
             "#fff;stroke-width:3.4;stroke-linecap:round}"),
        white_(dots(data, 0)),
        black_(dots(data, 1)) {}
  void add(const std::string& title, const Variable& theta) {
    const double x = kGap + frames_ % 4 * (kFrame + kGap), y = kGap + kTitle + frames_ / 4 * (kFrame + kTitle + kGap);
    ++frames_;
    const std::string at = "transform=\"translate(" + svg_number(x) + " " + svg_number(y) + ")";
    svg_.text(x, y - 5, title);
    svg_.path(second_class(theta), at + " scale(" + svg_number(kCell) + ")\" class=\"b\"");
    svg_.path(white_ + black_, at + "\" class=\"o\"");
    svg_.path(white_, at + "\" class=\"w\"");
    svg_.rect(x, y, kFrame, kFrame, "class=\"f\"");
  }
  std::string str() const { return svg_.str(); }

 private:
  Svg svg_;
  std::string white_, black_;
  int frames_ = 0;
};

// ---- what must hold before anything is learned ----

bool gradients_hold(const Spirals& data) {
  const GradcheckResult checked = gradcheck([&](const std::vector<Variable>& in) { return Network::loss(in[0], data); },
                                            {Variable(first_parameters(), true)}, {.max_elements = 200});
  std::cout << "  gradient check of the whole network: " << (checked.ok ? "passed" : "FAILED, " + checked.message) << "\n";
  const Variable theta(first_parameters(), true), loss = Network::loss(theta, data);
  loss.backward({}, true);
  const Tensor once = clone(theta.grad());
  loss.backward({}, true);
  const bool twice = bit_equal(theta.grad(), once * 2.0);
  std::cout << "  two backward passes give " << (twice ? "exactly" : "NOT") << " twice the gradient of one\n";
  return checked.ok && twice;
}

int draw_all(const std::string& out) {
  const Spirals data;
  if (!gradients_hold(data)) return 1;
  Variable theta(first_parameters(), true);
  write_file_atomically(out + "/lab3-graph.svg", to_svg(Network::loss(theta, data), {{"theta", theta}}));
  Adam adam;
  FilmStrip film(data);
  int64_t right = 0;
  for (int step = 0; step <= 400; ++step) {
    for (const int shown : {0, 10, 20, 30, 45, 65, 100, 400}) {
      if (step != shown) continue;
      right = right_ones(Network::logits(theta, data.points).value(), data.targets);
      film.add(cat("step ", step, ": ", right, " of ", 2 * kPoints, " right"), theta);
    }
    theta.zero_grad();
    Network::loss(theta, data).backward();
    theta.set_value(theta.value() - adam.update(theta.grad(), 0.01));
  }
  write_file_atomically(out + "/lab3.svg", film.str());
  std::cout << "  " << right << " of " << 2 * kPoints << " points of two spirals are right after 400 steps\n";
  return right >= 2 * kPoints * 95 / 100 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return lab::milestone(argc, argv, draw_all); }
