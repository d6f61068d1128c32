// Whether a map means anything: the patches that it calls important are taken away, or put back, first; the probability of the
// class must fall, or rise, sooner than with patches in random order (Petsiuk et al., arXiv:1806.07421, section 4.3, there by
// pixels).
#pragma once

#include <cstdint>
#include <vector>

#include "data/preprocessing.h"
#include "models/explain/encoder.h"

namespace vitrail::models::explain {

struct Curve {
  std::vector<double> share;        // of the patches changed, from 0 to 1
  std::vector<double> probability;  // of the class
  double area = 0;                  // under the curve, by trapezoids: in [0, 1]
};

// Deletion: patches of the picture become the mean colour of training; a small area is good. Insertion: patches come into a
// blurred picture (Gaussian, standard deviation half a patch; Petsiuk et al.: 5 pixels of 224); a large area is good.
struct Perturbation {
  Curve deletion, insertion;
};

class PerturbationTest {
 public:
  // `picture` u8 [C, H, W] at the model's size, as fit() gives it. Each curve has `steps` + 1 points, at most one per patch.
  // Error(kValue) unless steps is in [1, 1000].
  PerturbationTest(const Encoder& encoder, const Tensor& picture, const Preprocessing& preprocessing, int64_t target,
                   int64_t steps = 20);
  // Patches in this order, a permutation of [0, N).
  Perturbation run(const std::vector<int64_t>& order) const;

 private:
  Curve curve(const Tensor& from, const Tensor& to, const std::vector<int64_t>& order) const;

  const Encoder& encoder_;
  int64_t target_, steps_;
  Tensor image_, mean_, blurred_;  // f32 [C, H, W], normalised
};

// The patches of a map [gh, gw], the largest value first; of equal ones the first.
std::vector<int64_t> order_of(const Tensor& map);

// Random orders, a function of the seed alone.
struct RandomOrders {
  Perturbation mean;                                              // the mean of their curves
  std::vector<double> deletion_areas = {}, insertion_areas = {};  // of each order
};
RandomOrders random_orders(const PerturbationTest& test, int64_t patches, int64_t count = 4, uint64_t seed = 0);

}  // namespace vitrail::models::explain
