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
