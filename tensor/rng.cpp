#include "tensor/rng.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

constexpr uint64_t low_word(uint64_t x) { return x & 0xffffffffu; }

// Mixes two words into one (the finaliser of SplitMix64; Steele et al., OOPSLA 2014): streams of different keys are unrelated.
uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t x = a + 0x9e3779b97f4a7c15u * (b + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr uint64_t kSplitMark = 0x73706c6974u;  // so that split() and at() give different streams
constexpr uint64_t kKeyMark = 0x6b6579u;

double unit(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

template <class Fn>
Tensor filled(const Shape& shape, Dtype dtype, const char* op, Fn&& value) {
  Tensor x = empty(shape, dtype, op);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* out = x.mutable_data<T>();
    parallel_for(x.numel(), 1024, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(value(i));
    });
  });
  return x;
}

}  // namespace

Rng Rng::split() { return Rng(seed_, mix(mix(stream_, kSplitMark), splits_++)); }
Rng Rng::at(uint64_t key) const { return Rng(seed_, mix(mix(stream_, kKeyMark), key)); }

std::array<uint32_t, 4> Rng::block(uint64_t index) const {
  uint64_t c0 = low_word(index), c1 = index >> 32, c2 = low_word(stream_), c3 = stream_ >> 32;
  uint64_t k0 = low_word(seed_), k1 = seed_ >> 32;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53u * c0, p1 = 0xCD9E8D57u * c2;
    c0 = (p1 >> 32) ^ c1 ^ k0;
    c1 = low_word(p1);
    c2 = (p0 >> 32) ^ c3 ^ k1;
    c3 = low_word(p0);
    k0 = low_word(k0 + 0x9E3779B9u);
    k1 = low_word(k1 + 0xBB67AE85u);
  }
  return {static_cast<uint32_t>(c0), static_cast<uint32_t>(c1), static_cast<uint32_t>(c2), static_cast<uint32_t>(c3)};
}

double Rng::uniform(uint64_t index) const {
  const auto w = block(index);
  return unit(uint64_t{w[0]} << 32 | w[1]);
}

double Rng::normal(uint64_t index) const {
  const auto w = block(index);
  const double u = 1 - unit(uint64_t{w[0]} << 32 | w[1]);  // in (0, 1]: the logarithm is finite
  const double v = unit(uint64_t{w[2]} << 32 | w[3]);
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

uint64_t Rng::below(uint64_t index, uint64_t n) const {
  check(n >= 1, ErrorKind::kValue, "rng", "below(n) needs n >= 1");
  const auto w = block(index);
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((Wide{uint64_t{w[0]} << 32 | w[1]} * n) >> 64);
}

Rng& default_rng() {
  thread_local Rng rng(0);
  return rng;
}

void manual_seed(uint64_t seed) { default_rng() = Rng(seed); }

Tensor rand_uniform(const Shape& shape, double low, double high, const Rng& rng, Dtype dtype) {
  return filled(shape, dtype, "rand_uniform", [&](int64_t i) { return low + (high - low) * rng.uniform(i); });
}

Tensor rand_normal(const Shape& shape, double mean, double stddev, const Rng& rng, Dtype dtype) {
  return filled(shape, dtype, "rand_normal", [&](int64_t i) { return mean + stddev * rng.normal(i); });
}

Tensor rand_int(const Shape& shape, int64_t low, int64_t high, const Rng& rng) {
  check(low < high, ErrorKind::kValue, "rand_int", "low must be below high: low is ", low, ", high is ", high);
  return filled(shape, Dtype::i64, "rand_int", [&](int64_t i) {
    // Unsigned: high - low may be more than an int64_t holds.
    const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + rng.below(i, range));
  });
}

Tensor rand_permutation(int64_t n, const Rng& rng) {
  check(n >= 0, ErrorKind::kValue, "rand_permutation", "n must not be negative: n is ", n);
  Tensor x = arange(0, static_cast<double>(n), 1, Dtype::i64);
  int64_t* p = x.mutable_data<int64_t>();
  // LAB 5.6 BEGIN  Fisher and Yates: for i = n - 1, ..., 1, exchange places i and rng.below(i, i + 1)
  for (int64_t i = n - 1; i > 0; --i) std::swap(p[i], p[rng.below(i, i + 1)]);
  // LAB 5.6 END
  return x;
}

}  // namespace vitrail
