// Which form runs: PlainGuard, its names and its thread.
#include <thread>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/softmax.h"
#include "tests/support/plain_test.h"

namespace vitrail {
namespace {

using testing::random_tensor;

TEST_CASE("a guard makes the named operations run their plain form, for as long as it lives") {
  const Tensor x = random_tensor({3, 5}, Dtype::f32, 1);
  const PlainGuard around("gelu");
  softmax(x);
  {
    const PlainGuard guard(" softmax, log_softmax");
    softmax(x);
    softmax(x);
    gelu(x);
    exp(x);
    CHECK(guard.runs(PlainOp::kSoftmax) == 2);
    CHECK(guard.runs(PlainOp::kLogSoftmax) == 0);
    CHECK(guard.runs(PlainOp::kGelu) == 1);  // of the guard around it
    CHECK(guard.runs(PlainOp::kElementwise) == 0);
  }
  softmax(x);
  CHECK(around.runs(PlainOp::kSoftmax) == 2);
}

TEST_CASE("a guard belongs to its thread") {
  const Tensor x = random_tensor({3, 5}, Dtype::f32, 1);
  const PlainGuard guard("all");
  bool plain_there = true;
  std::thread([&] { plain_there = runs_plain(PlainOp::kSoftmax); }).join();
  CHECK_FALSE(plain_there);
  CHECK(runs_plain(PlainOp::kSoftmax));
}

TEST_CASE("the plain form is another calculation: its bits differ somewhere from the fast form's") {
  const Tensor x = random_tensor({64, 257}, Dtype::f32, 1);
  const Tensor fast = softmax(x), fast_exp = exp(x);
  const PlainGuard guard("all");
  CHECK_FALSE(bit_equal(softmax(x), fast));
  CHECK_FALSE(bit_equal(exp(x), fast_exp));
}

TEST_CASE("names of operations: lists, all, none, and unknown ones") {
  CHECK(plain_ops_from_names("") == 0);
  CHECK(plain_ops_from_names(" , ") == 0);
  CHECK(plain_ops_from_names("matmul") == 1u << static_cast<int>(PlainOp::kMatmul));
  CHECK(plain_ops_from_names("round_to_bf16,copy") ==
        (1u << static_cast<int>(PlainOp::kRounding) | 1u << static_cast<int>(PlainOp::kCopy)));
  uint32_t every = 0;
  for (int i = 0; i < kPlainOps; ++i) every |= plain_ops_from_names(plain_name(static_cast<PlainOp>(i)));
  CHECK(plain_ops_from_names("all") == every);
  CHECK_THROWS_WITH_AS(PlainGuard("softmax,sofmax"),
                       doctest::Contains("it is \"sofmax\". Hint: VITRAIL_PLAIN and PlainGuard take a list with commas of all, "
                                         "matmul, linear, softmax,"),
                       Error);
  CHECK_THROWS_WITH_AS(PlainGuard("sofmax"), doctest::Contains("round_to_bf16."), Error);
  CHECK_FALSE(runs_plain(PlainOp::kSoftmax));
}

}  // namespace
}  // namespace vitrail
