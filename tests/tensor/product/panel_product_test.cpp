// Products of packed panels, as inside an attention head, against BLIS in f64.
#include "tensor/product/panel_product.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "tensor/ops.h"
#include "tensor/product/product.h"
#include "tensor/rng.h"

using namespace vitrail;

namespace {

MatrixView<const float> view(const Tensor& x) { return {x.data<float>(), x.size(0), x.size(1), x.stride(0), x.stride(1)}; }

// Numbers that bf16 holds exactly, so that both precisions have one right result.
Tensor short_numbers(const Shape& shape, uint64_t seed) {
  Tensor x = rand_normal(shape, 0, 1, Rng(seed));
  float* values = x.mutable_data<float>();
  for (int64_t i = 0; i < x.numel(); ++i) values[i] = std::round(values[i] * 16) / 16;
  return x;
}

constexpr int64_t kSizes[] = {1, 5, 16, 17, 33, 48, 65, 80};

void check_product(const detail::PanelProduct& product, const Tensor& a, const Tensor& b) {
  const int64_t rows = a.size(0), depth = a.size(1), cols = b.size(1), padded = detail::padded_cols(cols);
  CAPTURE(to_string(a.shape()));
  CAPTURE(cols);
  std::vector<uint32_t> panels(static_cast<size_t>(product.packed_size(depth, cols))),
      scratch(static_cast<size_t>(product.left_size(rows, depth)));
  product.pack(view(b), panels.data());
  const detail::LeftOperand left = product.left(view(a), scratch.data());
  const Tensor wanted = matmul(to(a, Dtype::f64), to(b, Dtype::f64));
  const auto error = [&](const Tensor& c) { return max(abs(sub(to(c, Dtype::f64), wanted))).item(); };
  // Into rows of whole vectors, whose last columns become zeros; the column behind them stays.
  Tensor wide = full({rows, padded + 1}, NAN);
  product.multiply(left, panels.data(), cols, {wide.mutable_data<float>(), rows, padded, padded + 1, 1});
  CHECK(error(slice(wide, 1, 0, cols)) < 1e-4);
  if (padded > cols) CHECK(max(abs(slice(wide, 1, cols, padded))).item() == 0);
  CHECK(std::isnan(wide.at({rows - 1, padded})));
  // Into exactly the columns that there are, added to what is there; and into columns that lie apart.
  Tensor narrow = ones({rows, cols}), apart = full({cols, rows}, NAN);
  product.multiply(left, panels.data(), cols, {narrow.mutable_data<float>(), rows, cols, cols, 1}, true, view(b));
  CHECK(error(sub(narrow, scalar(1))) < 1e-4);
  product.multiply(left, panels.data(), cols, {apart.mutable_data<float>(), rows, cols, 1, rows});
  CHECK(bit_equal(contiguous(transpose(apart, 0, 1)), contiguous(slice(wide, 1, 0, cols))));
}

}  // namespace

TEST_CASE("panel products are right for odd rows, depths and columns, in both precisions and layouts of B") {
  if (!detail::has_product_kernels()) {
    MESSAGE("skipped: this processor has no micro-kernels");
    return;
  }
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    const detail::PanelProduct product(precision);
    for (const int64_t cols : kSizes) {
      for (const int64_t depth : kSizes) {
        const int64_t rows = cols == 65 ? 197 : depth;
        const Tensor a = short_numbers({rows, depth}, 1);
        check_product(product, a, short_numbers({depth, cols}, 2));
        check_product(product, a, transpose(short_numbers({cols, depth}, 3), 0, 1));
      }
    }
  }
}

TEST_CASE("a panel product over no depth gives zeros") {
  if (!detail::has_product_kernels()) return;
  const detail::PanelProduct product(Precision::kBf16);
  std::vector<float> c(7 * 16, 1.0f);
  uint32_t nothing = 0;
  product.multiply({&nothing, 7, 0, 0, 1}, &nothing, 9, {c.data(), 7, 16, 16, 1});
  CHECK(c == std::vector<float>(7 * 16, 0.0f));
}
