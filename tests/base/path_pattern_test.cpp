#include "base/path_pattern.h"

#include <doctest/doctest.h>

#include "base/error.h"

using namespace vitrail;

namespace {

bool matches(const char* pattern, const char* path) { return PathPattern(pattern, "freeze").matches(path); }

}  // namespace

TEST_CASE("a path pattern: stars cross dots, a question mark is one character, everything else is itself") {
  CHECK(matches("head.weight", "head.weight"));
  CHECK(!matches("head.weight", "head.weights"));
  CHECK(!matches("head.weight", "headxweight"));
  CHECK(matches("blocks.*", "blocks.11.mlp.fc1.weight"));
  CHECK(matches("*", ""));
  CHECK(matches("*.bias", "blocks.0.norm1.bias"));
  CHECK(!matches("*.bias", "bias"));
  CHECK(matches("blocks.*.norm?.weight", "blocks.3.norm2.weight"));
  CHECK(!matches("blocks.*.norm?.weight", "blocks.3.norm.weight"));
  CHECK(matches("*a*b*", "xxaxxbxx"));
  CHECK(!matches("*a*b*", "xxbxxaxx"));
}

TEST_CASE("a path pattern: a range names the numbers between dots, whole") {
  CHECK(matches("blocks.0-5.*", "blocks.0.norm1.weight"));
  CHECK(matches("blocks.0-5.*", "blocks.5.norm1.weight"));
  CHECK(!matches("blocks.0-5.*", "blocks.6.norm1.weight"));
  CHECK(!matches("blocks.0-5.*", "blocks.51.norm1.weight"));
  CHECK(matches("blocks.9-10", "blocks.10"));
  CHECK(!matches("blocks.9-10", "blocks.100"));
  CHECK(!matches("blocks.0-5", "blocks.a"));
  CHECK(matches("a-b", "a-b"));  // no numbers: itself
  CHECK_THROWS_WITH_AS(PathPattern("blocks.5-2.*", "freeze"), doctest::Contains("[freeze] a range runs upwards: it is 5-2"),
                       Error);
}

TEST_CASE("a path pattern names what lies below a part, or a path by its end") {
  const PathPattern block("blocks.1", "freeze"), qkv("attn.qkv", "lora");
  CHECK(block.matches_from_start("blocks.1.norm1.weight"));
  CHECK(!block.matches_from_start("blocks.11.norm1.weight"));
  CHECK(!block.matches_from_start("x.blocks.1"));
  CHECK(qkv.matches_end("blocks.0.attn.qkv"));
  CHECK(qkv.matches_end("attn.qkv"));
  CHECK(!qkv.matches_end("blocks.0.xattn.qkv"));
  CHECK(!qkv.matches_end("blocks.0.attn.qkv.weight"));
}

TEST_CASE("path patterns stand between commas; an empty one is refused") {
  CHECK(path_patterns("", "freeze").empty());
  CHECK(path_patterns("  ", "freeze").empty());
  const std::vector<PathPattern> two = path_patterns("patch_embed.*, pos_embed", "freeze");
  REQUIRE(two.size() == 2);
  CHECK(two[1].text() == "pos_embed");
  CHECK_THROWS_WITH_AS(path_patterns("a,,b", "freeze"), doctest::Contains("[freeze] a pattern has 1 to 200 bytes: it has 0"),
                       Error);
  CHECK_THROWS_WITH_AS(path_patterns(std::string(201, '*'), "freeze"), doctest::Contains("it has 201"), Error);
}

TEST_CASE("a path pattern of stars alone ends in time") {
  CHECK(!PathPattern(std::string(150, '*') + "x", "freeze").matches(std::string(20000, 'a')));
}
