// Lab 10, exercise 10.2: what layers cost, and what a profile says.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/profile.h"
#include "labs/common/lab.h"
#include "nn/lora.h"
#include "nn/nn.h"
#include "nn/summary.h"
#include "tensor/machine/flops.h"
#include "tensor/ops.h"

namespace {

using namespace vitrail;

Variable number_leaf(const Shape& shape, uint64_t stream = 1) {
  return Variable(contiguous(lab::random(shape, stream, 0, 1, Dtype::f32)), true);
}

const ProfileEntry* entry_of(const Profile& profile, const std::string& name, Pass pass) {
  for (const ProfileEntry& e : profile.entries()) {
    if (e.name == name && e.pass == pass) return &e;
  }
  return nullptr;
}
int64_t bytes_of(const Profile& profile, const std::string& name, Pass pass) {
  const ProfileEntry* const e = entry_of(profile, name, pass);
  return e ? e->bytes : -1;
}
int64_t flops_of(const Profile& profile, const std::string& name, Pass pass) {
  const ProfileEntry* const e = entry_of(profile, name, pass);
  return e ? e->flops : -1;
}
// "linear forward 2 calls 96 flops 40 bytes; ..." without times.
std::string text_of(const Profile& profile) {
  std::string text;
  for (const ProfileEntry& e : profile.entries()) {
    if (e.pass != Pass::kOther) text += cat(e.name, " ", name_of(e.pass), " ", e.calls, " ", e.flops, " ", e.bytes, "; ");
  }
  return text;
}

// Three laps of some milliseconds: what the profile tells, what passed at least, and at most.
struct Busy {
  double told = 0, inside = 0, outside = 0;
};
Busy busy_laps() {
  const auto now = [] { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); };
  Busy busy;
  const double start = now();
  Profile profile;
  for (int i = 0; i < 3; ++i) {
    const double begin = now();
    while (now() - begin < 0.002) {
    }
    busy.inside += now() - begin;
    profile.lap("busy", Pass::kOther);
  }
  busy.told = profile.total_seconds();
  busy.outside = now() - start;
  return busy;
}

// Multiply-adds of a layer as the products of its forward pass count them.
int64_t counted_macs(nn::Layer& layer, const Shape& input) {
  const NoGradGuard no_grad;
  const Variable x(zeros(input));
  const int64_t before = counted_flops();
  layer(x);
  return (counted_flops() - before) / 2;
}
int64_t told_macs(nn::Layer& layer, const Shape& input) {
  const NoGradGuard no_grad;
  return layer.macs(input, layer(Variable(zeros(input))).shape());
}

}  // namespace

LAB_PROBE("10.2") {
  nn::Linear linear(3, 5, Rng(1));
  nn::Conv2d conv(4, 6, 3, 2, Rng(1), {.groups = 2});
  nn::MultiHeadAttention attention(12, 3, Rng(1), {.head_dim = 2});
  return cat(told_macs(linear, {2, 7, 3}), " ", told_macs(conv, {2, 4, 5, 4}), " ", attention.macs({2, 5, 12}, {2, 5, 12}));
}
LAB_PROBE("10.2") {
  nn::MultiHeadAttention attention(6, 2, Rng(1));
  Rng rng(1);
  nn::add_lora(attention, {.rank = 2, .targets = "qkv"}, rng);
  const int64_t before = attention.qkv.macs({3, 6}, {3, 18});
  attention.qkv.merge();
  return cat(before, " ", attention.qkv.macs({3, 6}, {3, 18}));
}
LAB_PROBE("10.2") {
  nn::MultiHeadAttention attention(6, 2, Rng(1));
  Rng rng(1);
  nn::add_lora(attention, {.rank = 2, .targets = "q,v"}, rng);
  return cat(attention.qkv.updates().size(), " ", attention.qkv.macs({3, 6}, {3, 18}));
}
LAB_PROBE("10.2") {
  const Variable x = number_leaf({4, 3}), w = number_leaf({5, 3});
  Profile profile;
  sum(gelu(linear(x, w))).backward();
  gelu(x);
  return text_of(profile);
}
LAB_PROBE("10.2") {
  const Variable x = number_leaf({4, 3});
  Profile profile;
  transpose(x).backward(ones({3, 4}));
  neg(expand(number_leaf({1, 3}), {4, 3}));
  return text_of(profile);
}
LAB_PROBE("10.2") {
  Profile profile;
  profile.lap("a", Pass::kForward, 10), profile.lap("a", Pass::kForward, 5), profile.lap("a", Pass::kBackward, 1);
  count_flops(6);
  profile.lap("b", Pass::kForward), profile.lap("a", Pass::kForward, 2);
  return text_of(profile);
}

LAB_PROBE("10.2") {
  const Busy busy = busy_laps();
  return cat(busy.told >= busy.inside, busy.told <= busy.outside);
}

TEST_SUITE("10.2") {
  TEST_CASE("linear: every row of the output meets the whole weight") {
    lab::Dice dice(1021);
    for (int round = 0; round < 10; ++round) {
      const int64_t batch = dice.roll(1, 4), tokens = dice.roll(1, 6), in = dice.roll(1, 9), out = dice.roll(1, 9);
      nn::Linear layer(in, out, Rng(1));
      CHECK(told_macs(layer, {batch, tokens, in}) == batch * tokens * in * out);
      CHECK(told_macs(layer, {batch, tokens, in}) == counted_macs(layer, {batch, tokens, in}));
    }
  }
  TEST_CASE("linear with low-rank updates: their two small products are paid, too, until they are merged") {
    nn::MultiHeadAttention attention(10, 2, Rng(1));
    Rng rng(2);
    nn::add_lora(attention, {.rank = 3, .targets = "qkv"}, rng);
    CHECK(attention.qkv.macs({2, 5, 10}, {2, 5, 30}) == 2 * 5 * (10 * 30 + 10 * 3 + 3 * 30));
    attention.qkv.merge();
    CHECK(attention.qkv.macs({2, 5, 10}, {2, 5, 30}) == 2 * 5 * 10 * 30);
    nn::MultiHeadAttention two(10, 2, Rng(1));  // an update of the rows of q, one of those of v
    nn::add_lora(two, {.rank = 3, .targets = "q,v"}, rng);
    REQUIRE(two.qkv.updates().size() == 2);
    CHECK(two.qkv.macs({2, 5, 10}, {2, 5, 30}) == 2 * 5 * (10 * 30 + 2 * (10 * 3 + 3 * 10)));
  }
  TEST_CASE("convolution: each number of the output sees a window of its group's channels") {
    lab::Dice dice(1022);
    for (int round = 0; round < 10; ++round) {
      const int64_t groups = dice.roll(1, 3), in = groups * dice.roll(1, 3), out = groups * dice.roll(1, 3);
      const int64_t height = dice.roll(3, 7), width = dice.roll(3, 7), batch = dice.roll(1, 3);
      nn::Conv2d layer(in, out, 3, 2, Rng(1), {.groups = groups});
      CHECK(told_macs(layer, {batch, in, height, width}) == batch * out * (height - 2) * (width - 1) * (in / groups) * 3 * 2);
    }
  }
  TEST_CASE("attention: the scores and the sum of the values, for every pair of tokens") {
    nn::MultiHeadAttention attention(12, 3, Rng(1), {.head_dim = 5});
    CHECK(attention.macs({2, 7, 12}, {2, 7, 12}) == 2 * (2 * 3 * 7 * 7 * 5));
    CHECK(attention.macs({1, 14, 12}, {1, 14, 12}) == 4 * attention.macs({1, 7, 12}, {1, 7, 12}));
  }
  TEST_CASE("an op reads its inputs and writes its output; backward reads dy and writes the gradients") {
    const Variable x = number_leaf({8, 6}), w = number_leaf({5, 6});
    Profile profile;
    sum(gelu(linear(x, w))).backward();
    CHECK(bytes_of(profile, "linear", Pass::kForward) == 4 * (8 * 6 + 5 * 6 + 8 * 5));
    CHECK(bytes_of(profile, "linear", Pass::kBackward) == 4 * (8 * 5 + 8 * 6 + 5 * 6));
    CHECK(bytes_of(profile, "gelu", Pass::kForward) == 4 * (8 * 5 + 8 * 5));
    CHECK(flops_of(profile, "linear", Pass::kForward) == 2 * 8 * 6 * 5);
    CHECK(flops_of(profile, "linear", Pass::kBackward) == 2 * 2 * 8 * 6 * 5);
    CHECK(flops_of(profile, "gelu", Pass::kForward) == 0);
  }
  TEST_CASE("a view moves nothing, forward and backward; an expanded input counts the memory that it has") {
    const Variable x = number_leaf({4, 6});
    Profile profile;
    transpose(x).backward(ones({6, 4}));
    for (const ProfileEntry& e : profile.entries()) CHECK(e.bytes == 0);
    Profile second;
    neg(expand(number_leaf({1, 16}), {9, 16}));
    CHECK(bytes_of(second, "neg", Pass::kForward) == 4 * (16 + 9 * 16));
  }
  TEST_CASE("laps of one name and pass are added up, those of another pass are not; the order is that of the first laps") {
    Profile profile;
    profile.lap("read", Pass::kForward, 10);
    profile.lap("write", Pass::kForward, 3);
    count_flops(40);
    profile.lap("read", Pass::kBackward, 7);
    count_flops(2);
    profile.lap("read", Pass::kForward, 5);
    profile.lap("read", Pass::kForward, 1);
    const std::string text = text_of(profile);
    CHECK(text == "read forward 3 2 16; write forward 1 0 3; read backward 1 40 7; ");
    double seconds = 0;
    for (const ProfileEntry& e : profile.entries()) seconds += e.seconds;
    CHECK(profile.total_seconds() == doctest::Approx(seconds));
  }
  TEST_CASE("a lap ends now: its time is added to its entry, and no time is counted twice") {
    const Busy busy = busy_laps();
    CHECK(busy.told >= busy.inside);
    CHECK(busy.told <= busy.outside);
  }
}
