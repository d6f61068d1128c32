#include "base/json.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::refuses;

namespace {

bool refused(const std::string& text, const std::string& part) {
  return refuses([&] { parse_json(text, "c.json"); }, ErrorKind::kData, "c.json: ") &&
         refuses([&] { parse_json(text, "c.json"); }, ErrorKind::kData, part);
}

// True if reading from the object `text` is refused as kValue with this part in the message.
template <class Fn>
bool refused_field(const std::string& text, const std::string& part, Fn&& read) {
  const nlohmann::json json = parse_json(text, "c.json");
  JsonObject object(json, "c.json", "model");
  return refuses([&] { read(object); }, ErrorKind::kValue, part);
}

}  // namespace

TEST_CASE("json: what the library would let pass is refused") {
  CHECK(refused(R"({"a":1,"a":2})", "the key a stands twice"));
  CHECK(refused(R"([{"b":{"a":1,"a":2}}])", "the key a stands twice"));
  CHECK(refused(std::string("{}\0garbage", 10), "a NUL byte at byte 2"));
  CHECK(refused("\xef\xbb\xbf{}", "byte order mark"));
  CHECK(refused("{} {}", "no valid JSON"));
  CHECK(refused("[1e999]", "JSON"));
  CHECK(refused("[NaN]", "no valid JSON"));
  CHECK(refused("[\"\xff\"]", "no valid JSON"));
  CHECK(refused("", "no valid JSON"));
  CHECK(refused("[1,]", "no valid JSON at byte 4"));
}

TEST_CASE("json: 64 levels are read, 65 are refused, and a million do not overflow the stack") {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK_NOTHROW(parse_json(nested(64), "c.json"));
  CHECK(refused(nested(65), "nested deeper than 64"));
  CHECK(refused(nested(1'000'000), "nested deeper than 64"));
  CHECK(refused("{\"a\":" + nested(64) + "}", "nested deeper than 64"));
}

TEST_CASE("json: a text above the limit is refused by its size") {
  CHECK(refuses([] { parse_json(std::string(101, ' '), "c", ErrorKind::kValue, {.max_bytes = 100}); }, ErrorKind::kValue,
                "too long: 101 bytes, at most 100"));
}

TEST_CASE("json: the same key in different objects is no duplicate") {
  CHECK(parse_json(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})", "c")["b"][1]["a"] == 2);
}

TEST_CASE("json: integers are neither narrowed nor converted") {
  const auto read = [](JsonObject& o) { o.integer("n", -5, 5); };
  for (const char* text :
       {R"({"n":1.0})", R"({"n":1.9})", R"({"n":true})", R"({"n":"1"})", R"({"n":null})", R"({"n":6})", R"({"n":-6})",
        R"({"n":4294967297})", R"({"n":18446744073709551615})", R"({"n":18446744073709551616})"}) {
    CHECK(refused_field(text, "model.n must be an integer from -5 to 5", read));
  }
  CHECK(refused_field("{}", "model.n is missing", read));
  const nlohmann::json json = parse_json(R"({"n":-5})", "c");
  CHECK(JsonObject(json, "c").integer("n", -5, 5) == -5);
  CHECK(JsonObject(json, "c").integer_or("m", 0, 1, 77) == 77);
}

TEST_CASE("json: numbers, switches and texts keep their types") {
  const nlohmann::json json = parse_json(R"({"x":2,"b":true,"t":"hi","l":[1,2],"d":[0.5,1],"s":["a"],"z":null})", "c");
  JsonObject o(json, "c");
  CHECK(o.number("x", 0, 2) == 2.0);
  CHECK(o.boolean_or("b", false));
  CHECK(o.text("t") == "hi");
  CHECK(o.integers_or("l", 0, 9, {}) == std::vector<int64_t>{1, 2});
  CHECK(o.numbers_or("d", 0, 1, {}) == std::vector<double>{0.5, 1});
  CHECK(o.texts_or("s", {}) == std::vector<std::string>{"a"});
  CHECK(o.is_null("z"));
  CHECK(o.number_or("none", 0, 1, 0.25) == 0.25);
}

TEST_CASE("json: a wrong type is refused with the path of its key") {
  CHECK(refused_field(R"({"x":"2"})", "model.x must be a number", [](JsonObject& o) { o.number("x", 0, 9); }));
  CHECK(refused_field(R"({"x":10})", "model.x must be a number from 0 to 9", [](JsonObject& o) { o.number("x", 0, 9); }));
  CHECK(refused_field(R"({"b":1})", "model.b must be true or false", [](JsonObject& o) { o.boolean_or("b", true); }));
  CHECK(refused_field(R"({"t":1})", "model.t must be a text", [](JsonObject& o) { o.text("t"); }));
  CHECK(refused_field(R"({"l":1})", "model.l must be a list", [](JsonObject& o) { o.integers_or("l", 0, 1, {}); }));
  CHECK(refused_field(R"({"l":[1.5]})", "model.l must be an integer", [](JsonObject& o) { o.integers_or("l", 0, 9, {}); }));
  CHECK(refused_field(R"({"s":[1]})", "model.s must be a list of texts", [](JsonObject& o) { o.texts_or("s", {}); }));
  CHECK(refuses([] { JsonObject(parse_json("[1]", "c"), "c"); }, ErrorKind::kValue, "must be an object"));
}

TEST_CASE("json: the number of values and the length of a text have an end") {
  const auto refused_text = [](const std::string& text, const std::string& part) {
    return refuses([&] { parse_json(text, "c"); }, ErrorKind::kData, part);
  };
  std::string lists = "[";
  for (int i = 0; i < 500'000; ++i) lists += "[],";
  CHECK(refused_text(lists + "0]", "too many values"));
  CHECK(refused_text("{\"" + std::string(15'000'000, 'k') + "\":1}", "a text or key of 15000000 bytes, at most 1048576"));
  CHECK_NOTHROW(parse_json("[\"" + std::string(1 << 20, 'k') + "\"]", "c"));
}

TEST_CASE("json: the longest text is known without reading the JSON") {
  CHECK(longest_text("") == 0);
  CHECK(longest_text(R"({"ab":"c"})") == 2);
  CHECK(longest_text(R"(["a\"b", "\\", ""])") == 4);
  CHECK(longest_text(R"(["a)") == 1);
  CHECK(longest_text("[\"a\\") == 2);
}

TEST_CASE("json: only what is near is suggested, and nothing for a long word") {
  const std::vector<std::string> known = {"depth", "embed_dim", "vit_tiny_patch16_224"};
  CHECK(nearest("dept", known) == "depth");
  CHECK(nearest("emebd_dim", known) == "embed_dim");
  CHECK(nearest("vit_tiny", known) == "vit_tiny_patch16_224");  // its beginning
  CHECK(nearest("trian", {"eval", "train"}) == "train");
  CHECK(nearest("foo", known) == "");
  CHECK(nearest("colour", known) == "");
  CHECK(nearest("", known) == "");
  CHECK(nearest("x", {"y"}) == "");
  CHECK(nearest(std::string(65, 'a'), {std::string(64, 'a')}) == "");
  CHECK(nearest(std::string(20'000'000, 'a'), known) == "");
}

TEST_CASE("json: a key that nobody asked for is refused, with the nearest known one") {
  const auto read = [](JsonObject& o) {
    o.integer_or("depth", 0, 9, 1);
    o.finish();
  };
  CHECK(refused_field(R"({"dept":1})", "model.dept is not known here. Hint: did you mean depth?", read));
  CHECK(refused_field(R"({"colour":1})", "model.colour is not known here", read));
  const nlohmann::json json = parse_json(R"({"depth":1})", "c");
  JsonObject o(json, "c");
  CHECK_NOTHROW(read(o));
}

TEST_CASE("json: lists of objects and of any items") {
  const JsonDocument document(R"({"runs":[{"n":1},{"n":2,"m":3}],"items":["a",1.5,[2],{"x":null}],"one":{}})", "c");
  JsonObject json(document.root(), "c", "top");
  std::vector<JsonObject> runs = json.objects("runs");
  REQUIRE(runs.size() == 2);
  CHECK(runs[1].integer("n", 0, 9) == 2);
  CHECK(refuses([&] { runs[1].finish(); }, ErrorKind::kValue, "top.runs[1].m"));
  CHECK(json.json_texts("items") == std::vector<std::string>{"\"a\"", "1.5", "[2]", "{\"x\":null}"});
  CHECK(refuses([&] { json.objects("items"); }, ErrorKind::kValue, "top.items[0] must be an object"));
  CHECK(refuses([&] { json.objects("one"); }, ErrorKind::kValue, "top.one must be a list"));
  CHECK(refuses([&] { json.json_texts("none"); }, ErrorKind::kValue, "top.none is missing"));
}
