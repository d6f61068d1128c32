// Lab 2: matrix products. Exercises 2.1, 2.4 and 2.5 stand here.
#include <bit>

#include "labs/lab2/tests_ladder.h"
#include "labs/lab2/tests_matrix.h"
#include "labs/lab2/tests_rounding.h"
#include "tensor/machine/parallel.h"
#include "tensor/product/gemm.h"
#include "tensor/reference/matmul.h"

LAB_PROBE("2.1") { return fixed_product<double>(reference::gemm<double>, 0, 0, 0, 1, 0); }
LAB_PROBE("2.1") { return fixed_product<double>(reference::gemm<double>, 1, 0, 0, 1, 0); }
LAB_PROBE("2.1") { return fixed_product<double>(reference::gemm<double>, 0, 3, 0, 1, 0); }
LAB_PROBE("2.1") { return fixed_product<double>(reference::gemm<double>, 0, 0, 1, 0.5, 2); }
LAB_PROBE("2.1") { return fixed_product<double>(reference::gemm<double>, 2, 1, 0, 1, 0, NAN); }
LAB_PROBE("2.1") {
  std::vector<float> a(3000, 0.1f), b(3000, 1), c{0};
  reference::gemm<float>(1, {a.data(), 1, 3000, 3000, 1}, {b.data(), 3000, 1, 1, 1}, 0, {c.data(), 1, 1, 1, 1});
  return lab::digits(std::vector<double>{c[0]}, 7);
}

TEST_SUITE("2.1") {
  TEST_CASE("by hand: [1 2; 3 4] [5 6; 7 8] = [19 22; 43 50]") {
    const std::vector<double> a{1, 2, 3, 4}, b{5, 6, 7, 8};
    std::vector<double> c(4, 0);
    reference::gemm<double>(1, {a.data(), 2, 2, 2, 1}, {b.data(), 2, 2, 2, 1}, 0, {c.data(), 2, 2, 2, 1});
    CHECK(c == std::vector<double>{19, 22, 43, 50});
  }
  TEST_CASE("any strides of all three matrices, any alpha and beta") {
    CHECK(layouts_difference<double>(reference::gemm<double>, 101, 1e-13) == "");
    CHECK(layouts_difference<float>(reference::gemm<float>, 102, 1e-5) == "");
  }
  TEST_CASE("with beta = 0 a NaN in C is overwritten") {
    CHECK(nan_difference<double>(reference::gemm<double>, 3, 5, 4, 103) == "");
  }
  TEST_CASE("without depth (k = 0) the product is 0 and only beta C is left") {
    lab::Dice dice(104);
    Matrix<double> a(3, 0, 0, dice), b(0, 4, 0, dice), c(3, 4, 2, dice);
    const std::vector<double> wanted = product(1, a, b, 0.5, c);
    reference::gemm<double>(1, a.input(), b.input(), 0.5, c.view);
    CHECK(wrong_in(c, wanted, 1e-13) == "");
  }
  TEST_CASE("long sums of floats are added up in double") {
    std::vector<float> a(200000, 0.1f), b(200000, 1), c{0};
    reference::gemm<float>(1, {a.data(), 1, 200000, 200000, 1}, {b.data(), 200000, 1, 1, 1}, 0, {c.data(), 1, 1, 1, 1});
    CHECK(c[0] == doctest::Approx(20000).epsilon(1e-6));
  }
}

namespace {

// C [m, n] = alpha A B + beta C with a long depth by gemm_blis(), which cuts the depth; as text of bits.
std::string bits_of_long_product(int threads, int64_t k, uint64_t stream) {
  lab::Dice dice(stream);
  Matrix<float> a(12, k, 0, dice), b(k, 20, 0, dice), c(12, 20, 0, dice);
  const int before = num_threads();
  set_num_threads(threads);
  gemm_blis<float>(1, a.input(), b.input(), 0.5f, c.view);
  set_num_threads(before);
  std::string text;
  for (int64_t i = 0; i < 240; ++i) text += cat(std::bit_cast<uint32_t>(c.at(i / 20, i % 20)), " ");
  return text;
}

template <class T>
std::string long_difference(int64_t m, int64_t n, int64_t k, int layout, double alpha, double beta, double tolerance) {
  lab::Dice dice(141);
  Matrix<T> a(m, k, layout, dice), b(k, n, (layout + 1) % 4, dice), c(m, n, (layout + 2) % 4, dice);
  const std::vector<double> wanted = product(alpha, a, b, beta, c);
  gemm_blis<T>(static_cast<T>(alpha), a.input(), b.input(), static_cast<T>(beta), c.view);
  return wrong_in(c, wanted, tolerance);
}

// For how many pieces the product of a long depth has the very bits of their products, added up in order. 0: for no number.
int64_t pieces_of_long_product() {
  const int64_t m = 12, n = 20, k = 4099;
  lab::Dice dice(144);
  Matrix<float> a(m, k, 0, dice), b(k, n, 0, dice), c(m, n, 0, dice);
  gemm_blis<float>(1, a.input(), b.input(), 0, c.view);
  for (int64_t pieces = 2; pieces <= 64; ++pieces) {
    std::vector<float> sum(static_cast<size_t>(m * n)), product(sum);
    for (int64_t d = 0; d < pieces; ++d) {
      const int64_t begin = k * d / pieces, end = k * (d + 1) / pieces;
      gemm_serial<float>(1, a.input().block(0, m, begin, end - begin), b.input().block(begin, end - begin, 0, n), 0,
                         {product.data(), m, n, n, 1});
      for (size_t i = 0; i < sum.size(); ++i) sum[i] = d == 0 ? product[i] : sum[i] + product[i];
    }
    int64_t other = 0;
    for (int64_t i = 0; i < m * n; ++i) other += sum[static_cast<size_t>(i)] != c.at(i / n, i % n);
    if (other == 0) return pieces;
  }
  return 0;
}

std::string probe_long(double alpha, double beta, double old, int layout) {
  const int64_t m = 12, n = 20, k = 2051;
  lab::Dice dice(1);
  Matrix<double> a(m, k, 0, dice), b(k, n, 0, dice), c(m, n, layout, dice);
  for (int64_t i = 0; i < m * k; ++i) a.view.data[i] = static_cast<double>(i % 13 - 5) / 8;
  for (int64_t i = 0; i < k * n; ++i) b.view.data[i] = static_cast<double>(i % 7 + 1) / 8;
  for (int64_t i = 0; i < m * n; ++i) c.at(i / n, i % n) = old;
  gemm_blis<double>(alpha, a.input(), b.input(), beta, c.view);
  return lab::digits(std::vector<double>{c.at(0, 0), c.at(1, 0), c.at(0, 1), c.at(11, 19)}, 5) + cat(c.damage(), " ");
}

}  // namespace

LAB_PROBE("2.4") { return probe_long(1, 0, 1, 0); }
LAB_PROBE("2.4") { return probe_long(0.5, 2, 64, 0); }
LAB_PROBE("2.4") { return probe_long(1, 0, NAN, 0); }
LAB_PROBE("2.4") { return probe_long(1, 1, 8, 3); }
LAB_PROBE("2.4") { return cat(pieces_of_long_product() > 1); }
LAB_PROBE("2.4") { return cat(bits_of_long_product(1, 4099, 9) == bits_of_long_product(3, 4099, 9)); }

TEST_SUITE("2.4") {
  TEST_CASE("the product of a small C and a long depth, in float and double") {
    CHECK(long_difference<float>(12, 20, 4099, 0, 1, 0, 1e-4) == "");
    CHECK(long_difference<double>(12, 20, 4099, 0, 1, 0, 1e-11) == "");
    CHECK(long_difference<double>(3, 50, 2000, 1, 1, 0, 1e-11) == "");
  }
  TEST_CASE("alpha and beta count once each, whatever the number of pieces, for any strides of C") {
    for (int layout = 0; layout < 4; ++layout) CHECK(long_difference<double>(12, 20, 4099, layout, -0.7, 1.5, 1e-11) == "");
  }
  TEST_CASE("with beta = 0 a NaN in C is overwritten") {
    CHECK(nan_difference<float>(gemm_serial<float>, 2, 2, 2, 142) == "");
    lab::Dice dice(143);
    Matrix<double> a(12, 3000, 0, dice), b(3000, 20, 0, dice), c(12, 20, 0, dice);
    const std::vector<double> wanted = product(1, a, b, 0, c);
    for (int64_t i = 0; i < 240; ++i) c.at(i / 20, i % 20) = NAN;
    gemm_blis<double>(1, a.input(), b.input(), 0, c.view);
    CHECK(wrong_in(c, wanted, 1e-11) == "");
  }
  TEST_CASE("piece d goes from K d / D to K (d + 1) / D, rounded down, and the pieces are added up in order") {
    const int64_t pieces = pieces_of_long_product();
    CHECK_MESSAGE(pieces > 1, "K = 4099: for no number D of pieces with these borders has C the bits of their sum");
  }
  TEST_CASE("the same bits for 1, 2, 3, 4 and 8 threads") {
    for (const uint64_t stream : {151u, 152u}) {
      const std::string one = bits_of_long_product(1, 4099, stream);
      int64_t other = 0;
      for (const int threads : {2, 3, 4, 8}) other += bits_of_long_product(threads, 4099, stream) != one;
      CHECK(other == 0);
    }
  }
}

LAB_PROBE("2.5") { return fixed_product<double>(gemm_serial<double>, 0, 0, 0, 1, 0); }
LAB_PROBE("2.5") { return fixed_product<double>(gemm_serial<double>, 1, 0, 0, 1, 0); }
LAB_PROBE("2.5") { return fixed_product<double>(gemm_serial<double>, 0, 1, 0, 1, 0); }
LAB_PROBE("2.5") { return fixed_product<double>(gemm_serial<double>, 0, 0, 1, 0.5, 2); }
LAB_PROBE("2.5") {
  return fixed_product<float>(gemm_serial<float>, 2, 3, 2, 0.5f, 2) + fixed_product<float>(gemm_serial<float>, 0, 0, 0, 1, 0);
}

TEST_SUITE("2.5") {
  TEST_CASE("rows, columns and gaps: any strides of all three matrices, in float and double") {
    CHECK(layouts_difference<double>(gemm_serial<double>, 161, 1e-12) == "");
    CHECK(layouts_difference<float>(gemm_serial<float>, 162, 1e-5) == "");
  }
  TEST_CASE("a transposed view is two strides exchanged: A^T A is symmetric, and no copy is made") {
    lab::Dice dice(163);
    Matrix<double> a(9, 5, 2, dice), c(5, 5, 0, dice);
    gemm_serial<double>(1, a.input().transposed(), a.input(), 0, c.view);
    int64_t wrong = 0;
    for (int64_t i = 0; i < 5; ++i) {
      for (int64_t j = 0; j < 5; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < 9; ++k) sum += a.at(k, i) * a.at(k, j);
        wrong += std::abs(c.at(i, j) - sum) > 1e-12 || std::abs(c.at(i, j) - c.at(j, i)) > 1e-12;
      }
    }
    CHECK(wrong == 0);
  }
  TEST_CASE("larger sizes, which BLIS cuts into blocks") {
    lab::Dice dice(164);
    Matrix<float> a(130, 70, 1, dice), b(70, 90, 3, dice), c(130, 90, 0, dice);
    const std::vector<double> wanted = product(1.5, a, b, -0.5, c);
    gemm_serial<float>(1.5f, a.input(), b.input(), -0.5f, c.view);
    CHECK(wrong_in(c, wanted, 1e-5) == "");
  }
  TEST_CASE("with beta = 0 a NaN in C is overwritten") {
    CHECK(nan_difference<float>(gemm_serial<float>, 6, 5, 4, 165) == "");
    CHECK(nan_difference<double>(gemm_serial<double>, 6, 5, 4, 166) == "");
  }
}
