// What `vitrail bench` measured, and how it is shown: text, JSON, picture.
#pragma once

#include <string>
#include <vector>

#include "autograd/profile.h"

namespace vitrail::cli {

struct BenchResult {
  std::string model, mode, precision;
  int64_t parameters = 0, batch_size = 0, img_height = 0, img_width = 0;
  int64_t threads = 0, warmup = 0;
  std::vector<double> step_seconds;
  int64_t flops_per_step = 0;  // of matrix products
  double peak_gflops = 0;      // 0: not measured
  double bandwidth_gb = 0;
  int64_t peak_tensor_bytes = 0, peak_rss_bytes = 0, base_rss_bytes = 0;
  std::vector<ProfileEntry> breakdown;  // sums over all timed steps

  int64_t steps() const { return static_cast<int64_t>(step_seconds.size()); }
  double mean_seconds() const;
  double median_seconds() const;
  double images_per_second() const { return static_cast<double>(batch_size) / median_seconds(); }
  // Of all products, by the median step.
  double gflops_per_second() const { return static_cast<double>(flops_per_step) / median_seconds() / 1e9; }
};

// Ops with matrix products against everything else.
struct ProductShare {
  double share = 0;   // of the time
  double gflops = 0;  // per second, inside those ops
};
ProductShare product_share(const BenchResult& r);

// a / b, or 0 where b is 0: no report holds NaN.
double ratio(double a, double b);
// The entries, the longest first.
std::vector<ProfileEntry> sorted_breakdown(const BenchResult& r);

std::string to_text(const BenchResult& r);
std::string to_json(const BenchResult& r);
// Bars by op, forward and backward, with rates.
std::string to_svg(const BenchResult& r);

}  // namespace vitrail::cli
