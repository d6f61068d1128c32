// vitrail calibrate as a user meets it.
#include <doctest/doctest.h>

#include "base/file.h"
#include "data/image/image.h"
#include "data/sets/registry.h"
#include "models/weights/save.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// A model of a few updates, in a folder of its own for each test.
std::string trained(const std::string& name) {
  const std::string out = scratch() + "/" + name;
  const Outcome outcome =
      run("train --data glyphs --train-size 400 --test-size 60 --batch-size 20 --epochs 3 --quiet --out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  return out;
}

std::string picture() {
  const std::string path = scratch() + "/calibrated.png";
  write_png(path, open_dataset("glyphs", Split::kTest)->sample(3).image);
  return path;
}

}  // namespace

TEST_CASE("calibrate prints what it found, saves it, and predict and info use it") {
  const std::string model = trained("calibrated"), ask = "predict --top 1 --model " + model + " " + picture();
  const std::string before = run(ask).text, bytes = read_text_file(model + "/" + kModelFile);
  const Outcome tried = run("calibrate " + model + " --data glyphs --limit 200 --dry-run");
  CHECK_MESSAGE(tried.code == 0, tried.text);
  CHECK(read_text_file(model + "/" + kModelFile) == bytes);
  const Outcome found = run("calibrate " + model + " --data glyphs --limit 200 --keep 0.5");
  REQUIRE_MESSAGE(found.code == 0, found.text);
  for (const char* part :
       {"200 test images, accuracy ", "temperature        ", "calibration error  ", " % before, ", "unknown below      ",
        "% of the right answers", "there is no validation part: the test part is taken", "--no-calibration does not"})
    CHECK_MESSAGE(found.says(part), found.text);
  CHECK(run("verify " + model).code == 0);
  const auto saved = load_model(model).card.calibration;
  REQUIRE(saved.has_value());
  CHECK(saved->images == 200);
  CHECK(saved->share == 0.5);
  CHECK(run("info " + model).says("calibration: temperature "));
  CHECK(run(ask + " --no-calibration").text == before);
  CHECK(run(ask).text != before);
  CHECK(run(ask + " --json").says("\"unknown\": "));
  CHECK(run(ask + " --csv", "2>/dev/null").says("file,class_1,probability_1,unknown,error\n"));
  CHECK(!run(ask + " --json --no-calibration").says("\"unknown\""));
  CHECK(!run(ask + " --csv --no-calibration").says(",unknown"));
  // What is trained further is another model: it has no calibration.
  const std::string out = scratch() + "/calibrated_tuned";
  CHECK(run("finetune --from " + model + " --data glyphs --limit 40 --batch-size 20 --epochs 1 --quiet --out " + out).code ==
        0);
  CHECK(!load_model(out).card.calibration);
}

TEST_CASE("calibrate refuses what it cannot use, with the way out") {
  const std::string model = trained("uncalibrated");
  CHECK(run("calibrate " + model).code == 2);
  const Outcome much = run("calibrate " + model + " --data glyphs --keep 2");
  CHECK(much.code == 2);
  CHECK(much.says("must be in (0, 1]: it is 2"));
  CHECK(run("calibrate /nowhere --data glyphs").code == 4);
  const Outcome slip = run("calibrate " + model + " --data glyhps");
  CHECK(slip.code == 2);
  CHECK(slip.says("did you mean glyphs?"));
  CHECK(run("calibrate --json --limit 50 " + model + " --data glyphs", "2>/dev/null").says("{\"temperature\":"));
  const Outcome command = run("calibrat " + model);
  CHECK(command.code == 2);
  CHECK_MESSAGE(command.says("did you mean calibrate?"), command.text);
}
