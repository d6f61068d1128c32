// vitrail finetune as a user meets it: from a model of our own and from one under Hugging Face's names.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "models/vit.h"
#include "models/weights/save.h"
#include "tensor/safetensors.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

const std::string kFew = " --data glyphs --limit 40 --batch-size 20 --epochs 1 --quiet ";

// A bare state dictionary of timm's names, grey 28 x 28, without a head.
std::string backbone(const std::string& folder) {
  Rng rng(2);
  models::ViT model({.img_size = 28, .patch_size = 7, .in_chans = 1, .num_classes = 0, .embed_dim = 16, .depth = 2, .num_heads = 2}, rng);
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/backbone.safetensors";
  save_safetensors(path, {model.state_dict(), {}});
  return path;
}

}  // namespace

TEST_CASE("finetune gives a backbone of another program a head, in each mode") {
  const std::string from = backbone(scratch() + "/finetune_base");
  for (const char* mode : {"full", "partial", "lora", "bitfit", "probe"}) {
    CAPTURE(mode);
    const std::string out = scratch() + "/tuned_" + mode;
    const Outcome outcome = run("finetune --from " + from + " --num-heads 2 --mode " + mode + kFew + "--out " + out);
    REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
    const LoadedModel tuned = load_model(out);
    CHECK(tuned.model->num_classes() == 20);
    CHECK(tuned.card.preprocessing.channels == 1);
  }
}

TEST_CASE("finetune brings a model to another image and patch size, and resumes") {
  const std::string from = backbone(scratch() + "/finetune_base"), out = scratch() + "/large";
  const Outcome outcome =
      run("finetune --from " + from + " --num-heads 2 --image-size 56 --patch-size 14" + kFew + "--out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(load_model(out).model->img_height() == 56);
  CHECK(run("finetune --resume --quiet --out " + out).code == 0);
}

TEST_CASE("finetune says what it needs") {
  const Outcome no_from = run("finetune --data glyphs --out x");
  CHECK(no_from.code == 2);
  CHECK(no_from.says("--from is needed"));
  const Outcome mode = run("finetune --from x --data glyphs --out x --mode lra");
  CHECK(mode.code == 2);
  CHECK(mode.says("did you mean lora?"));
  const Outcome missing = run("finetune --from /no/such/model --data glyphs --out x");
  CHECK(missing.code == 4);
  CHECK(missing.says("/no/such/model"));
}

TEST_CASE("a new head is trained alone first, and says at which rate; a kept one, a run of one epoch and other modes do without") {
  const std::string from = backbone(scratch() + "/finetune_base"), more = " --data glyphs --limit 40 --batch-size 20 --out " + scratch() + "/";
  const std::string start = "finetune --from " + from + " --num-heads 2 ";
  const Outcome two = run(start + "--epochs 2" + more + "head_first");
  CHECK_MESSAGE(two.says("the head alone for 1 epoch at a rate of 0.01: "), two.text);
  CHECK(two.says("from here on "));
  CHECK(!run(start + "--epochs 1" + more + "head_one").says("the head alone"));
  CHECK(!run(start + "--epochs 2 --head-epochs 0" + more + "head_off").says("the head alone"));
  CHECK(!run(start + "--epochs 2 --trainable head" + more + "head_only").says("the head alone for"));
  CHECK(!run(start + "--epochs 2 --mode lora" + more + "head_lora").says("the head alone"));
  CHECK(run(start + "--epochs 2 --head-epochs 2" + more + "head_all").says("head_epochs must be below epochs: it is 2 of 2"));
  const Outcome kept = run("finetune --from " + scratch() + "/head_first --epochs 2" + more + "head_kept");
  CHECK_MESSAGE(kept.code == 0, kept.text);
  CHECK(!kept.says("the head alone"));
  CHECK(run("finetune --resume --quiet --out " + scratch() + "/head_first").says("is finished"));
}
