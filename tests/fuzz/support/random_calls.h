// Random calls of operators for fuzzing: a call is a function of (seed, number), so a finding is two numbers.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/safetensors.h"

namespace vitrail::fuzz {

// Numbers by SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
class Draw {
 public:
  Draw(uint64_t seed, uint64_t number) : state_(seed * 0x9e3779b97f4a7c15 + number) { next(); }
  uint64_t next();
  int64_t below(int64_t n) { return static_cast<int64_t>(next() % static_cast<uint64_t>(n)); }
  bool one_in(int64_t n) { return below(n) == 0; }
  template <class List>
  auto& pick(List& list) {
    return list[static_cast<size_t>(below(static_cast<int64_t>(std::size(list))))];
  }

 private:
  uint64_t state_;
};

struct RandomCall {
  std::string op;
  SafetensorsFile file;
  std::string text() const;  // the operator, its inputs and attributes, for a report
};

// Call `number` of the sequence of this seed: mostly the sample call of an operator with some rules broken (other shapes of
// rank 0 to 5 with extents of 0, 1 or 2^33, other dtypes, NaN, infinity and extreme integers, attributes of other types and
// ranges, unknown ones, inputs too many or too few).
RandomCall random_call(uint64_t seed, uint64_t number);

// Runs it forward and, if `backward`, again with a gradient for its first output. "" if it gave a result, else the Error that
// refused it. Any other exception is a finding and gets out.
std::string run(RandomCall& call, bool backward);

}  // namespace vitrail::fuzz
