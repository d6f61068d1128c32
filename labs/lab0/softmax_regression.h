// Lab 0, exercise 0.4: softmax regression in plain loops. The model has one weight for each pair of a pixel and a class:
//   scores s_c = sum_j x_j W_jc,   probabilities p_c = e^s_c / sum_k e^s_k,   loss = -log p_y.
#pragma once

#include <cstdint>

namespace lab {

// Pictures as rows of numbers, and their classes. Owns nothing.
struct Examples {
  const float* pixels;    // [count, inputs]
  const int64_t* labels;  // [count], each in [0, classes)
  int64_t count, inputs, classes;
};

// One pass over the examples, in their order, in batches of `batch` (the last one has what is left). Each batch gives one step
//   W -= rate * X^T (P - Y) / b,
// with X [b, inputs] its pictures, P [b, classes] their probabilities under the weights before the step, Y their one-hot
// labels, and b the number of its pictures. weights: W [inputs, classes], row-major. Returns the mean loss over all examples,
// each under the weights before the step of its batch; scores of any size are no problem.
double train_softmax_regression(const Examples& examples, double rate, int64_t batch, double* weights);

}  // namespace lab
