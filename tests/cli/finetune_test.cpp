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
  models::ViT model(
      {.img_size = 28, .patch_size = 7, .in_chans = 1, .num_classes = 0, .embed_dim = 16, .depth = 2, .num_heads = 2}, rng);
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

TEST_CASE("the mode counts in a run that --resume auto starts, and stays that of the run; with --config it is refused") {
  const std::string from = backbone(scratch() + "/finetune_base"), out = scratch() + "/auto_lora";
  const std::string start = "finetune --from " + from + " --num-heads 2" + kFew + "--out " + out + " --resume auto ";
  const Outcome slip = run(start + "--mode lra");
  CHECK(slip.code == 2);
  CHECK(slip.says("did you mean lora?"));
  const Outcome first = run(start + "--mode lora --image-size 56");
  REQUIRE_MESSAGE(first.code == 0, first.text);
  CHECK(std::filesystem::exists(out + "/adapter.safetensors"));
  const Outcome again = run(start + "--mode lora --image-size 56 --in-chans 1");
  CHECK_MESSAGE(again.says("is finished"), again.text);
  CHECK(run(start).says("is finished"));
  for (const auto& [flags, words] : {std::pair("--mode full", "recipe is lora, not finetune"),
                                     {"--image-size 84", "--image-size is 56, not 84"},
                                     {"--patch-size 14", "--patch-size is 7, not 14"},
                                     {"--in-chans 3", "--in-chans is 1, not 3"},
                                     {"--num-heads 4", "--num-heads is 2, not 4"}}) {
    const std::string command = "finetune --from " + from + kFew + "--out " + out + " --resume auto ";
    const Outcome other = run(command + flags);
    CHECK(other.code == 2);
    CHECK_MESSAGE(other.says(words), other.text);
  }
  const Outcome both =
      run("finetune --from " + from + kFew + "--out " + out + "2 --mode lora --config " + out + "/train-config.json");
  CHECK(both.code == 2);
  CHECK(both.says("--mode and --config are both whole recipes"));
}

TEST_CASE("a configuration that says little is laid over the usual mode's recipe") {
  const std::string from = backbone(scratch() + "/finetune_base"), out = scratch() + "/little",
                    file = scratch() + "/little.json";
  write_file_atomically(file, std::string(R"({"lr": 0.003})"));
  REQUIRE(run("finetune --from " + from + " --num-heads 2" + kFew + "--out " + out + " --config " + file).code == 0);
  const std::string config = read_text_file(out + "/train-config.json");
  CHECK_MESSAGE(config.find("\"lr\": 0.003") != std::string::npos, config);
  CHECK_MESSAGE(config.find("\"layer_decay\": 0.75") != std::string::npos, config);
}

TEST_CASE("tensors that the model does not have are listed when training starts from them, and refused when strict") {
  Rng rng(2);
  models::ViT model(
      {.img_size = 28, .patch_size = 7, .in_chans = 1, .num_classes = 0, .embed_dim = 16, .depth = 2, .num_heads = 2}, rng);
  nn::StateDict weights = model.state_dict();
  weights.emplace_back("blocks.0.attn.rel_pos", full({4}, 2));
  const std::string folder = scratch() + "/finetune_extra", path = folder + "/extra.safetensors";
  std::filesystem::create_directories(folder);
  save_safetensors(path, {weights, {}});
  const std::string few = " --data glyphs --limit 40 --batch-size 20 --epochs 1 --out ";
  const Outcome outcome = run("finetune --from " + path + " --num-heads 2" + few + folder + "/run");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says("blocks.0.attn.rel_pos"), outcome.text);
  const Outcome strict = run("finetune --strict --from " + path + " --num-heads 2" + few + folder + "/strict");
  CHECK(strict.code == 3);
  CHECK_MESSAGE(strict.says("1 tensors are unexpected: blocks.0.attn.rel_pos"), strict.text);
}

TEST_CASE(
    "a new head is trained alone first, and says at which rate; a kept one, a run of one epoch and other modes do without") {
  const std::string from = backbone(scratch() + "/finetune_base"),
                    more = " --data glyphs --limit 40 --batch-size 20 --out " + scratch() + "/";
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
