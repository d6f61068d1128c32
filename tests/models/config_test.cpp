#include <doctest/doctest.h>

#include "models/presets.h"
#include "tests/support/model_test.h"

namespace vitrail::testing {
namespace {

using namespace models;

std::string error_for(const std::string& json) {
  return message_of([&] { config_from_json(json, "model"); });
}
std::string error_for(const ViTConfig& config) {
  return message_of([&] { validate(config); });
}

TEST_CASE("every preset survives the way to JSON and back") {
  for (const Preset& preset : presets()) {
    CAPTURE(preset.name);
    CHECK(config_from_json(to_json(preset.config)) == preset.config);
  }
}

TEST_CASE("optional fields, rectangles and missing keys survive JSON") {
  ViTConfig c = tiny_config();
  c.img_size = {8, 16}, c.init_values = 1e-5, c.fc_norm = false;
  CHECK(std::get<ViTConfig>(config_from_json(to_json(c))) == c);
  CHECK(std::get<ViTConfig>(config_from_json("{\"depth\": 3}")).depth == 3);
  CHECK(std::get<ViTConfig>(config_from_json("{\"depth\": 3}")).embed_dim == ViTConfig{}.embed_dim);
}

TEST_CASE("an unknown key is refused by its path, with the nearest known one") {
  const std::string message = error_for("{\"embed_dimm\": 64}");
  CHECK(contains(message, "model: embed_dimm"));
  CHECK(contains(message, "did you mean"));
}

TEST_CASE("a wrong type is refused by its path") {
  CHECK(contains(error_for("{\"depth\": 3.5}"), "model: depth must be an integer"));
  CHECK(contains(error_for("{\"depth\": -1}"), "it is -1"));
  CHECK(contains(error_for("{\"depth\": true}"), "model: depth must be an integer"));
  CHECK(contains(error_for("{\"depth\": \"3\"}"), "model: depth must be an integer"));
  CHECK(contains(error_for("{\"qkv_bias\": 1}"), "model: qkv_bias"));
  CHECK(contains(error_for("{\"img_size\": [8, \"x\"]}"), "model: img_size"));
  CHECK(contains(error_for("{\"depth\": 18446744073709551615}"), "model: depth must be an integer"));
}

TEST_CASE("text that only looks like JSON is refused") {
  CHECK(contains(error_for("{\"depth\": 3"), "no valid JSON at byte 12"));
  CHECK(contains(error_for("[1]"), "must be an object"));
  CHECK(contains(error_for("{\"depth\": 1, \"depth\": 2}"), "the key depth stands twice"));
  CHECK(contains(error_for(std::string("{}\0x", 4)), "NUL"));
  CHECK(contains(error_for("{\"widths\": " + std::string(100, '[') + std::string(100, ']') + "}"), "nested deeper"));
  CHECK(contains(error_for("{\"mlp_ratio\": 1e999}"), "no valid JSON"));
  CHECK(contains(error_for("{\"architecture\": \"rnn\"}"), "model: architecture must be one of"));
}

TEST_CASE("sizes that cannot be built are refused with their numbers") {
  ViTConfig c = tiny_config();
  c.embed_dim = 100, c.num_heads = 3;
  CHECK(contains(error_for(c), "embed_dim is 100, num_heads is 3 (remainder 1)"));
  c = tiny_config(), c.img_size = 30;
  CHECK(contains(error_for(c), "img_size is 30 x 30, patch_size is 4 x 4"));
  c = tiny_config(), c.depth = -1;
  CHECK(contains(error_for(c), "depth must be from 0 to 1024: it is -1"));
  c = tiny_config(), c.drop_rate = 1;
  CHECK(contains(error_for(c), "drop_rate must be at least 0 and below 1"));
  c = tiny_config(), c.mlp_ratio = std::nan("");
  CHECK(contains(error_for(c), "mlp_ratio"));
  c = tiny_config(), c.class_token = false;
  CHECK(contains(error_for(c), "needs a class token"));
}

TEST_CASE("a model too large for any machine is refused before anything is allocated") {
  ViTConfig c;
  c.embed_dim = 65536, c.num_heads = 64, c.depth = 1024, c.mlp_ratio = 64;
  const int64_t before = memory_stats().allocations;
  Rng rng(1);
  CHECK(contains(message_of([&] { ViT model(c, rng); }), "more than the limit"));
  c.embed_dim = int64_t{1} << 62;
  CHECK(contains(message_of([&] { ViT model(c, rng); }), "embed_dim must be from 1 to 65536"));
  CHECK(memory_stats().allocations == before);
}

}  // namespace
}  // namespace vitrail::testing
