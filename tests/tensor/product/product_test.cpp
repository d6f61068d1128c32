// Our own product kernels against BLIS in f64, over odd shapes, the three layouts of training, and both precisions.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tensor/machine/bf16.h"
#include "tensor/machine/flops.h"
#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "tensor/product/gemm.h"
#include "tensor/product/pack.h"
#include "tensor/product/product.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

MatrixView<const float> view(const Tensor& x) { return {x.data<float>(), x.size(0), x.size(1), x.stride(0), x.stride(1)}; }

Tensor random(const Shape& shape, uint64_t seed) { return rand_normal(shape, 0, 1, Rng(seed)); }

Tensor rounded_to_bf16(const Tensor& x) {
  std::vector<float> values = to_vector<float>(x);
  for (float& v : values) v = detail::value_of(detail::to_bf16(v));
  return from_vector(values, x.shape());
}

// The operands as training has them: x W^T, dy W, dy^T x.
enum class Layout { kForward, kInput, kWeight };

struct Operands {
  Operands(Layout layout, int64_t m, int64_t n, int64_t k, uint64_t seed)
      : a(layout == Layout::kWeight ? transpose(random({k, m}, seed)) : random({m, k}, seed)),
        b(layout == Layout::kForward ? transpose(random({n, k}, seed + 1)) : random({k, n}, seed + 1)) {}
  Tensor a, b;
};

// max |own - f64| / (sum |a| |b|), the bound's own unit.
double relative_error(const Tensor& own, const Tensor& a, const Tensor& b) {
  const Tensor a64 = to(a, Dtype::f64), b64 = to(b, Dtype::f64);
  const Tensor exact = matmul(a64, b64), scale = matmul(abs(a64), abs(b64));
  return max(div(abs(sub(to(own, Dtype::f64), exact)), scale + 1e-30)).item();
}

Tensor own_product(const Tensor& a, const Tensor& b, Precision precision) {
  Tensor c = full({a.size(0), b.size(1)}, NAN);  // beta 0 must not read it
  detail::product(view(a), view(b), 0, {c.mutable_data<float>(), c.size(0), c.size(1), c.size(1), 1}, {}, precision);
  return c;
}

constexpr int64_t kShapes[][3] = {{8, 8, 4096}, {97, 33, 129},   {13, 192, 192}, {197, 65, 7},   {577, 80, 64},   {1, 16, 16},
                                  {6, 15, 1},   {100, 513, 321}, {65, 700, 641}, {31, 17, 1000}, {200, 1100, 970}};

// Normal numbers of every size and sign, a third of them ties or next to one, with an infinity and a NaN among them.
Tensor awkward_numbers(int64_t rows, int64_t cols) {
  std::vector<float> values;
  uint32_t state = 12345;
  for (int64_t i = 0; i < rows * cols; ++i) {
    state = state * 1664525u + 1013904223u;
    const uint32_t random = state ^ (state >> 15), exponent = 1 + random % 253;
    uint32_t bits = (random & 0x807f0000u) | exponent << 23 | (state & 0xffffu);
    if (i % 3 == 0) bits = (bits & 0xffff0000u) | (0x7fffu + static_cast<uint32_t>(i / 3 % 3));
    values.push_back(std::bit_cast<float>(bits));
  }
  values[7] = -INFINITY;
  values[8] = NAN;
  return from_vector(values, {rows, cols});
}

// Whether `pair` is the numbers at x and `next` behind it (or zero where there is none), rounded.
bool is_rounded_pair(uint32_t pair, const float* x, int64_t next, bool both) {
  const auto same = [](uint16_t bits, float wanted) {
    return std::isnan(wanted) ? std::isnan(detail::value_of(Bf16{bits})) : bits == detail::to_bf16(wanted).bits;
  };
  return same(static_cast<uint16_t>(pair), *x) && same(static_cast<uint16_t>(pair >> 16), both ? x[next] : 0.0f);
}

}  // namespace

TEST_CASE("our products agree with f64 at odd sizes, in every layout and precision") {
  if (!detail::has_product_kernels()) {
    MESSAGE("skipped: this processor has no micro-kernels (AVX2)");
    return;
  }
  uint64_t seed = 0;
  for (const auto& shape : kShapes) {
    const int64_t m = shape[0], n = shape[1], k = shape[2];
    for (const Layout layout : {Layout::kForward, Layout::kInput, Layout::kWeight}) {
      const Operands o(layout, m, n, k, seed += 2);
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      CAPTURE(static_cast<int>(layout));
      CHECK(relative_error(own_product(o.a, o.b, Precision::kF32), o.a, o.b) < 1e-6);
      const Tensor half = own_product(o.a, o.b, Precision::kBf16);
      // Rounding the operands is all that bf16 does ...
      CHECK(relative_error(half, rounded_to_bf16(o.a), rounded_to_bf16(o.b)) < 1e-6);
      // ... and costs at most 2^-8 for each of the two.
      CHECK(relative_error(half, o.a, o.b) < 1.01 / 128);
    }
  }
}

TEST_CASE("a bf16 product has the error that was measured for it: a quarter of a percent of the result's size") {
  const Operands o(Layout::kForward, 200, 200, 768, 1);
  const Tensor exact = matmul(to(o.a, Dtype::f64), to(o.b, Dtype::f64));
  Tensor half = zeros({200, 200});
  gemm<float>(1, view(o.a), view(o.b), 0, {half.mutable_data<float>(), 200, 200, 200, 1}, {}, Precision::kBf16);
  const double error = std::sqrt(mean(square(sub(to(half, Dtype::f64), exact))).item() / mean(square(exact)).item());
  CHECK(error < 3e-3);
  if (detail::has_product_kernels()) CHECK(error > 1e-3);  // and the precision was not ignored
}

TEST_CASE("beta adds to what is there, and a block of a larger matrix is left alone around it") {
  const Operands o(Layout::kInput, 100, 130, 700, 3);
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    Tensor c = full({140, 150}, 2);
    MatrixView<float> all{c.mutable_data<float>(), 140, 150, 150, 1};
    gemm<float>(1, view(o.a), view(o.b), 1, all.block(20, 100, 10, 130), {}, precision);
    Tensor alone = zeros({100, 130});
    gemm<float>(1, view(o.a), view(o.b), 0, {alone.mutable_data<float>(), 100, 130, 130, 1}, {}, precision);
    Tensor wanted = full({140, 150}, 2);
    copy_(slice(slice(wanted, 0, 20, 120), 1, 10, 140), add(alone, 2.0));
    CHECK(max(abs(sub(c, wanted))).item() < 1e-4);
    CHECK(max(abs(sub(slice(c, 0, 0, 20), 2.0))).item() == 0);
    CHECK(max(abs(sub(slice(c, 1, 140, 150), 2.0))).item() == 0);
  }
}

TEST_CASE("the epilogue sees every element once, finished") {
  for (const int64_t depth : {64L, 900L, 4000L}) {  // one depth block, several, and a right operand packed in pieces
    const Operands o(Layout::kForward, 150, 600, depth, 5);
    Tensor c = zeros({150, 600}), seen = zeros({150, 600});
    float *out = c.mutable_data<float>(), *count = seen.mutable_data<float>();
    gemm<float>(1, view(o.a), view(o.b), 0, {out, 150, 600, 600, 1}, [=](int64_t r0, int64_t r1, int64_t c0, int64_t c1) {
      for (int64_t i = r0; i < r1; ++i) {
        for (int64_t j = c0; j < c1; ++j) out[i * 600 + j] = -out[i * 600 + j], count[i * 600 + j] += 1;
      }
    });
    Tensor plain = zeros({150, 600});
    gemm<float>(1, view(o.a), view(o.b), 0, {plain.mutable_data<float>(), 150, 600, 600, 1});
    CHECK(bit_equal(neg(c), plain));
    CHECK(bit_equal(seen, ones({150, 600})));
  }
}

TEST_CASE("our products have the same bits for 1, 2 and 4 threads") {
  const int before = num_threads();
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    for (const Layout layout : {Layout::kForward, Layout::kInput, Layout::kWeight}) {
      const Operands o(layout, 197, 384, 1536, 7);
      std::vector<Tensor> results;
      for (const int threads : {1, 2, 4}) {
        set_num_threads(threads);
        Tensor c = zeros({197, 384});
        gemm<float>(1, view(o.a), view(o.b), 0, {c.mutable_data<float>(), 197, 384, 384, 1}, {}, precision);
        results.push_back(c);
      }
      CHECK(bit_equal(results[0], results[1]));
      CHECK(bit_equal(results[0], results[2]));
    }
  }
  set_num_threads(before);
}

TEST_CASE("NaN and infinity go through our products") {
  const Operands o(Layout::kForward, 64, 64, 256, 9);
  Tensor a = clone(o.a);
  a.mutable_data<float>()[3 * 256 + 5] = NAN;
  a.mutable_data<float>()[4 * 256 + 5] = INFINITY;
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    Tensor c = zeros({64, 64});
    gemm<float>(1, view(a), view(o.b), 0, {c.mutable_data<float>(), 64, 64, 64, 1}, {}, precision);
    CHECK(std::isnan(c.at({3, 10})));
    CHECK(std::isinf(c.at({4, 10})));
    CHECK(std::isfinite(c.at({5, 10})));
  }
}

TEST_CASE("rounding to bf16 is to nearest, ties to even") {
  const auto round = [](float x) { return detail::value_of(detail::to_bf16(x)); };
  CHECK(round(1.0f) == 1.0f);
  CHECK(round(1.0f + 1.0f / 256) == 1.0f);               // a tie, to the even 1
  CHECK(round(1.0f + 3.0f / 256) == 1.0f + 4.0f / 256);  // a tie, to the even upper neighbour
  CHECK(round(1.0f + 1.01f / 256) == 1.0f + 2.0f / 256);
  CHECK(round(-1.0f - 1.01f / 256) == -1.0f - 2.0f / 256);
  CHECK(round(std::numeric_limits<float>::max()) == INFINITY);
  CHECK(round(-INFINITY) == -INFINITY);
  CHECK(std::isnan(round(NAN)));
  CHECK(std::isnan(round(std::bit_cast<float>(0x7f800001u))));  // a NaN whose upper half alone would be infinity
  CHECK(std::isnan(round(std::bit_cast<float>(0xffffffffu))));
  CHECK(round(std::bit_cast<float>(0x00010000u)) == std::bit_cast<float>(0x00010000u));  // subnormal
  CHECK(std::signbit(round(-0.0f)));
}

// The vector paths, and the processor's own rounding where the build has it, against the definition.
TEST_CASE("packing to bf16 rounds every number to nearest, ties to even, in every layout") {
  constexpr auto kPair = Precision::kBf16;
  for (const int64_t depth : {1, 2, 31, 64, 97}) {
    const int64_t steps = detail::steps_of(depth, kPair);
    for (const int64_t extent : {1, 5, 11, 33, 64}) {
      const Tensor rows = awkward_numbers(std::max<int64_t>(extent, 3), std::max<int64_t>(depth, 3));
      const Tensor by_rows = contiguous(slice(slice(rows, 0, 0, extent), 1, 0, depth));  // [extent, depth]
      const Tensor by_depth = contiguous(transpose(by_rows));                            // [depth, extent]
      const MatrixView<const float> along = view(by_rows), across = view(by_depth).transposed();
      const auto wrong = [&](uint32_t pair, int64_t i, int64_t step) {
        return !is_rounded_pair(pair, by_rows.data<float>() + i * depth + 2 * step, 1, 2 * step + 1 < depth);
      };
      int64_t bad = 0;
      for (const int64_t group : {4, 6, 12, 14}) {
        for (const auto& a : {along, across}) {
          std::vector<uint32_t> scratch(static_cast<size_t>(detail::grouped_rows_size(extent, group, depth, kPair)));
          const detail::LeftOperand packed = detail::group_rows(a, group, kPair, scratch.data());
          for (int64_t i = 0; i < extent; ++i) {
            const uint32_t* first = packed.group(i / group * group) + i % group * packed.row_step;
            for (int64_t step = 0; step < steps; ++step) bad += wrong(first[step * packed.depth_step], i, step);
          }
        }
      }
      for (const int64_t width : {16, 32}) {
        for (const auto& b : {along.transposed(), across.transposed()}) {
          const int64_t panels = (extent + width - 1) / width;
          std::vector<uint32_t> out(static_cast<size_t>(panels * steps * width), 1);
          detail::pack_panels(b, width, kPair, steps * width, out.data());
          for (int64_t step = 0; step < steps; ++step) {
            for (int64_t i = 0; i < panels * width; ++i) {
              const uint32_t pair = out[static_cast<size_t>((i / width * steps + step) * width + i % width)];
              bad += i < extent ? wrong(pair, i, step) : pair != 0;
            }
          }
        }
      }
      CAPTURE(depth);
      CAPTURE(extent);
      CHECK(bad == 0);
    }
  }
}

TEST_CASE("a product counts its operations") {
  const Operands o(Layout::kForward, 100, 200, 300, 11);
  Tensor c = zeros({100, 200});
  const int64_t before = counted_flops();
  gemm<float>(1, view(o.a), view(o.b), 0, {c.mutable_data<float>(), 100, 200, 200, 1});
  CHECK(counted_flops() - before == 2 * 100 * 200 * 300);
}

// C = A B by one micro-kernel, where A has as many rows as the kernel or fewer and B as many columns as a panel.
void check_micro_kernel(const detail::MicroKernel& kernel, const detail::MultiplyTile* multiply, Precision precision,
                        MatrixView<const float> a, const Tensor& a_values, const Tensor& b) {
  const int64_t depth = a.cols, width = b.size(1), steps = detail::steps_of(depth, precision);
  std::vector<uint32_t> rows(static_cast<size_t>(detail::grouped_rows_size(a.rows, kernel.rows, depth, precision)));
  std::vector<uint32_t> panel(static_cast<size_t>(steps * width));
  const detail::LeftOperand group = detail::group_rows(a, kernel.rows, precision, rows.data());
  detail::pack_panels(view(b), width, precision, steps * width, panel.data());
  for (const bool accumulate : {true, false}) {
    Tensor c = full({a.rows + 1, width}, 1);
    multiply[a.rows - 1](steps, group.group(0), group.row_step, group.depth_step, panel.data(), c.mutable_data<float>(), width,
                         accumulate);
    const Tensor product = slice(c, 0, 0, a.rows);
    CHECK(relative_error(accumulate ? sub(product, 1.0) : product, a_values, b) < 2e-6);
    CHECK(to_vector<float>(slice(c, 0, a.rows, a.rows + 1)) == std::vector<float>(static_cast<size_t>(width), 1.0f));
  }
}

// Every kernel that this processor runs, not only the one that is chosen; rows as they lie and interleaved.
TEST_CASE("each micro-kernel multiplies one to all of its rows by a panel") {
#if defined(__x86_64__)
  __builtin_cpu_init();
  std::vector<std::pair<const detail::MicroKernel*, Precision>> kernels;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
      kernels.emplace_back(detail::micro_kernel_avx2(precision), precision);
    if (avx512) kernels.emplace_back(detail::micro_kernel_avx512(precision), precision);
  }
  if (avx512 && __builtin_cpu_supports("avx512bf16"))
    kernels.emplace_back(detail::micro_kernel_avx512_bf16(), Precision::kBf16);
  int ran = 0;
  for (const auto& [kernel, precision] : kernels) {
    if (!kernel) continue;
    ++ran;
    for (int64_t height = 1; height <= kernel->rows; ++height) {
      const int64_t depth = 37;
      const Tensor a = rounded_to_bf16(random({height, depth}, 13)), b = rounded_to_bf16(random({depth, kernel->cols}, 14));
      check_micro_kernel(*kernel, kernel->multiply, precision, view(a), a, b);
      const Tensor columns = contiguous(transpose(a, 0, 1));  // read as dy^T is: a column of A is contiguous
      check_micro_kernel(*kernel, kernel->multiply, precision, view(columns).transposed(), a, b);
      if (!kernel->multiply_narrow) continue;
      const Tensor narrow = contiguous(slice(b, 1, 0, detail::MicroKernel::kNarrow));
      check_micro_kernel(*kernel, kernel->multiply_narrow, precision, view(a), a, narrow);
    }
  }
  MESSAGE("ran ", ran, " micro-kernels");
#endif
}
