// The profiler: every lap belongs to one op, and the laps add up.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "autograd/checkpoint.h"
#include "autograd/ops.h"
#include "autograd/profile.h"
#include "tensor/machine/flops.h"
#include "tensor/ops.h"

using namespace vitrail;

namespace {

const ProfileEntry* find(const Profile& profile, const std::string& name, Pass pass) {
  for (const ProfileEntry& e : profile.entries())
    if (e.name == name && e.pass == pass) return &e;
  return nullptr;
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

Variable leaf(const Shape& shape) { return Variable(rand_normal(shape, 0, 1, Rng(1)), true); }

}  // namespace

TEST_CASE("ops are counted forward and backward, with the FLOPs of their products") {
  const Variable x = leaf({8, 32}), w = leaf({16, 32});
  const int64_t before = counted_flops();
  Profile profile;
  sum(gelu(linear(x, w))).backward();
  profile.stop();
  const int64_t product = 2 * 8 * 32 * 16;
  const ProfileEntry *forward = find(profile, "linear", Pass::kForward), *backward = find(profile, "linear", Pass::kBackward);
  REQUIRE(forward);
  REQUIRE(backward);
  CHECK(forward->calls == 1);
  CHECK(forward->flops == product);
  CHECK(forward->bytes == 4 * (8 * 32 + 16 * 32 + 8 * 16));
  CHECK(backward->flops == 2 * product);
  CHECK(backward->bytes == 4 * (8 * 16 + 8 * 32 + 16 * 32));
  REQUIRE(find(profile, "gelu", Pass::kBackward));
  CHECK(find(profile, "gelu", Pass::kBackward)->flops == 0);
  int64_t flops = 0;
  for (const ProfileEntry& e : profile.entries()) flops += e.flops;
  CHECK(flops == counted_flops() - before);
}

TEST_CASE("the entries add up to the time that was watched") {
  const auto start = std::chrono::steady_clock::now();
  Profile profile;
  const auto inner = std::chrono::steady_clock::now();
  const Variable x = leaf({64, 64});
  for (int i = 0; i < 20; ++i) sum(matmul(x, x)).backward();
  sleep_ms(5);
  const double least = std::chrono::duration<double>(std::chrono::steady_clock::now() - inner).count();
  profile.stop();
  const double most = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CHECK(profile.total_seconds() >= least);
  CHECK(profile.total_seconds() <= most);
}

TEST_CASE("time outside of ops is \"other\", time inside a scope is the scope's") {
  Profile profile;
  const Variable x = leaf({4});
  sleep_ms(4);
  {
    ProfileScope scope("loader");
    scope.add_bytes(123);
    sleep_ms(6);
  }
  const Variable y = neg(x);
  sleep_ms(5);
  y.backward(ones({4}));
  const ProfileEntry *other = find(profile, "other", Pass::kOther), *loader = find(profile, "loader", Pass::kOther);
  REQUIRE(other);
  REQUIRE(loader);
  CHECK(other->seconds >= 0.009);  // before the scope, and between forward and backward
  CHECK(loader->seconds >= 0.006);
  CHECK(loader->bytes == 123);
  CHECK(find(profile, "neg", Pass::kBackward)->calls == 1);
}

TEST_CASE("a view moves no bytes") {
  const Variable x = leaf({4, 6});
  Profile profile;
  transpose(x).backward(ones({6, 4}));
  for (const ProfileEntry& e : profile.entries()) CHECK_MESSAGE(e.bytes == 0, e.name);
}

TEST_CASE("ops are watched without gradients, too") {
  const Variable x = leaf({4, 4});
  const NoGradGuard no_grad;
  Profile profile;
  matmul(x, x);
  REQUIRE(find(profile, "matmul", Pass::kForward));
  CHECK(find(profile, "matmul", Pass::kForward)->flops == 2 * 4 * 4 * 4);
}

TEST_CASE("what a checkpoint computes again counts again, each op under its name") {
  const Variable x = leaf({4, 4}), w = leaf({4, 4});
  Profile profile;
  sum(checkpoint([&](const Variable& t) { return matmul(t, w); }, x)).backward();
  REQUIRE(find(profile, "matmul", Pass::kForward));
  CHECK(find(profile, "matmul", Pass::kForward)->calls == 2);
  CHECK(find(profile, "matmul", Pass::kBackward)->calls == 1);
  CHECK(find(profile, "checkpoint", Pass::kBackward)->calls == 1);
}

TEST_CASE("an inner profile pauses the outer one; without a profile nothing is kept") {
  const Variable x = leaf({4});
  CHECK(active_profile() == nullptr);
  {
    Profile outer;
    {
      Profile inner;
      neg(x);
      sleep_ms(20);
      inner.stop();
      CHECK(find(inner, "neg", Pass::kForward)->calls == 1);
      CHECK(inner.total_seconds() >= 0.02);
    }
    outer.stop();
    CHECK(find(outer, "neg", Pass::kForward) == nullptr);
    CHECK(outer.total_seconds() < 0.02);
  }
  CHECK(active_profile() == nullptr);
  neg(x);
}

TEST_CASE("a profile watches its own thread only") {
  const Variable x = leaf({4});
  Profile profile;
  std::thread([&] { neg(x); }).join();
  CHECK(find(profile, "neg", Pass::kForward) == nullptr);
}
