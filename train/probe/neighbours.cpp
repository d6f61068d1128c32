#include "train/probe/neighbours.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/machine/parallel.h"
#include "tensor/ops.h"
#include "train/probe/scale.h"

namespace vitrail {
namespace {

constexpr int64_t kQueries = 256;  // compared with the whole bank at a time
constexpr double kTemperature = 0.07;

// The k best of one row of cosines.
void select(const float* cosines, int64_t n, int64_t skip, int64_t k, std::vector<int64_t>& order, int64_t* rows, float* best) {
  // LAB 8.6 BEGIN  The k rows with the largest cosines, best first, of equal ones the lower; never row skip (-1: none).
  order.resize(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  if (skip >= 0) order.erase(order.begin() + skip);
  const auto better = [&](int64_t a, int64_t b) { return cosines[a] > cosines[b] || (cosines[a] == cosines[b] && a < b); };
  if (k < static_cast<int64_t>(order.size())) std::nth_element(order.begin(), order.begin() + k, order.end(), better);
  std::sort(order.begin(), order.begin() + k, better);
  for (int64_t i = 0; i < k; ++i) rows[i] = order[static_cast<size_t>(i)], best[i] = cosines[rows[i]];
  // LAB 8.6 END
}

}  // namespace

Tensor unit_rows(const Tensor& features) {
  check(features.dim() == 2 && features.dtype() == Dtype::f32, ErrorKind::kShape, "neighbours",
        "needs features f32 [N, D]: they are ", name_of(features.dtype()), " ", features.shape());
  Tensor result = clone(features);
  const int64_t d = features.size(1);
  float* x = result.mutable_data<float>();
  parallel_for(features.size(0), 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < d; ++j) sum += static_cast<double>(x[i * d + j]) * x[i * d + j];
      const double factor = sum > 0 ? 1 / std::sqrt(sum) : 0;
      for (int64_t j = 0; j < d; ++j) x[i * d + j] = static_cast<float>(x[i * d + j] * factor);
    }
  });
  return result;
}

Neighbours nearest_rows(const Tensor& bank, const Tensor& queries, int64_t k, const std::vector<int64_t>& left_out) {
  check(bank.dim() == 2 && queries.dim() == 2 && bank.size(1) == queries.size(1), ErrorKind::kShape, "neighbours",
        "widths differ: the bank is ", bank.shape(), ", the queries are ", queries.shape());
  check(k >= 1, ErrorKind::kValue, "neighbours", "k must be at least 1: it is ", k);
  const int64_t n = bank.size(0), q = queries.size(0);
  check(left_out.empty() || static_cast<int64_t>(left_out.size()) == q, ErrorKind::kShape, "neighbours",
        "one left-out row for each query: there are ", left_out.size(), " for ", q);
  Neighbours result;
  result.k = std::min(k, left_out.empty() ? n : n - 1);
  result.rows.resize(static_cast<size_t>(q * result.k));
  result.cosines.resize(result.rows.size());
  for (int64_t from = 0; from < q && result.k > 0; from += kQueries) {
    const int64_t to = std::min(from + kQueries, q);
    const Tensor cosines = matmul(slice(queries, 0, from, to), transpose(bank, 0, 1));
    const float* row = cosines.data<float>();
    parallel_for(to - from, 1, [&](int64_t begin, int64_t end) {
      std::vector<int64_t> order;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t place = (from + i) * result.k, skip = left_out.empty() ? -1 : left_out[static_cast<size_t>(from + i)];
        select(row + i * n, n, skip, result.k, order, result.rows.data() + place, result.cosines.data() + place);
      }
    });
  }
  return result;
}

Tensor neighbour_votes(const Neighbours& neighbours, const std::vector<int64_t>& labels, int64_t classes, int64_t k) {
  check(k >= 1 && k <= neighbours.k, ErrorKind::kValue, "neighbours", "k must be in [1, ", neighbours.k, "]: it is ", k);
  const int64_t q = neighbours.queries();
  Tensor votes = zeros({q, classes}, Dtype::f64);
  double* row = votes.mutable_data<double>();
  for (int64_t i = 0; i < q; ++i, row += classes) {
    // LAB 8.6 BEGIN  row[class] += e^(cosine / T) for the first k neighbours of query i; then the row is divided by its sum.
    const int64_t place = i * neighbours.k;
    const double best = neighbours.cosines[static_cast<size_t>(place)];  // subtracted: the parts stay, and nothing overflows
    double total = 0;
    for (int64_t j = 0; j < k; ++j) {
      const auto at = static_cast<size_t>(place + j);
      const double weight = std::exp((neighbours.cosines[at] - best) / kTemperature);
      row[labels[static_cast<size_t>(neighbours.rows[at])]] += weight;
      total += weight;
    }
    for (int64_t c = 0; c < classes; ++c) row[c] /= total;
    // LAB 8.6 END
  }
  return votes;
}

NeighbourChoice choose_neighbours(const Tensor& bank, const std::vector<int64_t>& labels, int64_t classes) {
  constexpr int64_t kMostAsked = 5000;
  constexpr int64_t kChoices[] = {1, 2, 5, 10, 20, 50, 100, 200};
  const int64_t n = bank.size(0), asked = std::min(n, kMostAsked);
  check(n >= 2 && static_cast<int64_t>(labels.size()) == n, ErrorKind::kValue, "neighbours",
        "needs a label for each of at least 2 pictures: features are ", bank.shape(), ", labels ", labels.size());
  std::vector<int64_t> own, truths;
  for (int64_t i = 0; i < asked; ++i) {
    own.push_back(i * n / asked);
    truths.push_back(labels[static_cast<size_t>(own.back())]);
  }
  const Tensor queries = index_select(bank, 0, from_vector(own, {asked}));
  const Neighbours neighbours = nearest_rows(bank, queries, *std::rbegin(kChoices), own);
  NeighbourChoice best{1, -1};
  for (const int64_t k : kChoices) {
    if (k > neighbours.k) break;
    const double accuracy = quality_of(neighbour_votes(neighbours, labels, classes, k), truths).accuracy;
    if (accuracy > best.accuracy) best = {k, accuracy};
  }
  return best;
}

}  // namespace vitrail
