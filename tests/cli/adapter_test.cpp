// Training of low-rank updates by the program: what it saves, resuming, `vitrail adapter`.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "models/weights/adapter.h"
#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"
#include "train/checkpoint.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

namespace fs = std::filesystem;

const std::string kData = " --data glyphs --train-size 60 --test-size 20 --threads 2 --quiet ";

// A trained model.
const std::string& base() {
  static const std::string path = [] {
    const std::string out = scratch() + "/lora/base";
    const Outcome outcome = run("train --model vit_fashion_p7 --epochs 1 --batch-size 20" + kData + "--out " + out);
    REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
    return out;
  }();
  return path;
}

const std::string kLora = " --recipe lora --epochs 2 --batch-size 20 --lora-targets attn.q,attn.v,mlp.fc1 ";

}  // namespace

TEST_CASE("train --recipe lora: a plain model, and an adapter of kilobytes that gives it again on its base") {
  const std::string out = scratch() + "/lora/tuned", merged = scratch() + "/lora/merged";
  const Outcome outcome = run("train --init " + base() + kLora + kData + "--out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says("adapter.safetensors holds what was added to the base"), outcome.text);
  const SavedModel whole = read_saved_model(out), before = read_saved_model(base());
  REQUIRE(whole.weights.size() == before.weights.size());
  for (size_t i = 0; i < whole.weights.size(); ++i) {
    const std::string& key = whole.weights[i].first;
    CAPTURE(key);
    const bool changed = key.ends_with("attn.qkv.weight") || key.ends_with("mlp.fc1.weight") || key.starts_with("head.");
    CHECK(bit_equal(whole.weights[i].second, before.weights[i].second) == !changed);
  }
  CHECK(fs::file_size(out + "/adapter.safetensors") < fs::file_size(out + "/model.safetensors") / 4);
  const Outcome put = run("adapter --base " + base() + " --adapter " + out + "/adapter.safetensors --out " + merged);
  REQUIRE_MESSAGE(put.code == 0, put.text);
  const SavedModel again = read_saved_model(merged);
  for (size_t i = 0; i < whole.weights.size(); ++i) CHECK(bit_equal(whole.weights[i].second, again.weights[i].second));
  CHECK(again.card.class_names == whole.card.class_names);
  CHECK(run("verify " + out).says("adapter.safetensors: an adapter of "));
}

TEST_CASE("train --recipe lora: a run that was stopped and resumed has the bytes of one that was not") {
  const std::string whole = scratch() + "/lora/whole", cut = scratch() + "/lora/cut";
  const std::string common =
      "train --init " + base() + kLora + "--head-epochs 1 --ema 0.5 --save-steps 1 --lora-dropout 0.2" + kData;
  REQUIRE(run(common + "--out " + whole).code == 0);
  REQUIRE(run(common + "--out " + cut).code == 0);
  // The checkpoint before the last is of the second epoch's middle.
  REQUIRE(fs::exists(cut + "/" + kPreviousFile));
  fs::remove(cut + "/" + kCheckpointFile);
  fs::remove(cut + "/model.safetensors");
  fs::remove(cut + "/adapter.safetensors");
  const Outcome resumed = run("train --resume --quiet --out " + cut);
  REQUIRE_MESSAGE(resumed.code == 0, resumed.text);
  for (const char* file : {"model.safetensors", "adapter.safetensors"})
    CHECK(content_of(cut + "/" + file) == content_of(whole + "/" + file));
}

TEST_CASE("adapter: to PEFT's folder and back, in both spellings") {
  const std::string out = scratch() + "/lora/for_peft";
  REQUIRE(run("train --init " + base() + kLora + kData + "--out " + out).code == 0);
  const SavedModel whole = read_saved_model(out);
  for (const std::string names : {"", " --old-names"}) {
    const std::string peft = scratch() + "/lora/peft" + names.substr(0, names.empty() ? 0 : 2), back = peft + "_back";
    const std::string adapter = "adapter --base " + base() + " --adapter ";
    REQUIRE(run(adapter + out + " --peft '" + peft + "'" + names).code == 0);
    const std::string spelled =
        names.empty() ? "vit.layers.0.attention.q_proj" : "vit.encoder.layer.0.attention.attention.query";
    CHECK(read_text_file(peft + "/adapter_config.json").find(spelled) != std::string::npos);
    const Outcome outcome = run(adapter + "'" + peft + "' --out '" + back + "'");
    REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
    const SavedModel again = read_saved_model(back);
    for (size_t i = 0; i < whole.weights.size(); ++i) CHECK(bit_equal(whole.weights[i].second, again.weights[i].second));
  }
}

TEST_CASE("train --force: the adapter of the run that is replaced does not stay beside the new model") {
  const std::string out = scratch() + "/lora/replaced",
                    again = "train --init " + base() + " --recipe probe --epochs 1 --force" + kData;
  REQUIRE(run("train --init " + base() + kLora + kData + "--out " + out).code == 0);
  REQUIRE(fs::exists(out + "/adapter.safetensors"));
  REQUIRE(run(again + "--out " + out).code == 0);
  CHECK(!fs::exists(out + "/adapter.safetensors"));
}

TEST_CASE("adapter: refused with the way out") {
  const std::string out = scratch() + "/lora/refused";
  REQUIRE(run("train --init " + base() + kLora + kData + "--out " + out).code == 0);
  const std::string adapter = " --adapter " + out + "/adapter.safetensors";
  const Outcome nothing = run("adapter --base " + base() + adapter);
  CHECK(nothing.code == 2);
  CHECK(nothing.says("nothing is to be written. Hint: --out DIR"));
  const Outcome other = run("adapter --base " + out + adapter + " --out " + scratch() + "/no");
  CHECK(other.code == 2);
  CHECK_MESSAGE(other.says("is not the base of"), other.text);
  CHECK(other.says("was trained on \"base\""));
  CHECK(run("adapter --base " + base() + adapter + " --out " + out).says("holds a model already"));
  CHECK(run("adapter --base " + base() + " --adapter " + base() + "/model.safetensors --out " + scratch() + "/no").code == 3);
}

TEST_CASE("train: what is trained is said, and flags of it are refused where they contradict each other") {
  const std::string common =
      "train --init " + base() + " --data glyphs --train-size 40 --test-size 10 --epochs 1 --lr 1e-4 --dry-run ";
  CHECK(run(common + "--trainable bitfit").says("parameters are trained ("));
  CHECK(run(common + "--freeze-until 2").says("parameters are trained ("));
  const Outcome wrong = run(common + "--freeze 'patch_embd.*'");
  CHECK(wrong.code == 2);
  CHECK(wrong.says("freeze names no parameter of the model: it is \"patch_embd.*\""));
  CHECK(run(common + "--trainable pattern").code == 2);
  CHECK(run(common + "--trainable lora --lora-targets query").says("no linear layer is named by \"query\""));
  CHECK(run("train --init " + base() + " --data glyphs --train-size 40 --test-size 10 --lr 1e-3 --dry-run")
            .says("known to destroy what a trained model knows"));
}
