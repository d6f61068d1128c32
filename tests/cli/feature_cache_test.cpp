// Features of frozen parts that are computed once, as a user meets them.
#include <doctest/doctest.h>

#include "base/file.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::string kRun = " --data glyphs --limit 50 --batch-size 20 --epochs 3 --crop-padding 0 ";

std::string tune(const std::string& mode) { return "finetune --from " + trained() + kRun + "--mode " + mode; }

}  // namespace

TEST_CASE("finetune says in one line what is computed once, and --no-feature-cache changes no byte") {
  for (const char* mode : {"probe", "partial --trainable-blocks 1"}) {
    const std::string with = scratch() + "/kept", without = scratch() + "/not_kept";
    const Outcome kept = run(tune(mode) + " --force --out " + with);
    REQUIRE_MESSAGE(kept.code == 0, kept.text);
    CHECK_MESSAGE(kept.says("computed once, as it is frozen: "), kept.text);
    CHECK(kept.says("of 50 training and 4000 test images"));
    const Outcome not_kept = run(tune(mode) + " --no-feature-cache --force --out " + without);
    REQUIRE(not_kept.code == 0);
    CHECK(!not_kept.says("computed once"));
    CHECK(read_file(with + "/model.safetensors") == read_file(without + "/model.safetensors"));
    CHECK(read_file(with + "/checkpoint.safetensors") == read_file(without + "/checkpoint.safetensors"));
  }
}

TEST_CASE("why nothing is kept is said with --verbose and in --dry-run, and not otherwise") {
  const std::string out = " --force --limit 20 --out " + scratch() + "/why", padded = " --crop-padding 2";
  const std::string command = "finetune --from " + trained() + " --data glyphs --batch-size 10 --epochs 1 --mode probe";
  const std::string reason = "every epoch computes the whole model: pictures are augmented at random (crop_padding)";
  CHECK(!run(command + padded + out).says("every epoch computes"));
  const Outcome verbose = run(command + padded + " --verbose" + out);
  CHECK_MESSAGE(verbose.says("note: " + reason), verbose.text);
  const Outcome dry = run(command + padded + " --dry-run --limit 20");
  CHECK_MESSAGE(dry.says("kept        nothing, " + reason), dry.text);
  const Outcome possible = run(command + " --dry-run --limit 20");
  CHECK_MESSAGE(possible.says("kept        all but the head, computed once: 0.0 MB"), possible.text);
}
