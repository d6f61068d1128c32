// The nearest pictures by the angle between their features, and classification by their vote.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/tensor.h"

namespace vitrail {

// Rows of f32 [N, D] divided by their length; a row of zeros stays.
Tensor unit_rows(const Tensor& features);

// Of each query the k rows of a bank with the largest cosine, best first; of equal ones the lower row first.
struct Neighbours {
  int64_t k = 0;
  std::vector<int64_t> rows;   // Q k
  std::vector<float> cosines;  // Q k

  int64_t queries() const { return k == 0 ? 0 : static_cast<int64_t>(rows.size()) / k; }
};

// bank [N, D] and queries [Q, D]: unit_rows. left_out (empty, or Q rows of the bank): a row that is not a neighbour of this
// query, for leaving it out. k becomes at most N (N - 1 where rows are left out). Costs 2 Q N D operations and memory for 256 N
// floats. Error(kShape) if the widths differ; Error(kValue) if k < 1.
Neighbours nearest_rows(const Tensor& bank, const Tensor& queries, int64_t k, const std::vector<int64_t>& left_out = {});

// Votes of the first k neighbours, each with the weight exp(cosine / 0.07): f64 [Q, classes] (Caron et al., DINO,
// arXiv:2104.14294, appendix F.1, and its knn evaluation; before, Wu et al., arXiv:1805.01978). Rows sum to 1. labels: of the
// bank.
Tensor neighbour_votes(const Neighbours& neighbours, const std::vector<int64_t>& labels, int64_t classes, int64_t k);

// The number of neighbours, of 1, 2, 5, 10, 20, 50, 100 and 200, that names the classes of the bank itself best if each picture
// is left out; of equally good ones the smallest. Of a large bank 5,000 pictures are asked for, evenly spread.
struct NeighbourChoice {
  int64_t k = 1;
  double accuracy = 0;  // with each left out
};
NeighbourChoice choose_neighbours(const Tensor& bank, const std::vector<int64_t>& labels, int64_t classes);

}  // namespace vitrail
