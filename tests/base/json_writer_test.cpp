// What the writer writes, the strict reader reads back.
#include "base/json_writer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/text.h"

using namespace vitrail;

namespace {

void sample(JsonWriter& json) {
  json.begin_object().field("n", 3).field("x", 0.5).field("ok", true).key("none").null();
  json.field("list", std::vector<int64_t>{1, -2}).key("empty").begin_array().end_array();
  json.key("inner").begin_object().field("t", "a \"b\"\n").end_object().key("bare").begin_object().end_object().end_object();
}

// Written, then read.
double through(double value) {
  JsonWriter json;
  json.begin_object().field("v", value).end_object();
  const JsonDocument document(json.text(), "test");
  return JsonObject(document.root(), "test").number("v", -1e308, 1e308);
}

}  // namespace

TEST_CASE("json writer: on one line or indented, members in order") {
  JsonWriter line, page(2);
  sample(line), sample(page);
  CHECK(line.text() == R"({"n":3,"x":0.5,"ok":true,"none":null,"list":[1,-2],"empty":[],"inner":{"t":"a \"b\"\n"},"bare":{}})");
  CHECK(page.text() == R"({
  "n": 3,
  "x": 0.5,
  "ok": true,
  "none": null,
  "list": [
    1,
    -2
  ],
  "empty": [],
  "inner": {
    "t": "a \"b\"\n"
  },
  "bare": {}
})");
}

TEST_CASE("json writer: text of another writer fits in, indented or on one line") {
  JsonWriter inner(2), line, page(2);
  inner.begin_object().field("a", "x\n  y").field("b", 1).end_object();
  line.begin_object().key("i").raw(inner.text()).field("z", 0).end_object();
  page.begin_object().key("i").raw(inner.text()).end_object();
  CHECK(line.text() == R"({"i":{"a": "x\n  y","b": 1},"z":0})");
  CHECK(page.text() == "{\n  \"i\": {\n    \"a\": \"x\\n  y\",\n    \"b\": 1\n  }\n}");
}

TEST_CASE("json writer: numbers come back to the bit, and what JSON cannot say is null") {
  for (const double value : {0.0, 1.0, -3.0, 0.1, 1e-300, 5e-324, 1e300, 1e22, 123456789.0, 1.0 / 3, 0x1p53 + 2})
    CHECK(through(value) == value);
  JsonWriter json;
  json.begin_array().value(NAN).value(HUGE_VAL).value(2.0).value(std::numeric_limits<int64_t>::min()).end_array();
  CHECK(json.text() == "[null,null,2.0,-9223372036854775808]");
}

TEST_CASE("json writer: any bytes become valid text") {
  CHECK(json_quoted("a\x01\x1f\t\\/") == "\"a\\u0001\\u001f\\t\\\\/\"");
  CHECK(json_quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80") == "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  const std::string unknown = "\xef\xbf\xbd";
  CHECK(json_quoted("\xffz\xc3") == "\"" + unknown + "z" + unknown + "\"");
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"}) {
    CHECK_FALSE(is_utf8(bad));
    JsonWriter json;
    json.begin_array().value(std::string(bad)).end_array();
    CHECK_NOTHROW(JsonDocument(json.text(), "test"));
  }
}
