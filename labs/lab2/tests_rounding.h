// Lab 2, exercise 2.6: rounding against a search for the nearest bf16.
#pragma once

#include <bit>
#include <cmath>
#include <cstdio>

#include "labs/common/lab.h"
#include "tensor/reference/rounding.h"

using namespace vitrail;

namespace {

uint16_t rounded_bits(uint32_t bits) { return reference::round_to_bf16(std::bit_cast<float>(bits)).bits; }
bool is_nan(uint16_t bits) { return (bits & 0x7f80) == 0x7f80 && (bits & 0x7f) != 0; }
double value_of(uint16_t bits) { return double(std::bit_cast<float>(static_cast<uint32_t>(bits) << 16)); }

// The nearest of all bf16, found by looking at the neighbours in double: ties go to the even one. For finite x.
uint16_t nearest(uint32_t bits) {
  const auto down = static_cast<uint16_t>(bits >> 16);
  const auto up = static_cast<uint16_t>(down + 1);
  const double x = double(std::bit_cast<float>(bits));
  // Beyond the largest number the next one is taken as 2^128, as if the exponent went on.
  const double above = (up & 0x7fff) == 0x7f80 ? std::copysign(std::ldexp(1.0, 128), x) : value_of(up);
  const double low = std::abs(x - value_of(down)), high = std::abs(above - x);
  if (low != high) return low < high ? down : up;
  return down % 2 == 0 ? down : up;
}

std::string wrong_rounding(const std::vector<uint32_t>& inputs) {
  int64_t wrong = 0;
  std::string first;
  for (const uint32_t bits : inputs) {
    const uint16_t given = rounded_bits(bits), wanted = nearest(bits);
    if (given != wanted && wrong++ == 0)
      first = cat(std::bit_cast<float>(bits), " was rounded to ", value_of(given), ", it should be ", value_of(wanted));
  }
  return wrong == 0 ? "" : cat(first, " (", wrong, " of ", inputs.size(), " are wrong)");
}

std::string hex(uint16_t bits) {
  char text[8];
  std::snprintf(text, sizeof text, "%04x ", bits);
  return text;
}

}  // namespace

LAB_PROBE("2.6") {
  std::string text;
  for (const uint32_t bits : {0x3f808000u, 0x3f818000u, 0x3f807fffu, 0x3f808001u, 0xbf80c000u, 0x7f7fffffu, 0x7f800000u,
                              0x00018000u, 0x80000001u, 0x3fffffffu, 0x3f828000u})
    text += hex(rounded_bits(bits));
  return text;
}
LAB_PROBE("2.6") {
  return cat(is_nan(rounded_bits(0x7f800001u)), is_nan(rounded_bits(0x7fffffffu)), is_nan(rounded_bits(0xffc00000u)));
}
LAB_PROBE("2.6") {
  return lab::digits(std::vector<double>{reference::widen_bf16({0x3fc0}), reference::widen_bf16({0xc2f7})}, 4);
}

TEST_SUITE("2.6") {
  TEST_CASE("a float that is a bf16 keeps its bits, there and back") {
    std::string wrong;
    for (uint32_t upper = 0; upper < 65536 && wrong.empty(); ++upper) {
      const auto bits = static_cast<uint16_t>(upper);
      if (is_nan(bits)) continue;
      const float x = reference::widen_bf16(Bf16{bits});
      const uint16_t back = rounded_bits(upper << 16);
      if (std::bit_cast<uint32_t>(x) != upper << 16)
        wrong = cat("the bf16 ", hex(bits), "is widened to ", x, ", it should be ", value_of(bits));
      if (back != bits) wrong = cat("the float ", value_of(bits), " is the bf16 ", hex(bits), "and was rounded to ", hex(back));
    }
    CHECK(wrong == "");
  }
  TEST_CASE("to the nearest, above and below the middle") {
    CHECK(wrong_rounding({0x3f807fff, 0x3f808001, 0xbf807fff, 0xbf808001, 0x40490fdb, 0x00000001, 0x807fffff}) == "");
    lab::Dice dice(171);
    std::vector<uint32_t> inputs;
    for (int i = 0; i < 100000; ++i) {
      const auto bits = static_cast<uint32_t>(dice.roll(0, 0xffffffff));
      if ((bits & 0x7f800000) != 0x7f800000) inputs.push_back(bits);
    }
    CHECK(wrong_rounding(inputs) == "");
  }
  TEST_CASE("exactly in the middle: to the even one, which is down as often as up") {
    std::vector<uint32_t> ties;
    for (uint32_t upper = 0; upper < 65536; ++upper) {
      if ((upper & 0x7f80) != 0x7f80) ties.push_back(upper << 16 | 0x8000);
    }
    CHECK(wrong_rounding(ties) == "");
    CHECK(rounded_bits(0x3f808000) == 0x3f80);
    CHECK(rounded_bits(0x3f818000) == 0x3f82);
  }
  TEST_CASE("NaN stays NaN, also where all its bits are in the lower half; infinity stays infinity") {
    std::string wrong;
    for (const uint32_t payload : {1u, 2u, 0x7fffu, 0x8000u, 0xffffu, 0x10000u, 0x400000u, 0x7fffffu}) {
      for (const uint32_t infinity : {0x7f800000u, 0xff800000u}) {
        const uint16_t given = rounded_bits(infinity | payload);
        if (!is_nan(given) && wrong.empty())
          wrong = cat("the NaN with the lower 23 bits ", payload, " became the bf16 ", hex(given), ": ", value_of(given));
      }
    }
    CHECK(wrong == "");
    CHECK(rounded_bits(0x7f800000) == 0x7f80);
    CHECK(rounded_bits(0xff800000) == 0xff80);
  }
  TEST_CASE("what lies beyond the largest bf16 becomes infinity") {
    CHECK(rounded_bits(0x7f7f8000) == 0x7f80);
    CHECK(rounded_bits(0x7f7f7fff) == 0x7f7f);
    CHECK(rounded_bits(0xff7fffff) == 0xff80);
  }
}
