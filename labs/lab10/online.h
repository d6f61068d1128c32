// Lab 10, exercise 10.4: the softmax of a row that is read once. Source: Milakov and Gimelshein, "Online normalizer calculation
// for softmax", arXiv:1805.02867, algorithm 3.
#pragma once

#include <cstdint>
#include <limits>

namespace lab {

// What is known of the numbers seen so far: the largest, and total = sum_j e^(x_j - largest). Of no numbers, or of -infinity
// alone: largest = -infinity, total = 0.
struct Running {
  double largest = -std::numeric_limits<double>::infinity();
  double total = 0;
};

// One more number.
Running with(const Running& sum, double x);
// The numbers of both: parts of a row may be summed apart, by several threads or in several tiles.
Running merged(const Running& a, const Running& b);

// y_j = e^(x_j - largest) / total. Reads every x twice (once for the sums, once for the result), where three passes over the
// row read it three times. A row of -infinity alone gives zeros.
template <class T>
void online_softmax(const T* x, T* y, int64_t n);

}  // namespace lab
