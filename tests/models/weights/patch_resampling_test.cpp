// Patch embeddings for other patch sizes and channels: timm's results, and what the pseudo-inverse promises.
#include "models/weights/patch_resampling.h"

#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "models/weights/pseudo_inverse.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/checkpoint_folder.h"
#include "tests/support/data_test.h"
#include "tests/support/kernel_test.h"

using namespace vitrail;
using namespace vitrail::testing;
using models::Size2d;

namespace {

constexpr PatchKernel kTimmKernel{}, kBilinearKernel{Interpolation::kBilinear, false};
const std::vector<PatchKernel> kKernels{
    kTimmKernel, kBilinearKernel, {Interpolation::kBicubic, false}, {Interpolation::kBilinear, true}};

double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  return max_difference(a, to_vector<double>(b));
}

Tensor noise(const Shape& shape, uint64_t seed = 5) { return rand_normal(shape, 0, 1, Rng(seed), Dtype::f64); }

ResizeOptions options(const PatchKernel& k) { return {.mode = k.mode, .antialias = k.antialias}; }

// <w, x> of each weight [D, C, P, Q] and patch [N, C, P, Q]: [N, D].
Tensor answers(const Tensor& weight, const Tensor& patches) {
  return matmul(reshape(patches, {patches.size(0), -1}), transpose(reshape(weight, {weight.size(0), -1})));
}

std::map<std::string, Tensor> shared_tensors(const std::string& folder) {
  const SafetensorsFile file = load_safetensors(folder + "/resampling/patch_embed.safetensors");
  return {file.tensors.begin(), file.tensors.end()};
}

}  // namespace

TEST_CASE("patch embeddings are resampled as by timm in f32 and by the exact pseudo-inverse") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const std::map<std::string, Tensor> tensors = shared_tensors(folder);
  const auto index = nlohmann::json::parse(read_text_file(folder + "/resampling/index.json")).at("patch_embed");
  double from_timm = 0, from_exact = 0, f64_from_exact = 0;
  for (const auto& entry : index) {
    const std::string name = entry.at("case");
    const PatchKernel kernel{entry.at("interpolation") == "bicubic" ? Interpolation::kBicubic : Interpolation::kBilinear,
                             entry.at("antialias")};
    const Size2d size{entry.at("new").at(0), entry.at("new").at(1)};
    const Tensor x = tensors.at(name + ".in"), exact = tensors.at(name + ".out.f64");
    const Tensor y = resample_patches(x, size, kernel);
    CHECK(y.dtype() == Dtype::f32);
    CHECK_MESSAGE(difference(y, tensors.at(name + ".out")) < 5e-6, name);
    CHECK_MESSAGE(difference(y, exact) < 5e-6, name);
    const double in_f64 = difference(resample_patches(to(x, Dtype::f64), size, kernel), exact);
    CHECK_MESSAGE(in_f64 < 1e-12, name, ": ", in_f64);
    from_timm = std::max(from_timm, difference(y, tensors.at(name + ".out")));
    from_exact = std::max(from_exact, difference(y, exact));
    f64_from_exact = std::max(f64_from_exact, in_f64);
  }
  CHECK(index.size() == 8);
  MESSAGE("from timm's f32 ", from_timm, ", from f64 ", from_exact, ", in f64 ", f64_from_exact);
}

TEST_CASE("channels are adapted as by timm") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  const std::map<std::string, Tensor> tensors = shared_tensors(folder);
  for (const int64_t n : {1, 2, 4, 5, 6, 7}) {
    const double d = difference(adapt_channels(tensors.at("channels.in"), n), tensors.at(cat("channels.out", n)));
    CHECK_MESSAGE(d < 1e-6, n, " channels: ", d);
  }
}

TEST_CASE("where patches grow, resized patches get the answers of the original") {
  for (const PatchKernel& kernel : kKernels) {
    for (const auto& [from, size] : {std::pair{Size2d{4, 4}, Size2d{8, 8}}, std::pair{Size2d{7, 5}, Size2d{8, 16}},
                                     std::pair{Size2d{14, 14}, Size2d{16, 14}}, std::pair{Size2d{1, 3}, Size2d{9, 4}}}) {
      const Tensor weight = noise({3, 2, from.h, from.w}), patches = noise({10, 2, from.h, from.w}, 6);
      const Tensor resampled = resample_patches(weight, size, kernel);
      const Tensor resized = resize(patches, size.h, size.w, options(kernel));
      CHECK(difference(answers(resampled, resized), answers(weight, patches)) < 1e-11);
    }
  }
}

TEST_CASE("where patches shrink, the answers are the nearest: what is missing is orthogonal to all resized patches") {
  for (const PatchKernel& kernel : kKernels) {
    for (const Size2d size : {Size2d{4, 4}, Size2d{7, 6}, Size2d{1, 5}, Size2d{8, 3}}) {
      const Tensor weight = noise({3, 2, 8, 7}), resampled = resample_patches(weight, size, kernel);
      const Tensor missing = sub(weight, resize_backward(resampled, weight.shape(), options(kernel)));
      CHECK(max_difference(resize(missing, size.h, size.w, options(kernel)), std::vector<double>(6 * size.h * size.w, 0.0)) <
            1e-12);
    }
  }
}

TEST_CASE("one axis after the other is the pseudo-inverse of both together, where one grows and one shrinks too") {
  for (const PatchKernel& kernel : kKernels) {
    for (const Size2d size : {Size2d{9, 3}, Size2d{4, 8}, Size2d{3, 3}, Size2d{7, 7}}) {
      // Resizing each of the 30 pictures with one pixel gives B^T [30, size].
      const Tensor transposed = resize(reshape(eye(30, Dtype::f64), {30, 6, 5}), size.h, size.w, options(kernel));
      const Tensor inverse = pseudo_inverse(reshape(transposed, {30, size.h * size.w}));
      const Tensor weight = noise({4, 3, 6, 5});
      const Tensor expected = matmul(reshape(weight, {12, 30}), transpose(inverse));
      const Tensor y = resample_patches(weight, size, kernel);
      CHECK(difference(reshape(y, {12, size.h * size.w}), expected) < 1e-12);
    }
  }
}

TEST_CASE("a patch embedding of the same size keeps its bits, and f32 is f64 rounded once") {
  for (const PatchKernel& kernel : kKernels) {
    const Tensor weight = noise({3, 2, 8, 6});
    CHECK(bit_equal(resample_patches(weight, {8, 6}, kernel), weight));
    const Tensor narrow = to(weight, Dtype::f32);
    CHECK(bit_equal(resample_patches(narrow, {5, 9}, kernel),
                    to(resample_patches(to(narrow, Dtype::f64), {5, 9}, kernel), Dtype::f32)));
  }
}

TEST_CASE("a pseudo-inverse meets Penrose's four conditions, for any shape and rank") {
  const auto product = [](const Tensor& a, const Tensor& b) { return matmul(a, b); };
  std::vector<Tensor> matrices{noise({6, 6}), noise({9, 4}), noise({3, 11}),
                               noise({1, 5}), noise({5, 1}), zeros({4, 3}, Dtype::f64)};
  matrices.push_back(product(noise({8, 3}), noise({3, 7})));  // rank 3
  matrices.push_back(transpose(noise({7, 4})));               // a view
  for (const Tensor& a : matrices) {
    const Tensor p = pseudo_inverse(a), ap = product(a, p), pa = product(p, a);
    CAPTURE(a.shape());
    CHECK(difference(product(ap, a), a) < 1e-12);
    CHECK(difference(product(pa, p), p) < 1e-12);
    CHECK(difference(ap, transpose(ap)) < 1e-12);
    CHECK(difference(pa, transpose(pa)) < 1e-12);
  }
}

TEST_CASE("resizing matrices of all usual patch sizes are inverted") {
  const std::vector<int64_t> sides{1, 2, 4, 7, 8, 14, 16, 28, 32, 64};
  for (const PatchKernel& kernel : kKernels) {
    for (const int64_t from : sides) {
      for (const int64_t size : sides) {
        const Tensor a =
            reshape(resize(reshape(eye(from, Dtype::f64), {from, 1, from}), 1, size, options(kernel)), {from, size});
        const Tensor p = pseudo_inverse(a);
        CHECK_MESSAGE(difference(matmul(matmul(a, p), a), a) < 1e-12, from, " to ", size);
      }
    }
  }
}

TEST_CASE("adapted channels: one is the sum, others are repeated in turn and keep the answer to a grey image") {
  const Tensor weight = from_vector(std::vector<float>{1, 2, 4}, {1, 3, 1, 1});
  CHECK(to_vector<float>(adapt_channels(weight, 1)) == std::vector<float>{7});
  CHECK(to_vector<float>(adapt_channels(weight, 2)) == std::vector<float>{1.5, 3});
  CHECK(to_vector<float>(adapt_channels(weight, 6)) == std::vector<float>{0.5, 1, 2, 0.5, 1, 2});
  CHECK(to_vector<float>(adapt_channels(weight, 4)) == std::vector<float>{0.75, 1.5, 3, 0.75});
  CHECK(bit_equal(adapt_channels(weight, 3), weight));
  const Tensor grey = noise({2, 1, 3, 2});
  CHECK(difference(adapt_channels(adapt_channels(grey, 3), 1), grey) < 1e-14);
  CHECK(adapt_channels(to(grey, Dtype::f32), 5).dtype() == Dtype::f32);
}

TEST_CASE("weights and sizes that cannot be resampled are refused with the numbers") {
  const Tensor weight = zeros({4, 3, 8, 8});
  const auto resized = [](const Tensor& w, Size2d size, ErrorKind kind = ErrorKind::kShape) {
    return refusal(kind, [&] { resample_patches(w, size); });
  };
  CHECK_SAYS(resized(zeros({4, 192}), {4, 4}),
             "needs the weight of a patch embedding, [dim, channels, rows, columns]: weight is [4, 192]");
  CHECK_SAYS(resized(zeros({0, 3, 8, 8}), {4, 4}), "weight is [0, 3, 8, 8]");
  CHECK_SAYS(resized(weight, {0, 4}), "sides of patches must be from 1 to 256: they are 8 x 8, to become 0 x 4");
  CHECK_SAYS(resized(weight, {4, 257}), "to become 4 x 257");
  CHECK_SAYS(resized(zeros({1, 1, 300, 8}), {4, 4}), "they are 300 x 8");
  CHECK_SAYS(resized(to(weight, Dtype::i64), {4, 4}, ErrorKind::kValue), "needs floats: weight is i64");
  const auto adapted = [](const Tensor& w, int64_t n, ErrorKind kind) { return refusal(kind, [&] { adapt_channels(w, n); }); };
  CHECK_SAYS(adapted(weight, 0, ErrorKind::kValue), "channels must be from 1 to 4096: they are 0");
  CHECK_SAYS(adapted(weight, 5000, ErrorKind::kValue), "they are 5000");
  CHECK_SAYS(adapted(zeros({4, 3}), 1, ErrorKind::kShape), "weight is [4, 3]");
  CHECK_SAYS(refusal(ErrorKind::kShape,
                     [] {
                       pseudo_inverse(zeros({2, 2, 2}, Dtype::f64));
                     }),
             "needs a matrix: a is [2, 2, 2]");
  CHECK_SAYS(refusal(ErrorKind::kShape, [] { pseudo_inverse(zeros({0, 2}, Dtype::f64)); }), "a is [0, 2]");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { pseudo_inverse(zeros({2, 2})); }), "needs f64: a is f32");
}
