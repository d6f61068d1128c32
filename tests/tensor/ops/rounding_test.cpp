// Numbers rounded to bf16 before the products that read them: the same bits as numbers rounded while packing.
#include "tensor/ops/rounding.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tensor/machine/bf16.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/ops/linear.h"
#include "tensor/product/pack.h"
#include "tensor/product/product.h"
#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

namespace {

Tensor random(const Shape& shape, uint64_t seed) { return rand_normal(shape, 0, 1, Rng(seed)); }

template <class T>
MatrixView<const T> view(const Tensor& x) {
  return {x.data<T>(), x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

Tensor product_of(detail::Operand a, detail::Operand b) {
  Tensor c = full({a.rows(), b.cols()}, NAN);
  detail::product(a, b, 0, {c.mutable_data<float>(), c.size(0), c.size(1), c.size(1), 1}, {}, Precision::kBf16);
  return c;
}

}  // namespace

TEST_CASE("round_to_bf16 is the rounding of one number, and widening gives it back") {
  for (const Shape& shape : {Shape{3, 5, 37}, Shape{1, 1}, Shape{0, 7}, Shape{7, 0}, Shape{}, Shape{64, 192}}) {
    const Tensor x = random(shape, 1) * 1e3, rounded = round_to_bf16(x), wide = widen_bf16(rounded);
    CHECK(rounded.dtype() == Dtype::bf16);
    const std::vector<float> before = to_vector<float>(x), after = to_vector<float>(wide);
    for (size_t i = 0; i < before.size(); ++i) CHECK(after[i] == detail::value_of(detail::to_bf16(before[i])));
    CHECK(bit_equal(to(to(x, Dtype::bf16), Dtype::f32), wide));
  }
  const std::vector<float> special = to_vector<float>(
      widen_bf16(round_to_bf16(from_vector(std::vector<float>{INFINITY, -INFINITY, NAN, 3e38f, 3.4e38f, -0.0f}, {6}))));
  CHECK(special[0] == INFINITY);
  CHECK(special[1] == -INFINITY);
  CHECK(std::isnan(special[2]));
  CHECK(std::isfinite(special[3]));
  CHECK(special[4] == INFINITY);  // nearer to 2^128 than to the largest bf16
  CHECK(std::signbit(special[5]));
}

TEST_CASE("round_to_bf16 adds up columns as they were, in the same pass and for any number of threads") {
  for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{4160, 192}, {1, 33}, {13, 1}, {0, 5}, {700, 1030}}) {
    const Tensor x = random({rows, cols}, 2) + 1.0;
    Tensor sums, of_rounded;
    const Tensor rounded = round_to_bf16(x, &sums);
    const Tensor exact = sum(to(x, Dtype::f64), {0});
    CHECK(max(abs(sub(to(sums, Dtype::f64), exact))).item() <= 1e-6 * static_cast<double>(rows));
    round_to_bf16(rounded, &of_rounded);
    const Tensor exact_rounded = sum(to(widen_bf16(rounded), Dtype::f64), {0});
    CHECK(max(abs(sub(to(of_rounded, Dtype::f64), exact_rounded))).item() <= 1e-6 * static_cast<double>(rows));
    const int threads = num_threads();
    set_num_threads(1);
    Tensor alone;
    round_to_bf16(x, &alone);
    set_num_threads(threads);
    CHECK(bit_equal(alone, sums));
  }
}

TEST_CASE("round_to_bf16 with a factor per sample has the bits of multiplying first, its column sums too") {
  for (const Shape& shape : {Shape{3, 65, 192}, Shape{5, 7}, Shape{2, 3, 4, 5}, Shape{0, 3}, Shape{3, 0, 2}}) {
    Shape each = shape;
    for (int axis = 1; axis < each.size(); ++axis) each[axis] = 1;
    const Tensor x = random(shape, 21), samples = random(each, 22), scaled = mul(x, samples);
    Tensor sums, wanted_sums;
    CHECK(bit_equal(round_to_bf16(x, &sums, &samples), round_to_bf16(scaled, &wanted_sums)));
    CHECK(bit_equal(sums, wanted_sums));
    const Tensor rounded = round_to_bf16(x);
    CHECK(bit_equal(round_to_bf16(rounded, nullptr, &samples), round_to_bf16(mul(widen_bf16(rounded), samples))));
  }
  const Tensor samples = random({2, 1}, 23);
  CHECK(refuses([&] { round_to_bf16(zeros({3, 4}), nullptr, &samples); }, ErrorKind::kShape, "samples is [2, 1], x is [3, 4]"));
}

TEST_CASE("rounded numbers are for products: whoever wants to calculate with them is told how") {
  const Tensor x = round_to_bf16(random({2, 3}, 3));
  CHECK(refuses([&] { add(x, x); }, ErrorKind::kValue, "dtype is bf16"));
  CHECK(refuses([&] { sum(x); }, ErrorKind::kValue, "to(x, Dtype::f32)"));
  CHECK(refuses([&] { round_to_bf16(zeros({2}, Dtype::f64)); }, ErrorKind::kValue, "f64"));
  Tensor sums;
  CHECK(refuses([&] { round_to_bf16(zeros({}), &sums); }, ErrorKind::kShape, "columns"));
}

TEST_CASE("a product of rounded operands has the bits of the product that rounds, in every layout") {
  if (!detail::has_product_kernels()) return;
  constexpr int64_t kShapes[][3] = {{97, 65, 130}, {197, 192, 768}, {33, 40, 1055}, {14, 8, 2049}, {65, 96, 63}, {16, 9, 2048}};
  for (const auto& shape : kShapes) {
    const int64_t m = shape[0], n = shape[1], k = shape[2];
    CAPTURE(m);
    CAPTURE(k);
    const Tensor a = random({m, k}, 4), b = random({k, n}, 5), at = contiguous(transpose(a)), bt = contiguous(transpose(b));
    const Tensor wanted = product_of(view<float>(a), view<float>(b));
    const Tensor ra = round_to_bf16(a), rb = round_to_bf16(b), rat = round_to_bf16(at), rbt = round_to_bf16(bt);
    CHECK(bit_equal(product_of(view<Bf16>(ra), view<float>(b)), wanted));
    CHECK(bit_equal(product_of(view<float>(a), view<Bf16>(rb)), wanted));
    CHECK(bit_equal(product_of(view<Bf16>(ra), view<Bf16>(rb)), wanted));
    CHECK(bit_equal(product_of(view<Bf16>(rat).transposed(), view<Bf16>(rb)), wanted));
    CHECK(bit_equal(product_of(view<Bf16>(ra), view<Bf16>(rbt).transposed()), wanted));
    // A block that begins in the middle of a pair and of a row.
    const Tensor inner = product_of(view<float>(a).block(1, m - 1, 1, k - 1), view<float>(b).block(1, k - 1, 1, n - 1));
    CHECK(bit_equal(product_of(view<Bf16>(ra).block(1, m - 1, 1, k - 1), view<Bf16>(rb).block(1, k - 1, 1, n - 1)), inner));
    CHECK(bit_equal(
        product_of(view<Bf16>(rat).transposed().block(1, m - 1, 1, k - 1), view<float>(b).block(1, k - 1, 1, n - 1)), inner));
    Tensor tiles = full({m, n}, NAN);
    float* out = tiles.mutable_data<float>();
    detail::product_tiles(view<Bf16>(ra), detail::PackedMatrix(view<float>(b), Precision::kBf16),
                          [&](int64_t row, int64_t col, MatrixView<float> tile) {
                            for (int64_t i = 0; i < tile.rows; ++i)
                              std::copy_n(tile.data + i * tile.row_stride, tile.cols, out + (row + i) * n + col);
                          });
    CHECK(bit_equal(tiles, wanted));
  }
}

TEST_CASE("linear functions of rounded numbers have the bits of those that round, and small ones stay f32") {
  const LinearOptions bf16{Precision::kBf16};
  for (const int64_t rows : {3, 200}) {
    const Tensor x = random({rows, 96}, 6), w = random({128, 96}, 7), b = random({128}, 8), dy = random({rows, 128}, 9);
    const Tensor rx = round_to_bf16(x), rdy = round_to_bf16(dy), residual = random({rows, 128}, 10);
    const bool rounds = rounds_operands(x, 128, Precision::kBf16);
    CHECK(rounds == (rows == 200 && detail::has_product_kernels()));
    CHECK(!rounds_operands(x, 128, Precision::kF32));
    // Where the product does not round, it reads the rounded numbers.
    const Tensor x_read = rounds ? x : widen_bf16(rx), dy_read = rounds ? dy : widen_bf16(rdy);
    CHECK(bit_equal(linear(rx, w, b, bf16), linear(x_read, w, b, bf16)));
    CHECK(bit_equal(linear_add(rx, w, b, residual, {}, bf16), linear_add(x_read, w, b, residual, {}, bf16)));
    CHECK(bit_equal(linear_backward_input(rdy, w, Precision::kBf16), linear_backward_input(dy_read, w, Precision::kBf16)));
    CHECK(bit_equal(linear_backward_weight(rdy, rx, Precision::kBf16),
                    linear_backward_weight(dy_read, x_read, Precision::kBf16)));
    if (!rounds) continue;
    CHECK(bit_equal(linear_rounded(x, w, b), round_to_bf16(linear(x, w, b, bf16))));
    CHECK(bit_equal(linear_rounded(rx, w), round_to_bf16(linear(x, w, {}, bf16))));
    Tensor slope, rounded_slope;
    const Tensor h = linear_gelu(x, w, b, {.slope = &slope}, bf16), rounded = linear_gelu_rounded(rx, w, b, &rounded_slope);
    CHECK(bit_equal(rounded, round_to_bf16(h)));
    CHECK(bit_equal(rounded_slope, round_to_bf16(slope)));
    for (int time = 0; time < 2; ++time) {  // packed and kept, then from what was kept
      CHECK(bit_equal(linear_gelu_rounded(x, w, b, nullptr, /*keep_packed=*/true), rounded));
      CHECK(bit_equal(linear_rounded(x, w, b, /*keep_packed=*/true), linear_rounded(x, w, b)));
    }
    const Tensor dh = random({rows, 128}, 11), w2 = random({128, 128}, 12), read_slope = widen_bf16(rounded_slope);
    CHECK(bit_equal(linear_backward_input_rounded(dh, w2, rounded_slope),
                    round_to_bf16(linear_backward_input(dh, w2, Precision::kBf16, &read_slope))));
  }
  CHECK(refuses([] { linear(round_to_bf16(zeros({2, 3})), zeros({4, 3}, Dtype::f64)); }, ErrorKind::kValue, "dtypes differ"));
}

TEST_CASE("layer_norm writes its output rounded on request") {
  const Tensor x = random({50, 193}, 13), w = random({193}, 14), b = random({193}, 15);
  const LayerNormResult plain = layer_norm_forward(x, w, b, 1e-6), rounded = layer_norm_forward(x, w, b, 1e-6, true);
  CHECK(bit_equal(rounded.output, round_to_bf16(plain.output)));
  CHECK(bit_equal(rounded.mean, plain.mean));
  CHECK(bit_equal(rounded.rstd, plain.rstd));
  CHECK(refuses([&] { layer_norm_forward(to(x, Dtype::f64), {}, {}, 1e-6, true); }, ErrorKind::kValue, "only f32"));
}
