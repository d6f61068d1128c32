// Helpers of the model tests.
#pragma once

#include <cmath>
#include <string>

#include "autograd/ops.h"
#include "models/vit.h"

namespace vitrail::testing {

// 8 x 8 colour images, 4 patches of 4 x 4, two small blocks, five classes.
inline models::ViTConfig tiny_config() {
  models::ViTConfig c;
  c.img_size = 8, c.patch_size = 4, c.num_classes = 5, c.embed_dim = 16, c.depth = 2, c.num_heads = 2, c.mlp_ratio = 2;
  return c;
}

inline Tensor random_images(const Shape& shape, uint64_t seed = 5) { return rand_normal(shape, 0, 1, Rng(seed)); }

inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  const auto x = to_vector<double>(a), y = to_vector<double>(b);
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

// The message of the Error that fn throws; empty if it throws none.
template <class Fn>
std::string message_of(Fn&& fn) {
  try {
    fn();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace vitrail::testing
