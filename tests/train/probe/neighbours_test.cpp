// Nearest neighbours by cosine, and the weighted vote.
#include "train/probe/neighbours.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;

TEST_CASE("neighbours: they are those of sorting all cosines, with and without the picture itself") {
  const Tensor bank = unit_rows(rand_normal({300, 6}, 0, 1, Rng(1))), queries = unit_rows(rand_normal({270, 6}, 0, 1, Rng(2)));
  const auto check_all = [&](const Tensor& asked, const std::vector<int64_t>& left_out) {
    const Neighbours found = nearest_rows(bank, asked, 7, left_out);
    REQUIRE(found.k == 7);
    REQUIRE(found.queries() == asked.size(0));
    const Tensor cosines = matmul(asked, transpose(bank, 0, 1));
    for (int64_t q = 0; q < asked.size(0); ++q) {
      std::vector<std::pair<double, int64_t>> all;
      for (int64_t i = 0; i < 300; ++i)
        if (left_out.empty() || left_out[q] != i) all.emplace_back(-cosines.at({q, i}), i);
      std::sort(all.begin(), all.end());
      for (int64_t j = 0; j < 7; ++j) REQUIRE(std::abs(found.cosines[q * 7 + j] + all[j].first) < 1e-6);
      REQUIRE(found.rows[q * 7] == all[0].second);
    }
  };
  check_all(queries, {});
  std::vector<int64_t> own(300);
  for (int64_t i = 0; i < 300; ++i) own[i] = i;
  check_all(bank, own);
  CHECK(nearest_rows(bank, queries, 1000).k == 300);
  CHECK(nearest_rows(bank, bank, 1000, own).k == 299);
}

TEST_CASE("neighbours: equal ones come in the order of their rows, a row of zeros is near to nothing") {
  const Tensor bank = unit_rows(from_vector(std::vector<float>{1, 0, 0, 0, 2, 0, 3, 0}, {4, 2}));
  const Neighbours found = nearest_rows(bank, slice(bank, 0, 0, 1), 4);
  CHECK(found.rows == std::vector<int64_t>{0, 2, 3, 1});
  CHECK(found.cosines[3] == 0);
}

TEST_CASE("neighbours: a vote weighs exp(cosine / 0.07)") {
  Neighbours found;
  found.k = 3, found.rows = {0, 1, 2}, found.cosines = {0.9f, 0.83f, 0.83f};
  const Tensor votes = neighbour_votes(found, {0, 1, 1}, 3, 3);
  const double near = 1, far = std::exp(-1.0);
  CHECK(votes.at({0, 0}) == doctest::Approx(near / (near + 2 * far)).epsilon(1e-5));
  CHECK(votes.at({0, 1}) == doctest::Approx(2 * far / (near + 2 * far)).epsilon(1e-5));
  CHECK(votes.at({0, 2}) == 0);
  CHECK(neighbour_votes(found, {0, 1, 1}, 3, 1).at({0, 0}) == 1);
}

TEST_CASE(
    "neighbours: their number is chosen with each picture left out: one where classes are points, many where they are clouds") {
  std::vector<int64_t> labels;
  Tensor clouds = rand_normal({200, 4}, 0, 1, Rng(3));
  for (int64_t i = 0; i < 200; ++i) {
    labels.push_back(i % 2);
    clouds.mutable_data<float>()[i * 4] += i % 2 ? 1.0f : -1.0f;
  }
  const NeighbourChoice many = choose_neighbours(unit_rows(clouds), labels, 2);
  CHECK(many.k >= 5);
  CHECK(many.accuracy > 0.75);
  CHECK(many.accuracy < 1);
  Tensor points = zeros({20, 2});
  for (int64_t i = 0; i < 20; ++i) points.mutable_data<float>()[i * 2 + i % 2] = 1;
  std::vector<int64_t> of_point;
  for (int64_t i = 0; i < 20; ++i) of_point.push_back(i % 2);
  const NeighbourChoice one = choose_neighbours(points, of_point, 2);
  CHECK(one.k == 1);
  CHECK(one.accuracy == 1);
}

TEST_CASE("neighbours: widths and numbers that do not fit are refused") {
  const Tensor bank = zeros({3, 2});
  CHECK(refuses(
      [&] {
        nearest_rows(bank, zeros({1, 4}), 1);
      },
      ErrorKind::kShape, "widths differ: the bank is [3, 2], the queries are [1, 4]"));
  CHECK(refuses([&] { nearest_rows(bank, bank, 0); }, ErrorKind::kValue, "k must be at least 1: it is 0"));
  CHECK(refuses([&] { nearest_rows(bank, bank, 1, {0}); }, ErrorKind::kShape,
                "one left-out row for each query: there are 1 for 3"));
  CHECK(refuses([&] { choose_neighbours(bank, {0}, 2); }, ErrorKind::kValue, "features are [3, 2], labels 1"));
}
