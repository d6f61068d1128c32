#include "labs/lab10/online.h"

#include <algorithm>
#include <cmath>

#include "labs/lab10/watched.h"

namespace lab {

Running with(const Running& sum, double x) {
  // LAB 10.4 BEGIN  The new largest; the old total is rescaled to it. Nothing is known of -infinity - -infinity: leave it out.
  if (x == -std::numeric_limits<double>::infinity()) return sum;
  const double largest = std::max(sum.largest, x);
  return {largest, sum.total * std::exp(sum.largest - largest) + std::exp(x - largest)};
  // LAB 10.4 END
}

Running merged(const Running& a, const Running& b) {
  // LAB 10.4 BEGIN  The larger of both; each total is rescaled to it. A part without numbers changes nothing.
  if (a.total == 0) return b;
  if (b.total == 0) return a;
  const double largest = std::max(a.largest, b.largest);
  return {largest, a.total * std::exp(a.largest - largest) + b.total * std::exp(b.largest - largest)};
  // LAB 10.4 END
}

template <class T>
void online_softmax(const T* x, T* y, int64_t n) {
  // LAB 10.4 BEGIN  One pass for largest and total together, one that writes y.
  Running sum;
  for (int64_t j = 0; j < n; ++j) sum = with(sum, static_cast<double>(x[j]));
  for (int64_t j = 0; j < n; ++j)
    y[j] = static_cast<float>(sum.total == 0 ? 0 : std::exp(static_cast<double>(x[j]) - sum.largest) / sum.total);
  // LAB 10.4 END
}
template void online_softmax(const float*, float*, int64_t);
template void online_softmax(const Watched*, Watched*, int64_t);

}  // namespace lab
