#include "labs/lab0/softmax_regression.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lab {

double train_softmax_regression(const Examples& examples, double rate, int64_t batch, double* weights) {
  const int64_t inputs = examples.inputs, classes = examples.classes;
  // LAB 0.4 BEGIN  one pass over the examples: for each batch one step W -= rate X^T (P - Y) / b; return the mean loss
  std::vector<double> gradient(inputs * classes), p(classes);
  double loss = 0;
  for (int64_t begin = 0; begin < examples.count; begin += batch) {
    const int64_t end = std::min(begin + batch, examples.count);
    std::fill(gradient.begin(), gradient.end(), 0.0);
    for (int64_t i = begin; i < end; ++i) {
      const float* x = examples.pixels + i * inputs;
      const int64_t y = examples.labels[i];
      std::fill(p.begin(), p.end(), 0.0);
      for (int64_t j = 0; j < inputs; ++j) {
        for (int64_t c = 0; c < classes; ++c) p[c] += x[j] * weights[j * classes + c];
      }
      const double largest = *std::max_element(p.begin(), p.end()), score = p[y];
      double total = 0;
      for (double& value : p) total += value = std::exp(value - largest);
      for (double& value : p) value /= total;
      loss += largest + std::log(total) - score;
      p[y] -= 1;
      for (int64_t j = 0; j < inputs; ++j) {
        for (int64_t c = 0; c < classes; ++c) gradient[j * classes + c] += x[j] * p[c];
      }
    }
    const double step = rate / static_cast<double>(end - begin);
    for (int64_t j = 0; j < inputs * classes; ++j) weights[j] -= step * gradient[j];
  }
  return loss / static_cast<double>(examples.count);
  // LAB 0.4 END
}

}  // namespace lab
