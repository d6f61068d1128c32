// A parameter with two names is stepped once, clipped once and averaged once.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "nn/linear.h"
#include "train/optim/clip.h"
#include "train/optim/ema.h"
#include "train/optim/optim.h"

using namespace vitrail;

namespace {

struct Tied : nn::Module {
  Tied() : a(ones({2}), true), b(a) {
    register_parameter("a", a);
    register_parameter("b", b);
  }
  Variable a, b;
};

}  // namespace

TEST_CASE("a parameter registered under two names is stepped once") {
  Tied net;
  Sgd optimizer(single_group(net, 0));
  CHECK(optimizer.groups()[0].parameters.size() == 1);
  sum(net.a * 2.0 + net.b).backward();  // its gradient is 3
  optimizer.step(0.5);
  CHECK(net.a.value().at({0}) == doctest::Approx(1 - 0.5 * 3));
  CHECK(bit_equal(net.a.value(), net.b.value()));
}

TEST_CASE("a parameter registered under two names counts once in the gradient norm and in the averages") {
  Tied net;
  sum(net.a + net.b).backward();
  CHECK(grad_norm(single_group(net, 0)) == doctest::Approx(std::sqrt(2 * 4.0)));
  CHECK(Ema(net, 0.9).state().size() == 1);
}
