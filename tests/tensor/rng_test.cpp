#include "tensor/rng.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tensor/machine/parallel.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

namespace {

using Words = std::array<uint32_t, 4>;

// Philox4x32-10 written down from the paper (section 3.3 of Salmon et al.), word by word, to compare with.
Words plain_philox(Words c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    const uint64_t a = uint64_t{0xD2511F53u} * c[0], b = uint64_t{0xCD9E8D57u} * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ k0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ k1, uint32_t(a)};
  }
  return c;
}

// Mean of fn(i) over n values.
template <class Fn>
double mean_of(int n, Fn&& fn) {
  double total = 0;
  for (int i = 0; i < n; ++i) total += fn(i);
  return total / n;
}

}  // namespace

TEST_CASE("rng: Philox4x32-10 gives the published known answers") {
  CHECK(Rng(0, 0).block(0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(Rng(~0ull, ~0ull).block(~0ull) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  // Counter and key from the digits of pi.
  CHECK(Rng(0x299f31d0'a4093822ull, 0x03707344'13198a2eull).block(0x85a308d3'243f6a88ull) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("rng: every word equals an independent implementation, the index below the stream, the seed as key") {
  for (uint64_t i = 0; i < 500; ++i) {
    const uint64_t seed = i * 0x9e3779b97f4a7c15ull, stream = ~seed, index = seed ^ (i << 40);
    const Words counter{uint32_t(index), uint32_t(index >> 32), uint32_t(stream), uint32_t(stream >> 32)};
    CHECK(Rng(seed, stream).block(index) == plain_philox(counter, uint32_t(seed), uint32_t(seed >> 32)));
  }
}

TEST_CASE("rng: uniform numbers lie in [0, 1) with the moments of the distribution") {
  const Rng rng(1);
  const int n = 100000;
  for (int i = 0; i < n; ++i) REQUIRE((rng.uniform(i) >= 0 && rng.uniform(i) < 1));
  CHECK(std::fabs(mean_of(n, [&](int i) { return rng.uniform(i); }) - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::fabs(mean_of(n, [&](int i) { return std::pow(rng.uniform(i) - 0.5, 2); }) - 1.0 / 12) < 0.002);
  CHECK(std::fabs(mean_of(n, [&](int i) { return (rng.uniform(i) - 0.5) * (rng.uniform(i + 1) - 0.5); })) < 0.002);
}

TEST_CASE("rng: normal numbers have mean 0, variance 1, no skew, kurtosis 3") {
  const Rng rng(2);
  const int n = 100000;
  const auto moment = [&](int k) { return mean_of(n, [&](int i) { return std::pow(rng.normal(i), k); }); };
  CHECK(std::fabs(moment(1)) < 0.016);
  CHECK(std::fabs(moment(2) - 1) < 0.023);
  CHECK(std::fabs(moment(3)) < 0.062);
  CHECK(std::fabs(moment(4) - 3) < 0.16);
}

TEST_CASE("rng: below(n) reaches every value about equally often and nothing else") {
  const Rng rng(3);
  std::vector<int> count(7, 0);
  for (int i = 0; i < 70000; ++i) ++count.at(rng.below(i, 7));
  for (int c : count) CHECK(std::abs(c - 10000) < 500);
  CHECK(refuses([&] { rng.below(0, 0); }, ErrorKind::kValue, "n >= 1"));
}

TEST_CASE("rng: keys give unrelated generators in any order, splits count on and resume") {
  Rng a(5), b(5);
  std::set<uint64_t> streams;
  for (uint64_t key = 0; key < 1000; ++key) streams.insert(a.at(key).stream()), streams.insert(a.split().stream());
  CHECK(streams.size() == 2000);
  b.set_splits(999);
  CHECK(b.split().stream() == (a.set_splits(999), a.split().stream()));
  CHECK(a.splits() == 1000);
}

TEST_CASE("rng: random tensors have the same bits for 1, 2 and 4 threads") {
  const int before = num_threads();
  set_num_threads(1);
  const Tensor one = rand_normal({100, 333}, 1, 2, Rng(6));
  for (int threads : {2, 4}) {
    set_num_threads(threads);
    CHECK(bit_equal(rand_normal({100, 333}, 1, 2, Rng(6)), one));
  }
  set_num_threads(before);
  CHECK(one.at({3, 4}) == doctest::Approx(1 + 2 * Rng(6).normal(3 * 333 + 4)));
}

TEST_CASE("rng: a permutation holds every number once and depends on the generator") {
  for (int64_t n : {0, 1, 2, 1000}) {
    std::vector<int64_t> p = to_vector<int64_t>(rand_permutation(n, Rng(7)));
    std::sort(p.begin(), p.end());
    for (int64_t i = 0; i < n; ++i) CHECK(p[i] == i);
  }
  CHECK(!bit_equal(rand_permutation(100, Rng(7)), rand_permutation(100, Rng(8))));
}

TEST_CASE("rng: a permutation puts every number at every place about equally often") {
  std::vector<int> count(16, 0);
  for (uint64_t round = 0; round < 4000; ++round) {
    const auto p = to_vector<int64_t>(rand_permutation(4, Rng(9).at(round)));
    for (size_t i = 0; i < 4; ++i) ++count[4 * i + p[i]];
  }
  for (int c : count) CHECK(std::abs(c - 1000) < 150);
}

TEST_CASE("rng: integers fill [low, high) and an empty range is refused") {
  for (int64_t value : to_vector<int64_t>(rand_int({1000}, -3, 4, Rng(10)))) CHECK((value >= -3 && value < 4));
  CHECK(refuses([] { rand_int({1}, 2, 2, Rng(1)); }, ErrorKind::kValue, "low must be below high: low is 2, high is 2"));
}

TEST_CASE("rng: integers over the whole range of int64, and a permutation of a negative length is refused") {
  constexpr int64_t kLow = std::numeric_limits<int64_t>::min(), kHigh = std::numeric_limits<int64_t>::max();
  int64_t negative = 0;
  for (const int64_t value : to_vector<int64_t>(rand_int({1000}, kLow, kHigh, Rng(11)))) negative += value < 0 ? 1 : 0;
  CHECK((negative > 400 && negative < 600));
  for (const int64_t value : to_vector<int64_t>(rand_int({100}, kHigh - 3, kHigh, Rng(12)))) CHECK(value >= kHigh - 3);
  for (const int64_t value : to_vector<int64_t>(rand_int({100}, kLow, kLow + 3, Rng(13)))) CHECK(value < kLow + 3);
  CHECK(refuses([] { rand_permutation(-1, Rng(1)); }, ErrorKind::kValue, "n is -1"));
}
