// Random numbers of layers belong to the thread that runs them.
#include <doctest/doctest.h>

#include <thread>

#include "autograd/ops.h"
#include "nn/activation.h"
#include "nn/container.h"
#include "nn/linear.h"

namespace vitrail {
namespace {

struct Result {
  Tensor output, gradient;
};

// Forward and backward of a network with dropout, from a seed of its own.
Result dropped_out(uint64_t seed) {
  Rng rng(3);
  nn::Sequential net;
  auto& first = net.add<nn::Linear>(8, 16, rng);
  net.add<nn::Dropout>(0.5);
  net.add<nn::Linear>(16, 4, rng);
  net.add<nn::DropPath>(0.3);
  manual_seed(seed);
  Result result;
  for (int i = 0; i < 5; ++i) {
    const Variable y = net(rand_normal({6, 8}, 0, 1, Rng(7)));
    net.zero_grad();
    sum(square(y)).backward();
    result = {y.value(), first.weight.grad()};
  }
  return result;
}

TEST_CASE("dropout in two threads gives in every run what it gives in one after the other") {
  const Result alone[] = {dropped_out(1), dropped_out(2)};
  CHECK_FALSE(bit_equal(alone[0].output, alone[1].output));
  for (int run = 0; run < 20; ++run) {
    Result together[2];
    std::thread a([&] { together[0] = dropped_out(1); });
    std::thread b([&] { together[1] = dropped_out(2); });
    a.join();
    b.join();
    for (int i = 0; i < 2; ++i) {
      CHECK(bit_equal(together[i].output, alone[i].output));
      CHECK(bit_equal(together[i].gradient, alone[i].gradient));
    }
  }
}

TEST_CASE("a thread begins with the same default generator and does not move another's") {
  manual_seed(5);
  default_rng().split();
  uint64_t seed = 1, splits = 1;
  std::thread([&] {
    seed = default_rng().seed(), splits = default_rng().splits();
    manual_seed(9);
  }).join();
  CHECK(seed == 0);
  CHECK(splits == 0);
  CHECK(default_rng().seed() == 5);
  CHECK(default_rng().splits() == 1);
}

}  // namespace
}  // namespace vitrail
