#include "base/natural_order.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace vitrail;

TEST_CASE("names are ordered as a person counts") {
  std::vector<std::string> names = {"class10", "class2", "class1", "class100", "a", "class", "Class3", "10", "9", "b2c10", "b2c9"};
  std::sort(names.begin(), names.end(), natural_less);
  CHECK(names == std::vector<std::string>{"9", "10", "Class3", "a", "b2c9", "b2c10", "class", "class1", "class2", "class10", "class100"});
}

TEST_CASE("numbers of any length are compared, and leading zeros only where nothing else differs") {
  CHECK(natural_less("x99999999999999999999999", "x100000000000000000000000"));
  CHECK(natural_less("x007", "x8"));
  CHECK(natural_less("x01", "x1"));
  CHECK_FALSE(natural_less("x1", "x01"));
  CHECK(natural_less("x01b", "x1c"));
  CHECK(natural_less("", "a"));
  CHECK(natural_less("0", "00"));
  CHECK_FALSE(natural_less("same", "same"));
}

TEST_CASE("natural order is an order: of any three names none is before itself in a circle") {
  const std::vector<std::string> names = {"", "0", "00", "1", "01", "a", "a0", "a00", "a1", "a01", "a1a", "a01a", "10", "2", "\xff", "a\xff"};
  for (const auto& a : names) {
    CHECK_FALSE(natural_less(a, a));
    for (const auto& b : names) {
      if (a != b) CHECK(natural_less(a, b) != natural_less(b, a));
      for (const auto& c : names)
        if (natural_less(a, b) && natural_less(b, c)) CHECK(natural_less(a, c));
    }
  }
}
