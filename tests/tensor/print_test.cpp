#include "tensor/print.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "tensor/view.h"

using namespace vitrail;

namespace {
const double kInfinity = std::numeric_limits<double>::infinity();
const double kNan = std::numeric_limits<double>::quiet_NaN();
}  // namespace

TEST_CASE("print: a matrix has aligned columns, nested brackets, shape and dtype") {
  const Tensor x = from_vector(std::vector<float>{1, 2.5, -30, 4}, {2, 2});
  CHECK(to_string(x) ==
        "Tensor([[  1.0000,   2.5000],\n"
        "        [-30.0000,   4.0000]], shape=[2, 2], dtype=f32)");
  std::ostringstream out;
  out << x;
  CHECK(out.str() == to_string(x));
}

TEST_CASE("print: a transposed view is printed in its own order") {
  const Tensor x = from_vector(std::vector<int64_t>{1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(to_string(transpose(x)) == "Tensor([[1, 4],\n        [2, 5],\n        [3, 6]], shape=[3, 2], dtype=i64)");
}

TEST_CASE("print: integers keep every digit") {
  const Tensor x = from_vector(std::vector<int64_t>{std::numeric_limits<int64_t>::max(), -1}, {2});
  CHECK(to_string(x) == "Tensor([9223372036854775807,                  -1], shape=[2], dtype=i64)");
  CHECK(to_string(full({2}, 255, Dtype::u8)) == "Tensor([255, 255], shape=[2], dtype=u8)");
}

TEST_CASE("print: NaN and infinity stand beside numbers without changing their form") {
  CHECK(to_string(from_vector(std::vector<double>{1, kNan, -kInfinity, kInfinity}, {4})) ==
        "Tensor([1.0000,    nan,   -inf,    inf], shape=[4], dtype=f64)");
}

TEST_CASE("print: very large and very small numbers are scientific, zero is neither") {
  CHECK(to_string(from_vector(std::vector<double>{1e6, 0}, {2})) == "Tensor([1.0000e+06, 0.0000e+00], shape=[2], dtype=f64)");
  CHECK(to_string(scalar(5e-5, Dtype::f64)) == "Tensor(5.0000e-05, shape=[], dtype=f64)");
  CHECK(to_string(scalar(999999.5, Dtype::f64)) == "Tensor(999999.5000, shape=[], dtype=f64)");
  CHECK(to_string(scalar(0)) == "Tensor(0.0000, shape=[], dtype=f32)");
}

TEST_CASE("print: above 1000 elements only the edges are shown") {
  const Tensor x = arange(0, 1001, 1, Dtype::i64);
  CHECK(to_string(x) == "Tensor([   0,    1,    2, ...,  998,  999, 1000], shape=[1001], dtype=i64)");
  const std::string text = to_string(zeros({40, 2, 30}, Dtype::u8));
  CHECK(std::count(text.begin(), text.end(), '0') == 6 * 2 * 6 + 2);  // and the zeros of 40 and 30
  CHECK(to_string(arange(0, 1000, 1, Dtype::i64)).find("...") == std::string::npos);
}

TEST_CASE("print: long rows are broken, blocks of matrices stand apart") {
  std::istringstream lines(to_string(zeros({100})));
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 130);
  CHECK(to_string(zeros({2, 1, 1}, Dtype::u8)) == "Tensor([[[0]],\n\n        [[0]]], shape=[2, 1, 1], dtype=u8)");
}

TEST_CASE("print: undefined and empty tensors have a form too") {
  CHECK(to_string(Tensor()) == "Tensor(undefined)");
  CHECK(to_string(zeros({0, 3})) == "Tensor([], shape=[0, 3], dtype=f32)");
}
