// vitrail train --teacher: a run that learns from another, its record, its costs, and what is refused.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "models/vit.h"
#include "models/weights/save.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// A distilled ViT of two heads, as --model takes it.
std::string distilled_model() {
  const std::string path = scratch() + "/distilled.json";
  write_file_atomically(path, std::string(R"({"architecture": "vit", "img_size": 28, "patch_size": 7, "in_chans": 1,
    "embed_dim": 16, "depth": 1, "num_heads": 2, "dist_token": true, "dist_head": true})"));
  return path;
}

const std::string kStudent =
    " --data glyphs --train-size 40 --test-size 10 --batch-size 10 --epochs 2 --save-steps 1 --crop-padding 2 --mixup 0.5 ";

std::string other_teacher() {
  const std::string path = scratch() + "/other_teacher";
  if (!fs::exists(path)) CHECK(run("train --data glyphs --seed 5 --quiet --out " + path + kQuick).code == 0);
  return path;
}

}  // namespace

TEST_CASE("a student with two heads learns from a teacher, resumes to the same bytes, and its folder names the teacher") {
  const std::string out = scratch() + "/student", again = scratch() + "/student_again";
  const std::string command = "train --teacher " + trained() + " --distillation hard --model " + distilled_model() + kStudent;
  const Outcome outcome = run(command + "--out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says("note: learns from " + trained()), outcome.text);
  CHECK(outcome.says("as the teacher"));
  // Stopped after three of eight updates, and resumed: the schedule is that of the whole run.
  CHECK(run(command + "--threads 1 --quiet --out " + again).code == 0);
  fs::remove(again + "/checkpoint.safetensors");
  const Outcome resumed = run("train --resume --out " + again);
  REQUIRE_MESSAGE(resumed.code == 0, resumed.text);
  CHECK(resumed.says("going on after update 7 of 8"));
  CHECK(read_file(again + "/model.safetensors") == read_file(out + "/model.safetensors"));
  const std::string path = out + "/run.json";
  const JsonDocument json(read_text_file(path), path);
  JsonObject recorded(json.root(), path);
  CHECK(recorded.text("teacher") == trained());
  CHECK(recorded.text("teacher_hash").size() == 24);
  CHECK(read_saved_model(out).card.training.find("\"teacher_hash\":") != std::string::npos);
  CHECK(run("eval --model " + out + " --data glyphs --limit 10").code == 0);
}

TEST_CASE("another teacher at resume is refused, and one that has moved is found again") {
  const std::string out = scratch() + "/resumed_student", moved = scratch() + "/moved_teacher";
  fs::copy(trained(), moved);
  CHECK(run("train --teacher " + moved + " --distillation soft --quiet --model vit_fashion_p7 --out " + out + kStudent).code ==
        0);
  const Outcome other = run("train --resume --teacher " + other_teacher() + " --out " + out);
  CHECK(other.code == 2);
  CHECK_MESSAGE(other.says("is not the teacher that was recorded: its hash is "), other.text);
  // What it answers has not changed by its calibration.
  CHECK(run("calibrate " + moved + " --data glyphs --limit 100").code == 0);
  const Outcome calibrated = run("train --resume --out " + out);
  CHECK_MESSAGE(calibrated.says("is finished"), calibrated.text);
  fs::remove_all(moved);
  const Outcome lost = run("train --resume --out " + out);
  CHECK(lost.code == 4);
  CHECK_MESSAGE(lost.says("Hint: --teacher PATH says where it lies now"), lost.text);
  const Outcome found = run("train --resume --teacher " + trained() + " --out " + out);
  CHECK_MESSAGE(found.code == 0, found.text);
  CHECK(found.says("is finished"));
  const Outcome late = run("train --resume --teacher " + trained() + " --out " + trained());
  CHECK(late.code == 2);
  CHECK_MESSAGE(late.says("teacher is none, not "), late.text);
}

TEST_CASE("the configuration of a run with a teacher runs again, and notices if the teacher has changed") {
  const std::string out = scratch() + "/configured", copy = scratch() + "/changing_teacher";
  fs::copy(trained(), copy);
  CHECK(run("train --teacher " + copy + " --distillation soft --quiet --model vit_fashion_p7 --out " + out + kStudent).code ==
        0);
  const std::string again = "train --quiet --config " + out + "/train-config.json --out " + scratch() + "/configured_again";
  CHECK(run(again).code == 0);
  CHECK(read_file(out + "/model.safetensors") == read_file(scratch() + "/configured_again/model.safetensors"));
  fs::copy(other_teacher() + "/model.safetensors", copy + "/model.safetensors", fs::copy_options::overwrite_existing);
  const Outcome changed = run(again + " --force");
  CHECK(changed.code == 2);
  CHECK_MESSAGE(changed.says("is not the teacher that was recorded"), changed.text);
  CHECK(run(again + " --force --teacher " + copy).code == 0);
}

TEST_CASE("finetune takes a teacher too, and --dry-run says what it costs") {
  const Outcome tuned =
      run("finetune --from " + trained() + " --teacher " + other_teacher() +
          " --distillation soft --distillation-temperature 2 --mode partial --data glyphs --limit 40 --epochs 1"
          " --batch-size 20 --quiet --out " +
          scratch() + "/tuned_student");
  CHECK_MESSAGE(tuned.code == 0, tuned.text);
  const Outcome dry = run("train --dry-run --teacher " + trained() + " --distillation soft --model vit_fashion_p7" + kStudent);
  CHECK_MESSAGE(dry.code == 0, dry.text);
  CHECK_MESSAGE(dry.says("teacher     0.14 M parameters (0.6 MB), "), dry.text);
  CHECK(dry.says("for the 10 images of an update"));
}

TEST_CASE("what does not go together with a teacher is refused by name") {
  const auto refused = [](const std::string& flags, const std::string& part, int code = 2) {
    const Outcome outcome = run("train --out " + scratch() + "/never " + flags + kStudent);
    CHECK(outcome.code == code);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  refused("--teacher " + trained(), "--teacher needs to know what is learnt from it. Hint: --distillation hard");
  refused("--distillation soft", "distillation soft needs a teacher");
  refused("--teacher /no/such/teacher --distillation soft", "/no/such/teacher", 4);
  refused("--kfold 3 --teacher " + trained() + " --distillation soft", "--teacher does not go with --kfold");
  const Outcome classes =
      run("train --teacher " + trained() + " --distillation soft --data scenes --train-size 20 --test-size 10 --out " +
          scratch() + "/never");
  CHECK(classes.code == 2);
  CHECK_MESSAGE(classes.says("classes are not among those of " + trained()), classes.text);
  const Outcome unused = run("train --dry-run --distillation-temperature 4 --model vit_fashion_p7" + kStudent);
  CHECK(unused.says("--distillation-temperature has no effect in this run: it goes with --distillation soft"));
  CHECK(!fs::exists(scratch() + "/never"));
}
