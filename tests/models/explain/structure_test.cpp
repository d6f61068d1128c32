// Distances, similarities, principal components.
#include "models/explain/structure.h"

#include <doctest/doctest.h>

#include <cmath>

#include "models/explain/overlay.h"
#include "tensor/ops.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models::explain;

TEST_CASE("a head that looks at its own patch is at distance 0, one that looks at its right neighbour at a patch's width") {
  // 1 x 3 patches of 8 x 4 pixels behind one prefix token; token 3, the last patch, looks back two patches.
  const Tensor own = eye(4), next = from_vector(std::vector<float>{1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0}, {4, 4});
  const Tensor attention = reshape(stack(std::vector<Tensor>{own, next}, 0), {1, 2, 4, 4});
  const Tensor d = attention_distance(attention, 1, {1, 3}, {8, 12});
  CHECK(d.at({0, 0}) == 0);
  CHECK(d.at({0, 1}) == doctest::Approx((4 + 4 + 8) / 3.0));
}

TEST_CASE("attention on prefix tokens does not count as near or far") {
  const Tensor half = from_vector(std::vector<float>{1, 0, 0, 0.5f, 0, 0.5f, 0.9f, 0.1f, 0}, {1, 1, 3, 3});
  CHECK(attention_distance(half, 1, {2, 1}, {20, 5}).item() == doctest::Approx(10));
  const Tensor prefix_only = from_vector(std::vector<float>{1, 0, 0, 1, 0, 0, 1, 0, 0}, {1, 1, 3, 3});
  CHECK(attention_distance(prefix_only, 1, {2, 1}, {20, 5}).item() == 0);
}

TEST_CASE("even attention has the distance that is drawn as a line") {
  const Tensor even = full({1, 1, 12, 12}, 1.0 / 12);
  CHECK(attention_distance(even, 0, {3, 4}, {24, 24}).item() == doctest::Approx(even_distance({3, 4}, {24, 24})));
  CHECK(contains(message_of([&] { attention_distance(even, 1, {3, 4}, 24); }), "attention must have 13 tokens"));
}

TEST_CASE("positions are compared by the cosine: parallel 1, opposite -1, a vector of zeros 0") {
  const Tensor p = from_vector(std::vector<float>{3, 4, 6, 8, -3, -4, 4, -3, 0, 0}, {5, 2});
  const Tensor s = position_similarity(p);
  CHECK(s.at({0, 1}) == doctest::Approx(1));
  CHECK(s.at({0, 2}) == doctest::Approx(-1));
  CHECK(s.at({0, 3}) == doctest::Approx(0));
  CHECK(s.at({4, 4}) == 0);
}

TEST_CASE("the picture of similarities is a grid of grids, each bright at its own patch") {
  const Tensor picture = similarity_picture(2.0 * eye(6, Dtype::f64) - 1.0, {2, 3});
  CHECK(picture.shape() == Shape{3, 2 * 2 + 1, 3 * 3 + 2});
  const auto bright = [&](int64_t y, int64_t x) { return picture.at({0, y, x}) == heat_points().back()[0]; };
  CHECK(bright(0, 0));
  CHECK(!bright(0, 1));
  CHECK(bright(0, 4 + 1));              // patch (0, 1)
  CHECK(bright(3 + 1, 8 + 2));          // patch (1, 2)
  CHECK(picture.at({0, 2, 0}) == 255);  // the gap
  // 20 x 20 patches, at most 8 small pictures a side: every third.
  CHECK(similarity_picture(zeros({400, 400}, Dtype::f64), 20, 8).shape() == Shape{3, 7 * 22 - 2, 7 * 22 - 2});
}

TEST_CASE("eigenvalues of a symmetric matrix fall, and its vectors are orthonormal and rebuild it") {
  const Tensor x = rand_normal({9, 9}, 0, 1, Rng(3), Dtype::f64), a = x + transpose(x);
  const auto [values, vectors] = symmetric_eigen(a);
  CHECK(std::is_sorted(values.rbegin(), values.rend()));
  CHECK(largest_difference(matmul(vectors, transpose(vectors)), eye(9, Dtype::f64)) < 1e-13);
  const Tensor scaled = vectors * reshape(from_vector(values, {9}), {9, 1});
  CHECK(largest_difference(matmul(transpose(vectors), scaled), a) < 1e-12);
  CHECK(symmetric_eigen(zeros({3, 3})).first == std::vector<double>{0, 0, 0});
  CHECK(contains(message_of([] { symmetric_eigen(zeros({2, 3})); }), "the matrix must be square: it is [2, 3]"));
}

TEST_CASE("principal components equal the eigenvectors of the covariance, whether there are more rows or more columns") {
  for (const Shape& shape : {Shape{200, 12}, Shape{10, 40}}) {
    const Tensor spread = linspace(4, 0.2, shape[1], Dtype::f64);
    const Tensor x = rand_normal(shape, 0, 1, Rng(7), Dtype::f64) * spread + 5.0;
    const PrincipalComponents found = principal_components(x, 5);
    const Tensor centred = x - mean(x, {0}, true);
    const auto [values, vectors] = symmetric_eigen(matmul(transpose(centred), centred) * (1.0 / static_cast<double>(shape[0])));
    double total = 0;
    for (const double v : values) total += v;
    CHECK(found.total == doctest::Approx(total));
    REQUIRE(found.directions.shape() == Shape{5, shape[1]});
    CHECK(largest_difference(matmul(found.directions, transpose(found.directions)), eye(5, Dtype::f64)) < 1e-12);
    for (int64_t i = 0; i < 5; ++i) {
      CHECK(found.variances[static_cast<size_t>(i)] == doctest::Approx(values[static_cast<size_t>(i)]).epsilon(1e-6));
      CHECK(std::abs(sum(select(found.directions, 0, i) * select(vectors, 0, i)).item()) > 1 - 1e-5);
    }
  }
}

TEST_CASE("filters with one direction give it as the first component, with all of the variance") {
  Tensor filters = zeros({4, 1, 2, 2});
  for (int64_t i = 0; i < 4; ++i)
    copy_(select(filters, 0, i), from_vector(std::vector<float>{1, -1, 0, 0}, {1, 2, 2}) * static_cast<double>(i));
  const FilterPicture f = filter_picture(filters, 2);
  CHECK(f.share == doctest::Approx(1));
  CHECK(f.picture.at({0, 0, 0}) + f.picture.at({0, 0, 1}) == 255);  // 127.5 (1 +- 1)
  CHECK(f.picture.at({0, 1, 0}) == doctest::Approx(128));
  CHECK(filter_picture(random_images({16, 3, 4, 4}), 28).count == 16);
  CHECK(filter_picture(random_images({16, 5, 4, 4})).picture.size(0) == 1);
  CHECK(filter_picture(zeros({3, 3, 2, 2})).share == 0);
  CHECK(contains(message_of([] { filter_picture(zeros({3, 3})); }), "filters are [D, C, h, w]: they are [3, 3]"));
}

}  // namespace
}  // namespace vitrail::testing
