// Opening models of other programs by flags, and what info says of them.
#include <doctest/doctest.h>

#include <filesystem>

#include "base/file.h"
#include "models/vit.h"
#include "tensor/safetensors.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// timm's names, 16 x 24 pixels, and a tensor that no ViT has.
const std::string& weights_file() {
  static const std::string path = [] {
    Rng rng(2);
    models::ViT model({.img_size = {16, 24}, .patch_size = 8, .num_classes = 3, .embed_dim = 16, .depth = 1, .num_heads = 2},
                      rng);
    nn::StateDict state = model.state_dict();
    state.emplace_back("blocks.0.attn.rel_pos", full({4}, 2));
    const std::string folder = scratch() + "/model_options";
    std::filesystem::create_directories(folder);
    save_safetensors(folder + "/vit.safetensors", {state, {}});
    return folder + "/vit.safetensors";
  }();
  return path;
}

void refused(const std::string& flags, int code, const std::string& words) {
  const Outcome outcome = run("info " + weights_file() + " " + flags);
  CAPTURE(flags);
  CHECK(outcome.code == code);
  CHECK_MESSAGE(outcome.says(words), outcome.text);
}

}  // namespace

TEST_CASE("flags say what a file of another program does not") {
  refused("", 2, "the number of heads cannot be read from shapes: width is 16. Hint: --num-heads N.");
  refused("--num-heads 2", 2, "7 positions with 1 prefix tokens are no square grid. Hint: --img-size H,W.");
  refused("--num-heads 2 --img-size 16,16", 3, "the file has 7 positions, img_size 16 x 16 with patch_size 8 needs 5");
  refused("--num-heads 3 --img-size 16,24", 3, "num_heads is 3 (--num-heads), width is 16");
  refused("--num-heads 2 --img-size 16,24 --weights ema", 2, "the file holds one set of weights, not \"ema\"");
  refused("--num-heads 2 --img-size 16,24 --strict", 3, "1 tensors are unexpected: blocks.0.attn.rel_pos");
  refused("--num-heads 2 --img-size 16,24 --preprocess tim", 2, "did you mean timm?");
  for (const char* wrong : {"16,", "16,24,1", "0", "a", "16;24"})
    refused(std::string("--num-heads 2 --img-size '") + wrong + "'", 2, "--img-size must be N or H,W");
}

TEST_CASE("info says what a model of another program is, and where each fact came from") {
  const Outcome outcome = run("info " + weights_file() + " --num-heads 2 --img-size 16,24 --preprocess deit --no-exif");
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  for (const char* words :
       {"names of timm, safetensors", "num_heads     2  (--num-heads)", "img_size      16 x 24  (--img-size)",
        "0 not used, 1 unexpected", "blocks.0.attn.rel_pos", "EXIF ignored", "mean 0.485 0.456 0.406"})
    CHECK_MESSAGE(outcome.says(words), words, "\n", outcome.text);
}

TEST_CASE("info --tensors lists name, type, shape and statistics") {
  const Outcome outcome = run("info " + weights_file() + " --tensors");
  CHECK(outcome.code == 0);
  CHECK(outcome.says("blocks.0.attn.rel_pos F32 [4]  min 2 max 2 mean 2 std 0"));
  CHECK(run("info " + weights_file() + " --tensors --json").says("\"mean\": 2.0"));
}
