// Lab 0: a first lab. Every test compares with arithmetic of its own, done the long way.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "data/sets/idx.h"
#include "labs/common/lab.h"
#include "labs/lab0/pixel.h"
#include "labs/lab0/softmax_regression.h"
#include "tensor/reference/reduce.h"
#include "tensor/view.h"

using namespace vitrail;

LAB_PROBE("0.1") {
  return cat(lab::pixel_place(0, 0, 7), " ", lab::pixel_place(2, 3, 7), " ", lab::pixel_place(5, 1, 28), " ",
             lab::pixel_place(1, 0, 1));
}

TEST_SUITE("0.1") {
  TEST_CASE("the first row counts from 0, the second goes on with the width") {
    CHECK(lab::pixel_place(0, 0, 28) == 0);
    CHECK(lab::pixel_place(0, 5, 28) == 5);
    CHECK(lab::pixel_place(1, 0, 28) == 28);
    CHECK(lab::pixel_place(2, 3, 28) == 59);
  }
  TEST_CASE("all places of a picture, in order") {
    lab::Dice dice(1);
    const int64_t height = dice.roll(3, 9), width = dice.roll(10, 20);
    CAPTURE(width);
    int64_t place = 0, wrong = 0;
    for (int64_t row = 0; row < height; ++row) {
      for (int64_t column = 0; column < width; ++column) wrong += lab::pixel_place(row, column, width) != place++;
    }
    CHECK(wrong == 0);
  }
}

namespace {

using Bytes = std::vector<uint8_t>;

// An IDX file: magic, extents (written here byte by byte), and `data` bytes behind them.
Bytes idx_file(int type, const std::vector<int64_t>& extents, int64_t data) {
  Bytes bytes{0, 0, static_cast<uint8_t>(type), static_cast<uint8_t>(extents.size())};
  for (const int64_t extent : extents) {
    for (const int64_t unit : {int64_t{1} << 24, int64_t{1} << 16, int64_t{256}, int64_t{1}})
      bytes.push_back(static_cast<uint8_t>(extent / unit % 256));
  }
  for (int64_t i = 0; i < data; ++i) bytes.push_back(static_cast<uint8_t>(i * 7 % 251));
  return bytes;
}

IdxHeader header_of(const Bytes& bytes) { return check_idx(source_of(std::span(bytes), "test")); }

// "" if the file is refused, in whatever words; else what was made of its extents.
std::string not_refused(const Bytes& bytes) {
  try {
    const IdxHeader h = header_of(bytes);
    return cat("it should be refused with an Error, but it was accepted: shape ", h.shape, ", ", h.data_bytes,
               " bytes of data");
  } catch (const Error&) {
    return "";
  }
}

// The shape and the bytes that the header promises. Of a student's own words only "refused" is told; the file's length is
// compared by the framework, whose words tell the extents.
std::string header_text(const Bytes& bytes) {
  try {
    const IdxHeader h = header_of(bytes);
    return cat(h.shape, " ", h.header_bytes, " ", h.data_bytes, "; ");
  } catch (const Error& error) {
    const std::string text = error.what();
    const size_t at = text.find("extents ["), need = text.find(" need ");
    return at != std::string::npos && need != std::string::npos ? text.substr(at, 40) + "; " : "refused; ";
  }
}

}  // namespace

LAB_PROBE("0.2") { return header_text(idx_file(8, {3, 4, 5}, 60)) + header_text(idx_file(8, {300}, 300)); }
LAB_PROBE("0.2") { return header_text(idx_file(13, {2, 3}, 24)) + header_text(idx_file(14, {7}, 56)); }
LAB_PROBE("0.2") { return header_text(idx_file(8, {4, 0, 2}, 0)) + header_text(idx_file(8, {int64_t{0xffffffff}}, 3)); }
LAB_PROBE("0.2") { return header_text(idx_file(8, {65536 * 2 + 1}, 131073)); }
LAB_PROBE("0.2") { return header_text(idx_file(8, {int64_t{1} << 31, int64_t{1} << 31, int64_t{1} << 31}, 0)).substr(0, 40); }

TEST_SUITE("0.2") {
  TEST_CASE("the extents of a file of pictures, in order") {
    const IdxHeader h = header_of(idx_file(8, {3, 4, 5}, 60));
    CHECK(h.shape == Shape{3, 4, 5});
    CHECK(h.data_bytes == 60);
  }
  TEST_CASE("an extent is a number of four bytes, the most significant first") {
    CHECK(header_of(idx_file(8, {260}, 260)).shape == Shape{260});
    CHECK(header_of(idx_file(8, {70000}, 70000)).shape == Shape{70000});
    lab::Dice dice(3);
    for (int round = 0; round < 6; ++round) {
      const int64_t rows = dice.roll(1, 900), cols = dice.roll(1, 200);
      CAPTURE(rows);
      CAPTURE(cols);
      CHECK(header_of(idx_file(8, {rows, cols}, rows * cols)).shape == Shape{rows, cols});
    }
  }
  TEST_CASE("the data have as many bytes as elements times the size of one") {
    CHECK(header_of(idx_file(8, {2, 3}, 6)).data_bytes == 6);
    CHECK(header_of(idx_file(11, {2, 3}, 12)).data_bytes == 12);
    CHECK(header_of(idx_file(12, {2, 3}, 24)).data_bytes == 24);
    CHECK(header_of(idx_file(14, {2, 3}, 48)).data_bytes == 48);
  }
  TEST_CASE("an extent of 0 is refused") {
    CHECK(not_refused(idx_file(8, {0, 3}, 0)) == "");
    CHECK(not_refused(idx_file(8, {4, 2, 0}, 0)) == "");
  }
  TEST_CASE("a byte of 128 or more in front gives no negative extent") {
    // The file is too short for this extent, and the framework says so in words that name it.
    CHECK(header_text(idx_file(8, {int64_t{0x80000001}}, 4)) == "extents [2147483649] need 2147483657 byt; ");
    CHECK(header_of(idx_file(8, {2, 200}, 400)).shape == Shape{2, 200});
  }
  TEST_CASE("extents whose product does not fit 64 bits are refused, although the product wraps around to 0") {
    const int64_t large = int64_t{1} << 31;
    CHECK(not_refused(idx_file(8, {large, large, large, large}, 0)) == "");
  }
}

namespace {

// "" if two numbers agree; else both, with as many digits as tell them apart.
std::string differing(double given, double wanted, double tolerance) {
  if (given == wanted || std::abs(given - wanted) <= tolerance * (1 + std::abs(wanted))) return "";
  const int count = std::abs(given - wanted) > 1e-4 * std::abs(wanted) ? 6 : 17;
  return cat("it is ", lab::digits(std::vector<double>{given}, count), "and should be ",
             lab::digits(std::vector<double>{wanted}, count));
}

double log_sum_exp(const std::vector<double>& x) {
  const Tensor rows = from_vector(x, {1, static_cast<int64_t>(x.size())}), y = empty({1}, Dtype::f64);
  reference::logsumexp(rows, rows.numel(), y);
  return y.at({0});
}
constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

LAB_PROBE("0.3") {
  return lab::digits(std::vector<double>{log_sum_exp({1, 2, 3.5}), log_sum_exp({0.5}), log_sum_exp({0, 0})}, 4);
}
LAB_PROBE("0.3") { return lab::digits(std::vector<double>{log_sum_exp({1000, 999}), log_sum_exp({-1000, -1002})}, 7); }
LAB_PROBE("0.3") { return lab::digits(std::vector<double>{log_sum_exp({-900, 1}), log_sum_exp({2, -3, 1, 4})}, 4); }
LAB_PROBE("0.3") {
  return lab::digits(std::vector<double>{log_sum_exp({-kInfinity, -kInfinity}), log_sum_exp({-kInfinity, 3})}, 4);
}
LAB_PROBE("0.3") {
  const Tensor x = from_vector(std::vector<double>{1, 2, 3, 4, 5, 6}, {3, 2}), y = empty({2}, Dtype::f64);
  reference::logsumexp(transpose(x, 0, 1), 3, y);
  return lab::digits(y, 4);
}
LAB_PROBE("0.3") { return lab::digits(std::vector<double>{log_sum_exp({kInfinity, 3})}, 4); }
LAB_PROBE("0.3") { return cat(std::abs(log_sum_exp({0.5, 1.5}) - 1.8132616875182228) < 1e-10 ? "double" : "less than double"); }

TEST_SUITE("0.3") {
  TEST_CASE("small numbers: the logarithm of the sum of the exponentials") {
    lab::Dice dice(5);
    for (int round = 0; round < 10; ++round) {
      std::vector<double> x;
      double sum = 0;
      for (int i = 0; i <= round; ++i) x.push_back(dice.uniform(-3, 3)), sum += std::exp(x.back());
      CAPTURE(x);
      CHECK(differing(log_sum_exp(x), std::log(sum), 1e-12) == "");
    }
  }
  TEST_CASE("numbers of any size: adding 1000 to all adds 1000 to the result") {
    lab::Dice dice(6);
    for (const double shift : {1e3, -1e3, 1e4, -1e4}) {
      std::vector<double> x, moved;
      for (int i = 0; i < 5; ++i) x.push_back(dice.uniform(-2, 2)), moved.push_back(x.back() + shift);
      CAPTURE(moved);
      CHECK(differing(log_sum_exp(moved), log_sum_exp(x) + shift, 1e-12) == "");
    }
  }
  TEST_CASE("n equal numbers: x + log n") {
    CHECK(log_sum_exp({7}) == doctest::Approx(7));
    CHECK(log_sum_exp({-5, -5, -5, -5}) == doctest::Approx(-5 + std::log(4.0)));
  }
  TEST_CASE("a number far below the largest adds nothing, also -inf") {
    CHECK(log_sum_exp({-900, 1}) == doctest::Approx(1));
    CHECK(log_sum_exp({-kInfinity, 3}) == 3);
  }
  TEST_CASE("nothing but -inf has the logarithm of 0, and one +inf outweighs all") {
    CHECK(log_sum_exp({-kInfinity, -kInfinity, -kInfinity}) == -kInfinity);
    CHECK(log_sum_exp({kInfinity, 2}) == kInfinity);
  }
  TEST_CASE("each row for itself, through the strides of a transposed tensor") {
    const Tensor x = lab::random({4, 6}, 7), y = empty({4}, Dtype::f64);
    reference::logsumexp(x, 6, y);
    std::string wrong;
    for (int64_t i = 0; i < 4; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < 6; ++j) sum += std::exp(x.at({i, j}));
      const std::string of_row = differing(y.at({i}), std::log(sum), 1e-12);
      if (!of_row.empty() && wrong.empty()) wrong = cat("row ", i, " of 4: ", of_row);
    }
    CHECK(wrong == "");
  }
}

namespace {

struct Problem {
  std::vector<float> pixels;
  std::vector<int64_t> labels;
  std::vector<double> weights;  // [inputs, classes]
  int64_t count, inputs, classes;
  lab::Examples examples() const { return {pixels.data(), labels.data(), count, inputs, classes}; }
};

Problem problem(uint64_t stream, int64_t count, int64_t inputs, int64_t classes) {
  lab::Dice dice(stream);
  Problem p{{}, {}, {}, count, inputs, classes};
  for (int64_t i = 0; i < count * inputs; ++i) p.pixels.push_back(static_cast<float>(dice.uniform(-1, 1)));
  for (int64_t i = 0; i < count; ++i) p.labels.push_back(dice.roll(0, classes - 1));
  for (int64_t i = 0; i < inputs * classes; ++i) p.weights.push_back(dice.uniform(-0.7, 0.7));
  return p;
}

// The mean loss of examples [begin, end), written as its definition.
double loss_of(const Problem& p, const std::vector<double>& weights, int64_t begin, int64_t end) {
  double loss = 0;
  for (int64_t i = begin; i < end; ++i) {
    double total = 0, own = 0;
    for (int64_t c = 0; c < p.classes; ++c) {
      double score = 0;
      for (int64_t j = 0; j < p.inputs; ++j) score += p.pixels[i * p.inputs + j] * weights[j * p.classes + c];
      total += std::exp(score);
      if (c == p.labels[i]) own = score;
    }
    loss += std::log(total) - own;
  }
  return loss / static_cast<double>(end - begin);
}

// The weights after one pass, with gradients by central differences of the loss.
std::vector<double> slow_pass(const Problem& p, double rate, int64_t batch) {
  std::vector<double> weights = p.weights;
  for (int64_t begin = 0; begin < p.count; begin += batch) {
    const int64_t end = std::min(begin + batch, p.count);
    std::vector<double> gradient;
    for (size_t j = 0; j < weights.size(); ++j) {
      std::vector<double> up = weights, down = weights;
      up[j] += 1e-5, down[j] -= 1e-5;
      gradient.push_back((loss_of(p, up, begin, end) - loss_of(p, down, begin, end)) / 2e-5);
    }
    for (size_t j = 0; j < weights.size(); ++j) weights[j] -= rate * gradient[j];
  }
  return weights;
}

// "" if the weights after one pass are those of slow_pass().
std::string pass_difference(const Problem& p, double rate, int64_t batch) {
  std::vector<double> weights = p.weights;
  lab::train_softmax_regression(p.examples(), rate, batch, weights.data());
  const Shape shape{p.inputs, p.classes};
  return lab::difference(from_vector(weights, shape), from_vector(slow_pass(p, rate, batch), shape), 1e-7);
}

// A fixed problem for the probes: 5 pictures of 2 pixels, 3 classes.
std::string probe_pass(double rate, int64_t batch, double scale) {
  const std::vector<float> pixels{1, 0, 0.5, -1, 2, 1, -1, 0.25, 0.5, 0.5};
  const std::vector<int64_t> labels{0, 2, 1, 1, 2};
  std::vector<double> weights{0.1, -0.2, 0.3, 0.4, 0.05, -0.6};
  for (double& w : weights) w *= scale;
  const double loss = lab::train_softmax_regression({pixels.data(), labels.data(), 5, 2, 3}, rate, batch, weights.data());
  return lab::digits(weights, 4) + "loss " + lab::digits(std::vector<double>{loss}, 4);
}

}  // namespace

LAB_PROBE("0.4") { return probe_pass(0.5, 5, 1); }
LAB_PROBE("0.4") { return probe_pass(0.5, 2, 1); }
LAB_PROBE("0.4") { return probe_pass(0.25, 3, 2000); }

TEST_SUITE("0.4") {
  TEST_CASE("one batch is one step along the gradient of the mean loss") {
    CHECK(pass_difference(problem(11, 7, 4, 3), 0.6, 7) == "");
    CHECK(pass_difference(problem(12, 1, 3, 5), 1.5, 8) == "");
  }
  TEST_CASE("several batches are several steps, each from where the last one ended") {
    CHECK(pass_difference(problem(13, 12, 3, 4), 0.8, 4) == "");
  }
  TEST_CASE("a last batch that is shorter is divided by its own number of pictures") {
    CHECK(pass_difference(problem(14, 10, 3, 4), 0.8, 4) == "");
    CHECK(pass_difference(problem(15, 5, 2, 3), 0.8, 64) == "");
  }
  TEST_CASE("the result is the mean loss before each step") {
    const Problem p = problem(16, 9, 4, 3);
    std::vector<double> weights = p.weights;
    CHECK(lab::train_softmax_regression(p.examples(), 0, 4, weights.data()) ==
          doctest::Approx(loss_of(p, p.weights, 0, 9)).epsilon(1e-9));
    weights = p.weights;
    CHECK(lab::train_softmax_regression(p.examples(), 0.5, 9, weights.data()) ==
          doctest::Approx(loss_of(p, p.weights, 0, 9)).epsilon(1e-9));
  }
  TEST_CASE("with all weights 0 the loss is log(classes), whatever the pictures") {
    Problem p = problem(17, 6, 5, 7);
    std::fill(p.weights.begin(), p.weights.end(), 0.0);
    CHECK(lab::train_softmax_regression(p.examples(), 0.1, 6, p.weights.data()) == doctest::Approx(std::log(7.0)));
  }
  TEST_CASE("the weights of a pixel keep their sum over the classes: what one class gains, others lose") {
    const Problem p = problem(18, 8, 4, 5);
    std::vector<double> weights = p.weights;
    lab::train_softmax_regression(p.examples(), 0.9, 3, weights.data());
    int64_t wrong = 0, moved = 0;
    for (int64_t j = 0; j < 4; ++j) {
      double before = 0, after = 0;
      for (int64_t c = 0; c < 5; ++c) {
        before += p.weights[j * 5 + c], after += weights[j * 5 + c];
        moved += weights[j * 5 + c] != p.weights[j * 5 + c];
      }
      wrong += std::abs(before - after) > 1e-12;
    }
    CHECK(wrong == 0);
    CHECK(moved == 20);
  }
  TEST_CASE("scores in the thousands give a finite loss and finite weights") {
    Problem p = problem(19, 6, 3, 4);
    for (double& w : p.weights) w *= 5000;
    const double loss = lab::train_softmax_regression(p.examples(), 0.1, 6, p.weights.data());
    CHECK(std::isfinite(loss));
    CHECK(std::all_of(p.weights.begin(), p.weights.end(), [](double w) { return std::isfinite(w); }));
  }
  TEST_CASE("many passes learn examples that a line can tell apart") {
    Problem p = problem(20, 40, 3, 2);
    for (int64_t i = 0; i < p.count; ++i) p.labels[i] = p.pixels[i * 3] > 0.3 * p.pixels[i * 3 + 1];
    std::fill(p.weights.begin(), p.weights.end(), 0.0);
    double loss = 0;
    for (int pass = 0; pass < 200; ++pass) loss = lab::train_softmax_regression(p.examples(), 1, 8, p.weights.data());
    CHECK(loss < 0.2);
  }
}
