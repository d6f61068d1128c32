#include "base/number.h"

#include <doctest/doctest.h>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

TEST_CASE("whole numbers are read whole, or refused with name, range and text") {
  const auto read = [](const std::string& text) { return parse_integer("train", "--epochs", text, 0, INT64_MAX); };
  CHECK(read("0") == 0);
  CHECK(read("007") == 7);
  CHECK(read("9223372036854775807") == INT64_MAX);
  CHECK(parse_integer("x", "n", "-9223372036854775808", INT64_MIN, 0) == INT64_MIN);
  for (const char* text : {"", " 1", "1 ", "+1", "1.0", "1e3", "0x10", "9223372036854775808", "99999999999999999999999", "-1",
                           "many", "1\n"}) {
    CAPTURE(text);
    CHECK(refuses([&] { read(text); }, ErrorKind::kValue, "--epochs must be a whole number in [0, 9223372036854775807]"));
  }
  CHECK(refuses([&] { parse_integer("x", "n", "5", 6, 7); }, ErrorKind::kValue, "in [6, 7]: it is 5"));
  CHECK(refuses([&] { read(std::string(100000, '9')); }, ErrorKind::kValue, "999..."));
}

TEST_CASE("numbers are finite and read whole") {
  const auto read = [](const std::string& text) { return parse_number("train", "--lr", text); };
  CHECK(read("1e-3") == 1e-3);
  CHECK(read("-2.5") == -2.5);
  for (const char* text : {"", "1,5", "nan", "inf", "-inf", "1e999", "0.1x", " 1", "--1"}) {
    CAPTURE(text);
    CHECK(refuses([&] { read(text); }, ErrorKind::kValue, "--lr must be a finite number"));
  }
}
