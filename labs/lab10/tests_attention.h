// Lab 10, exercise 10.5: attention in tiles, against the plain loops of lab 6, and its memory.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "labs/common/lab.h"
#include "labs/lab10/counted_memory.h"
#include "labs/lab10/tiled.h"
#include "tensor/ops.h"
#include "tensor/reference/attention.h"

namespace {

using namespace vitrail;

struct Tiled {
  lab::AttentionSize size;
  std::vector<double> q, k, v, dout, out, logsum, dq, dk, dv;

  static std::vector<double> numbers(int64_t rows, int64_t width, uint64_t stream, double deviation) {
    return to_vector<double>(contiguous(lab::random({rows, width}, stream, 0, deviation)));
  }
  Tiled(int64_t queries, int64_t keys, int64_t width, int64_t tile, double deviation = 1, uint64_t stream = 1051)
      : size{queries, keys, width, 1 / std::sqrt(static_cast<double>(width)), tile},
        q(numbers(queries, width, stream, deviation)),
        k(numbers(keys, width, stream + 1, deviation)),
        v(numbers(keys, width, stream + 2, 1)),
        dout(numbers(queries, width, stream + 3, 1)),
        out(q.size(), std::nan("")),
        logsum(static_cast<size_t>(queries), std::nan("")),
        dq(q.size(), std::nan("")),
        dk(k.size(), std::nan("")),
        dv(v.size(), std::nan("")) {}

  void forward() { lab::tiled_attention(size, q.data(), k.data(), v.data(), out.data(), logsum.data()); }
  void backward() {
    lab::tiled_attention_backward(size, q.data(), k.data(), v.data(), out.data(), logsum.data(), dout.data(), dq.data(),
                                  dk.data(), dv.data());
  }
  static Tensor head(const std::vector<double>& x, int64_t rows, int64_t width) { return from_vector(x, {1, 1, rows, width}); }
  Tensor of_queries(const std::vector<double>& x) const { return head(x, size.queries, size.width); }
  Tensor of_keys(const std::vector<double>& x) const { return head(x, size.keys, size.width); }
  reference::AttentionInput input() const { return {of_queries(q), of_keys(k), of_keys(v), {}, size.scale, false}; }
  std::string wrong_forward() {
    forward();
    Tensor wanted = zeros({1, 1, size.queries, size.width}, Dtype::f64);
    reference::attention(input(), wanted, {});
    return lab::difference(of_queries(out), wanted, 1e-11);
  }
  // log sum_j e^(S_ij) for scores that need no shift.
  std::vector<double> plain_logsum() const {
    const Tensor scores =
        matmul(from_vector(q, {size.queries, size.width}), transpose(from_vector(k, {size.keys, size.width})));
    return to_vector<double>(log(sum(exp(scores * size.scale), {1})));
  }
  // "" or the first gradient that is wrong. out and logsum come from plain loops, so that forward costs no points here.
  std::string wrong_backward() {
    Tensor plain = zeros({1, 1, size.queries, size.width}, Dtype::f64);
    reference::attention(input(), plain, {});
    out = to_vector<double>(plain);
    logsum = plain_logsum();
    backward();
    Tensor wq = zeros_like(of_queries(q)), wk = zeros_like(of_keys(k)), wv = zeros_like(of_keys(v));
    reference::attention_backward(input(), of_queries(dout), wq, wk, wv, {});
    const std::string in_q = lab::difference(of_queries(dq), wq, 1e-11), in_k = lab::difference(of_keys(dk), wk, 1e-11),
                      in_v = lab::difference(of_keys(dv), wv, 1e-11);
    if (!in_q.empty()) return "dQ: " + in_q;
    if (!in_k.empty()) return "dK: " + in_k;
    return in_v.empty() ? "" : "dV: " + in_v;
  }
};

// Two queries, three keys of width 2, with numbers that a person can follow.
Tiled fixed_tiled(int64_t tile) {
  Tiled t(2, 3, 2, tile);
  t.size.scale = 0.5;
  t.q = {1, 0, -1, 2}, t.k = {1, 1, 3, 0, 0, 2}, t.v = {1, 2, 3, 4, 5, 7}, t.dout = {1, 0, -1, 0.5};
  return t;
}
std::string all_of(const std::vector<double>& x) { return lab::digits(x, 5); }

}  // namespace

LAB_PROBE("10.5") {
  Tiled t = fixed_tiled(3);
  t.forward();
  return all_of(t.out) + "; " + all_of(t.logsum);
}
LAB_PROBE("10.5") {
  Tiled t = fixed_tiled(1);
  t.forward();
  return all_of(t.out) + "; " + all_of(t.logsum);
}
LAB_PROBE("10.5") {  // the largest score by far comes first
  Tiled t = fixed_tiled(1);
  t.k = {9000, 9000, 3, 0, 0, 2};
  t.forward();
  return all_of(t.out);
}
LAB_PROBE("10.5") {
  Tiled t = fixed_tiled(2);
  t.v.resize(100, 1000.0), t.k.resize(100, 0.0);
  t.forward();
  return all_of(t.out);
}
LAB_PROBE("10.5") {
  Tiled t = fixed_tiled(3);
  t.out = {2, 3, 4, 5}, t.logsum = {1.5, 2};
  t.backward();
  return all_of(t.dq) + "; " + all_of(t.dk) + "; " + all_of(t.dv);
}
LAB_PROBE("10.5") {
  Tiled t(40, 60, 2, 4);
  const int64_t most = lab::most_bytes_of([&] { t.forward(), t.backward(); });
  return cat(most > 4096);
}

TEST_SUITE("10.5") {
  TEST_CASE("one tile holds all keys") {
    CHECK(Tiled(3, 5, 4, 5).wrong_forward() == "");
    CHECK(Tiled(4, 2, 3, 64).wrong_forward() == "");
  }
  TEST_CASE("several tiles, and a last one that is smaller") {
    CHECK(Tiled(3, 6, 4, 3).wrong_forward() == "");
    CHECK(Tiled(5, 7, 3, 3).wrong_forward() == "");
    CHECK(Tiled(1, 13, 2, 4).wrong_forward() == "");
  }
  TEST_CASE("the result does not depend on the tile, even for a tile of one key") {
    lab::Dice dice(1052);
    for (int round = 0; round < 8; ++round) {
      const int64_t queries = dice.roll(1, 6), keys = dice.roll(1, 20), width = dice.roll(1, 6);
      CHECK(Tiled(queries, keys, width, 1, 1, 1060 + static_cast<uint64_t>(round)).wrong_forward() == "");
      CHECK(Tiled(queries, keys, width, dice.roll(2, 8), 1, 1060 + static_cast<uint64_t>(round)).wrong_forward() == "");
    }
  }
  TEST_CASE("scores of some hundreds, in every order: the largest may come late") {
    CHECK(Tiled(6, 11, 4, 2, 20).wrong_forward() == "");
    Tiled rising(1, 6, 1, 2);
    rising.size.scale = 1;
    rising.q = {1}, rising.k = {-900, -300, 0, 300, 600, 900};
    CHECK(rising.wrong_forward() == "");
    rising.k = {900, 600, 300, 0, -300, -900};
    CHECK(rising.wrong_forward() == "");
  }
  TEST_CASE("logsum is the logarithm of the sum of the powers of all scores") {
    Tiled t(4, 9, 3, 4);
    t.forward();
    CHECK(lab::difference(from_vector(t.logsum, {4}), from_vector(t.plain_logsum(), {4}), 1e-11) == "");
  }
  TEST_CASE("backward: the three gradients") {
    CHECK(Tiled(3, 5, 4, 2).wrong_backward() == "");
    CHECK(Tiled(5, 2, 3, 4).wrong_backward() == "");
    CHECK(Tiled(1, 8, 2, 3).wrong_backward() == "");
    CHECK(Tiled(7, 7, 5, 3, 2).wrong_backward() == "");
  }
  TEST_CASE("the memory does not grow with queries times keys") {
    Tiled t(120, 160, 4, 16);  // P would be 153,600 bytes
    const int64_t forward = lab::most_bytes_of([&] { t.forward(); }), backward = lab::most_bytes_of([&] { t.backward(); });
    CHECK_FALSE(std::isnan(t.logsum[0]));
    CHECK_FALSE(std::isnan(t.dq[0]));
    CHECK(forward <= 4096);
    CHECK(backward <= 4096);
  }
}
