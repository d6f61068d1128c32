#include "labs/lab10/tiled.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace lab {
namespace {

// sum_d x_d y_d
double dot(const double* x, const double* y, int64_t width) {
  double sum = 0;
  for (int64_t d = 0; d < width; ++d) sum += x[d] * y[d];
  return sum;
}

// Row i: `q` and `out` are its rows of Q and O. Returns its logsum. `scores` has room for a tile.
double one_query(const AttentionSize& size, const double* q, const double* k, const double* v, double* out, double* scores) {
  // LAB 10.5 BEGIN  Tile by tile: scores, new largest, rescale `out` and total, add the tile. Divide at the end.
  double total = 0, largest = -std::numeric_limits<double>::infinity();
  for (int64_t d = 0; d < size.width; ++d) out[d] = 0;
  for (int64_t j0 = 0; j0 < size.keys; j0 += size.tile) {
    const int64_t count = std::min(size.tile, size.keys - j0);
    const double before = largest;
    for (int64_t j = 0; j < count; ++j) {
      scores[j] = size.scale * dot(q, k + (j0 + j) * size.width, size.width);
      largest = std::max(largest, scores[j]);
    }
    const double shrink = std::exp(before - largest);
    total *= shrink;
    for (int64_t d = 0; d < size.width; ++d) out[d] *= shrink;
    for (int64_t j = 0; j < count; ++j) {
      const double p = std::exp(scores[j] - largest);
      total += p;
      for (int64_t d = 0; d < size.width; ++d) out[d] += p * v[(j0 + j) * size.width + d];
    }
  }
  for (int64_t d = 0; d < size.width; ++d) out[d] /= total;
  return largest + std::log(total);
  // LAB 10.5 END
}

}  // namespace

void tiled_attention(const AttentionSize& size, const double* q, const double* k, const double* v, double* out,
                     double* logsum) {
  std::vector<double> scores(static_cast<size_t>(size.tile));
  for (int64_t i = 0; i < size.queries; ++i)
    logsum[i] = one_query(size, q + i * size.width, k, v, out + i * size.width, scores.data());
}

void tiled_attention_backward(const AttentionSize& size, const double* q, const double* k, const double* v, const double* out,
                              const double* logsum, const double* dout, double* dq, double* dk, double* dv) {
  const int64_t width = size.width;
  // LAB 10.5 BEGIN  Clear dq, dk, dv; then for each query and key: P_ij from logsum_i, and what it gives to the three.
  std::fill(dq, dq + size.queries * width, 0.0);
  std::fill(dk, dk + size.keys * width, 0.0);
  std::fill(dv, dv + size.keys * width, 0.0);
  for (int64_t i = 0; i < size.queries; ++i) {
    const double* const dy = dout + i * width;
    const double all = dot(dy, out + i * width, width);
    for (int64_t j = 0; j < size.keys; ++j) {
      const double p = std::exp(size.scale * dot(q + i * width, k + j * width, width) - logsum[i]);
      const double ds = size.scale * p * (dot(dy, v + j * width, width) - all);
      for (int64_t d = 0; d < width; ++d) {
        dq[i * width + d] += ds * k[j * width + d];
        dk[j * width + d] += ds * q[i * width + d];
        dv[j * width + d] += p * dy[d];
      }
    }
  }
  // LAB 10.5 END
}

}  // namespace lab
