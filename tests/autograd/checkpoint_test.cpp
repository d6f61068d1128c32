// Gradient checkpointing: the same numbers, less memory.
#include "autograd/checkpoint.h"

#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "tensor/plain.h"
#include "tensor/precision.h"

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
  const Block block = [](const Variable& x) { return sin(exp(sin(exp(sin(exp(sin(exp(x)))))))); };
  const Variable x = random_leaf({1000}, 1);
  const auto bytes_kept = [&](const Variable& y) { return memory_stats().live_bytes - y.value().storage()->bytes(); };
  const int64_t before = memory_stats().live_bytes;
  const int64_t plain = bytes_kept(block(x)) - before;
  const int64_t saved = bytes_kept(checkpoint(block, x)) - before;
  CHECK(plain >= 4 * 4000);  // each exp keeps its result, which is also what the sin after it needs
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

// ---- the modes of the forward pass ----

namespace {

using Call = std::function<Variable(const Block&, const Variable&)>;
const Call kPlain = [](const Block& block, const Variable& x) { return block(x); };
const Call kCheckpoint = [](const Block& block, const Variable& x) { return checkpoint(block, x); };

}  // namespace

TEST_CASE("a checkpoint is recomputed in the precision of its forward pass") {
  const auto gradient = [](const Call& call) {
    const Variable w = random_leaf({64, 64}, 1);
    const Block block = [w](const Variable& h) { return linear(square(linear(h, w)), w); };
    Variable y;
    {
      const PrecisionGuard guard(Precision::kBf16);
      y = call(block, Variable(rand_normal({64, 64}, 0, 1, Rng(2))));
    }
    sum(square(y)).backward();
    return w.grad();
  };
  CHECK(bit_equal(gradient(kPlain), gradient(kCheckpoint)));
}

TEST_CASE("a checkpoint is recomputed on the plain loops if its forward pass ran on them") {
  const Tensor x = rand_normal({64, 48}, 0, 1, Rng(3));
  const Variable w(rand_normal({32, 48}, 0, 1, Rng(4)), true);
  const auto fn = [&](const Variable& v) { return softmax(linear(v, w), -1); };
  Variable y;
  {
    const PlainGuard plain("all");
    y = checkpoint(fn, Variable(x));
  }
  sum(square(y)).backward();  // throws if the recomputation gave other bits
  CHECK(w.grad().shape() == w.shape());
}

TEST_CASE("running statistics are moved once") {
  const auto statistics = [](const Call& call) {
    const Tensor mean = zeros({2}), var = ones({2});
    const Variable z(full({2, 2, 2, 2}, 10), true);
    const auto layer = [&](const Variable& t) { return batch_norm(t, {}, {}, mean, var, /*training=*/true); };
    sum(call(layer, z)).backward();
    return concat(std::vector<Tensor>{mean, var}, 0);
  };
  CHECK(bit_equal(statistics(kPlain), statistics(kCheckpoint)));
  CHECK(statistics(kCheckpoint).at({0}) == doctest::Approx(1.0));
}

TEST_CASE("what was training in the forward pass is training in the recomputation, also in a nested checkpoint") {
  bool training = true;
  int asked = 0;
  const Block layer = [&](const Variable& h) {
    ++asked;
    return replayed(training) ? h * h : h;
  };
  for (const bool nested : {false, true}) {
    training = true;
    const Block block = nested ? Block([&](const Variable& h) { return checkpoint(layer, h) * 2.0; }) : layer;
    const Variable x = random_leaf({3}, 1);
    const Variable y = checkpoint(block, x);
    training = false;
    sum(y).backward();
    CHECK(bit_equal(x.grad(), x.value() * (nested ? 4 : 2)));
  }
  CHECK(asked == 5);  // twice, and three times: forward, the outer recomputation, the inner one
  CHECK_FALSE(replayed(false));
  CHECK_FALSE(recomputing());
}

TEST_CASE("a function that takes another path the second time is refused") {
  bool first = true;
  const Block more = [&](const Variable& h) {
    if (!first) replayed(true);
    first = false;
    return h * 2.0;
  };
  CHECK_THROWS_WITH_AS(sum(checkpoint(more, random_leaf({3}, 1))).backward(),
                       doctest::Contains("asks for more modes than the forward pass did"), Error);
  double factor = 2;
  const Variable y = checkpoint([&](const Variable& h) { return h * factor; }, random_leaf({3}, 1));
  factor = 3;
  CHECK_THROWS_WITH_AS(sum(y).backward(), doctest::Contains("the recomputation gave other bits than the forward pass"), Error);
}

TEST_CASE("a checkpoint notices what changed before backward, even where the value does not show it") {
  const Tensor mask = ones({3}), factors = ones({3});
  const Variable zero(zeros({3}), true);
  Variable w = random_leaf({3}, 1);
  const Block block = [&](const Variable& h) { return where(to(mask, Dtype::u8), h, h * Variable(factors)) * w; };
  const auto backward_after = [&](const std::function<void()>& change) {
    const Variable y = sum(checkpoint(block, zero));
    change();
    y.backward();
  };
  CHECK_THROWS_WITH_AS(backward_after([&] { fill_(factors, 2); }), doctest::Contains("changed in place"), Error);
  CHECK_THROWS_WITH_AS(backward_after([&] { add_(w.value(), ones({3})); }), doctest::Contains("changed in place"), Error);
  CHECK_THROWS_WITH_AS(backward_after([&] { w.set_value(ones({3})); }), doctest::Contains("got another value"), Error);
  CHECK_THROWS_WITH_AS(backward_after([&] { fill_(zero.value(), 1); }), doctest::Contains("changed in place"), Error);
  backward_after([] {});
}

TEST_CASE("two backward passes through a checkpoint give twice the gradient") {
  const Variable x = random_leaf({5}, 1);
  const Variable y = sum(checkpoint([](const Variable& h) { return sin(h); }, x));
  y.backward({}, true);
  const Tensor once = clone(x.grad());
  y.backward();
  CHECK(bit_equal(x.grad(), once * 2));
}
