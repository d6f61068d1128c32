// Gradient checkpointing: the same numbers, less memory.
#include "autograd/checkpoint.h"

#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "tensor/ops.h"

using namespace vitrail;

namespace {

using Block = std::function<Variable(const Variable&)>;

Variable random_leaf(const Shape& shape, uint64_t seed) { return Variable(rand_normal(shape, 0, 1, Rng(seed)), true); }

// Gradients of x and w of a block that uses w inside, through `call`.
struct Result {
  Tensor y, dx, dw;
  uint64_t splits;  // how far the random numbers have moved
};
Result run(const std::function<Variable(const Block&, const Variable&)>& call) {
  manual_seed(7);
  const Variable x = random_leaf({16, 32}, 1), w = random_leaf({32}, 2);
  const Block block = [w](const Variable& h) {
    return dropout(tanh(h * w), 0.5, true, default_rng().split()) + dropout(sin(h), 0.25, true, default_rng().split());
  };
  const Variable y = call(block, square(x));
  const Variable more = dropout(y, 0.5, true, default_rng().split());
  more.backward(rand_normal(y.shape(), 0, 1, Rng(3)));
  return {y.value(), x.grad(), w.grad(), default_rng().splits()};
}

}  // namespace

TEST_CASE("a checkpoint gives the same bits of value and gradients, with dropout inside") {
  const Result plain = run([](const Block& block, const Variable& x) { return block(x); });
  const Result saved = run([](const Block& block, const Variable& x) { return checkpoint(block, x); });
  CHECK(bit_equal(plain.y, saved.y));
  CHECK(bit_equal(plain.dx, saved.dx));
  CHECK(bit_equal(plain.dw, saved.dw));
  CHECK(plain.splits == saved.splits);
}

TEST_CASE("a checkpoint keeps only its input alive") {
  const Block block = [](const Variable& x) { return sin(exp(tanh(sin(exp(tanh(x)))))); };
  const Variable x = random_leaf({1000}, 1);
  const auto bytes_kept = [&](const Variable& y) { return memory_stats().live_bytes - y.value().storage()->bytes(); };
  const int64_t before = memory_stats().live_bytes;
  const int64_t plain = bytes_kept(block(x)) - before;
  const int64_t saved = bytes_kept(checkpoint(block, x)) - before;
  CHECK(plain >= 4 * 4000);  // each tanh and exp keeps its result, which is also what sin and exp after it need
  CHECK(saved < 1000);
}

TEST_CASE("parameters inside a checkpoint get their gradients although the input needs none") {
  const Variable w = random_leaf({4}, 1);
  const Variable x(rand_normal({4}, 0, 1, Rng(2)));
  sum(checkpoint([w](const Variable& h) { return h * w; }, x)).backward();
  CHECK(bit_equal(w.grad(), x.value()));
}

TEST_CASE("checkpoints may be nested") {
  const Block inner = [](const Variable& h) { return exp(sin(h)); };
  const Block outer = [inner](const Variable& h) { return square(checkpoint(inner, h)); };
  const Variable a = random_leaf({5}, 1), b(a.value(), true);
  sum(square(inner(a))).backward();
  sum(checkpoint(outer, b)).backward();
  CHECK(bit_equal(a.grad(), b.grad()));
}

TEST_CASE("under a NoGradGuard a checkpoint is the function itself") {
  const NoGradGuard no_grad;
  CHECK_FALSE(checkpoint([](const Variable& h) { return exp(h); }, random_leaf({2}, 1)).requires_grad());
}
