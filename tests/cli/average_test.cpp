// vitrail average as a user meets it.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "models/weights/save.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::string kData = " --data glyphs --limit 40 ";

// Three models tuned from one, with seeds of their own.
const std::vector<std::string>& tuned() {
  static const std::vector<std::string> folders = [] {
    std::vector<std::string> made;
    for (const char* seed : {"1", "2", "3"}) {
      made.push_back(scratch() + "/soup_" + seed);
      const Outcome outcome =
          run("finetune --from " + trained() + " --data glyphs --limit 60 --batch-size 20 --epochs 2 --quiet --seed " + seed +
              " --out " + made.back());
      check(outcome.code == 0, ErrorKind::kValue, "test", outcome.text);
    }
    return made;
  }();
  return folders;
}

std::string model_of(const std::string& folder) { return read_text_file(folder + "/model.safetensors"); }

}  // namespace

TEST_CASE("average: the same bytes whatever the order of the runs, and a table of each, uniform and greedy") {
  const auto& runs = tuned();
  const std::string out = scratch() + "/soup", other = scratch() + "/soup_other";
  for (const char* rule : {"", " --greedy"}) {
    const Outcome a = run("average " + runs[0] + " " + runs[1] + " " + runs[2] + kData + rule + " --force --out " + out);
    REQUIRE_MESSAGE(a.code == 0, a.text);
    CHECK(a.says(runs[1]));
    CHECK(a.says("uniform: the mean of all 3"));
    CHECK(a.says("there is no validation part: the test part is taken"));
    CHECK(a.says("greedy: the mean of the ") == (std::string(rule) != ""));
    CHECK(run("average " + runs[2] + " " + runs[0] + " " + runs[1] + kData + rule + " --force --out " + other).code == 0);
    CHECK(model_of(out) == model_of(other));
  }
  CHECK(run("eval --model " + out + kData).code == 0);
  const Outcome json =
      run("average " + runs[0] + " " + runs[1] + kData + "--greedy --json --force --out " + other, "2>/dev/null");
  const JsonDocument document(json.text, "output");
  JsonObject root(document.root(), "output");
  const auto top1 = [](JsonObject& object, const char* key) {
    const JsonDocument scores(object.json_text(key), key);
    return JsonObject(scores.root(), key).number("top1", 0, 1);
  };
  const double greedy = top1(root, "greedy");
  for (JsonObject& model : root.objects("models")) CHECK(greedy >= top1(model, "scores"));
}

TEST_CASE("average: what cannot be averaged is refused by name, all of it at once") {
  const std::string other = scratch() + "/soup_wide", scenes = scratch() + "/soup_scenes",
                    out = " --out " + scratch() + "/never_soup";
  REQUIRE(
      run("train --data glyphs --train-size 20 --test-size 10 --batch-size 10 --epochs 1 --model cct_2_3x2_d64 --quiet --out " +
          other)
          .code == 0);
  REQUIRE(run("train --data scenes --train-size 20 --test-size 10 --batch-size 10 --epochs 1 --model linear --quiet --out " +
              scenes)
              .code == 0);
  const Outcome refused = run("average " + trained() + " " + other + " " + scenes + kData + out);
  CHECK(refused.code == 2);
  CHECK_MESSAGE(refused.says(other + ": architecture is cct, not vit"), refused.text);
  CHECK_MESSAGE(refused.says(scenes + ": architecture is mlp, not vit"), refused.text);
  CHECK(refused.says("it has no class "));
  const Outcome twice = run("average " + trained() + " " + trained() + kData + out);
  CHECK(twice.code == 2);
  CHECK(twice.says("have the same weights. Hint: each model once"));
  const Outcome one = run("average " + trained() + kData + out);
  CHECK(one.code == 2);
  CHECK(one.says("it takes two models or more: there is 1"));
  const Outcome held = run("average " + tuned()[0] + " " + tuned()[1] + kData + "--out " + trained());
  CHECK(held.code == 2);
  CHECK_MESSAGE(held.says("--force"), held.text);
  CHECK(!std::filesystem::exists(scratch() + "/never_soup"));
}
