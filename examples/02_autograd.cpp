// 02: gradients. A Variable is a tensor that remembers how it was made.
//
// What it teaches: backward() fills in gradients; four numbers are fitted to a curve by following them; the graph that is
// recorded, printed in the DOT language (try: make run-02_autograd | sed -n '/digraph/,$p' | dot -Tsvg > graph.svg).
// What to expect: the error falls from 0.5 to 0.0046, the best that a cubic can do, in 400 steps, under a second.
#include <cmath>
#include <iostream>
#include <numbers>

#include "autograd/graph_picture.h"
#include "autograd/ops.h"

using namespace vitrail;

int main() {
  // sin(x) on [-pi, pi], to be approximated by a + b x + c x^2 + d x^3.
  const Tensor x = linspace(-std::numbers::pi, std::numbers::pi, 200, Dtype::f64);
  const Tensor target = sin(x);
  std::vector<Variable> w;
  for (int i = 0; i < 4; ++i) w.emplace_back(zeros({}, Dtype::f64), /*requires_grad=*/true);
  const auto curve = [&] { return w[0] + x * (w[1] + x * (w[2] + x * w[3])); };

  // The powers of x differ by orders of magnitude, and so do their gradients: each coefficient gets its own step.
  const double steps[] = {0.1, 0.05, 0.004, 0.0008};
  for (int step = 0; step <= 400; ++step) {
    const Variable error = mean(square(curve() - target));
    error.backward();
    if (step % 80 == 0) std::cout << "step " << step << "  error " << error.item() << "\n";
    for (int i = 0; i < 4; ++i) {
      add_(w[i].value(), w[i].grad(), -steps[i]);  // w -= step * gradient
      w[i].zero_grad();
    }
  }
  std::cout << "sin(x) is nearly " << w[0].item() << " + " << w[1].item() << " x + " << w[2].item() << " x^2 + " << w[3].item()
            << " x^3\n\n";

  // Gradients add up where a variable is used twice: d(a a + a)/da = 2 a + 1.
  const Variable a(scalar(3), true);
  (a * a + a).backward();
  std::cout << "d(a a + a)/da at 3 is " << a.grad().item() << "\n\n";

  const Variable b(scalar(2), true);
  std::cout << to_dot(tanh(a * b) + b);
}
