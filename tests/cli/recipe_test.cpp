// Recipes by name, runs that are written down and run again, starting from a model, one batch, a time budget: as a user meets them.
#include <doctest/doctest.h>

#include "base/file.h"
#include "base/json.h"
#include "models/weights/save.h"
#include "tests/support/run_program.h"
#include "train/recipes.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

const std::string kFew = " --data glyphs --train-size 40 --test-size 10 --batch-size 20 --epochs 2 --quiet ";

std::string bytes_of(const std::string& run) { return read_text_file(run + "/model.safetensors"); }

// A field of the configuration that the run has written down.
std::string recorded(const std::string& run, const std::string& key) {
  const std::string path = run + "/train-config.json";
  const JsonDocument json(read_text_file(path), path);
  return JsonObject(json.root(), path).json_text(key);
}

// Runs what `first` has written down again, into another folder: the model must be the same to the bit.
void check_rerun(const std::string& first) {
  const std::string again = first + "_again";
  const Outcome outcome = run("train --quiet --config " + first + "/train-config.json --out " + again);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(bytes_of(first) == bytes_of(again));
}

void refused(const std::string& arguments, const std::string& part) {
  const Outcome outcome = run("train " + arguments);
  CAPTURE(arguments);
  CHECK(outcome.code == 2);
  CHECK_MESSAGE(outcome.says(part), outcome.text);
}

// A model of the glyphs, trained for a moment.
const std::string& pretrained() {
  static const std::string folder = [] {
    const std::string path = scratch() + "/pretrained";
    const Outcome outcome = run("train" + kFew + "--model vit_fashion_p7 --out " + path);
    check(outcome.code == 0, ErrorKind::kValue, "test", outcome.text);
    return path;
  }();
  return folder;
}

}  // namespace

TEST_CASE("a recipe by name: its values, the model it chooses, single fields by flags; the run is written down and run again to the bit") {
  const std::string out = scratch() + "/cct";
  const Outcome outcome = run("train --recipe scratch-cct --sampling balanced --label-smoothing 0.2" + kFew + "--out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(recorded(out, "recipe") == "\"scratch-cct\"");
  CHECK(recorded(out, "mixup") == "0.8");
  CHECK(recorded(out, "label_smoothing") == "0.2");
  CHECK(recorded(out, "epochs") == "2");
  CHECK(recorded(out, "sampling") == "\"balanced\"");
  check_rerun(out);
}

TEST_CASE("the recipe scratch-small brings a ViT of patches of 4, and a model that is named wins") {
  const std::string out = scratch() + "/small";
  CHECK(run("train --recipe scratch-small --class-weights balanced" + kFew + "--out " + out).code == 0);
  CHECK(recorded(out, "model").find("\"patch_size\":4") != std::string::npos);
  CHECK(recorded(out, "model_name") == "\"scratch-small\"");
  check_rerun(out);
  const Outcome named = run("train --recipe scratch-small --model vit_fashion_p7 --dry-run --data glyphs --train-size 20 --test-size 10", "2>/dev/null");
  CHECK(named.says(cat("parameters  ", models::parameter_count(models::adapted(models::find_preset("vit_fashion_p7").config, {.num_classes = 20})))));
}

TEST_CASE("recipes and what goes with them are refused with the way out") {
  refused("--recipe scratch-smal --data glyphs --dry-run", "did you mean scratch-small?");
  refused("--recipe finetune --data glyphs --train-size 10 --test-size 10 --dry-run", "recipe finetune starts from a trained model. Hint: --init");
  refused("--recipe deit --config x.json --data glyphs --dry-run", "--recipe and --config are both whole recipes");
  refused("--minutes 3 --epochs 2 --data glyphs --dry-run", "leave out --epochs and --max-steps");
  refused("--overfit-one-batch --dry-run --data glyphs", "do not go together");
  refused("--sampling even --data glyphs --train-size 10 --dry-run", "sampling must be shuffled or balanced: it is \"even\"");
  refused("--class-weights yes --data glyphs --train-size 10 --dry-run",
          "class_weights must be none, balanced, auto, or NAME=WEIGHT");
  refused("--trainable tail --data glyphs --train-size 10 --dry-run", "trainable must be all or head or lora or partial or bitfit or pattern: it is \"tail\"");
  refused("--layer-decay 0 --data glyphs --train-size 10 --dry-run", "layer_decay must be in (0, 1]: it is 0");
  const std::string file = scratch() + "/wrong.json";
  write_file_atomically(file, "{\"data\": \"glyphs\", \"patiense\": 3}");
  refused("--dry-run --config " + file, "patience");
}

TEST_CASE("--init: the recipe finetune starts from a model with the same classes, and the run is run again to the bit") {
  const std::string out = scratch() + "/tuned";
  const Outcome outcome = run("train --recipe finetune --init " + pretrained() + " --data glyphs --train-size 40 --test-size 10 --epochs 1 --out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says("its head included: the classes are the same"), outcome.text);
  CHECK(!outcome.says("from scratch"));
  CHECK(recorded(out, "lr") == "0.0002");
  CHECK(recorded(out, "layer_decay") == "0.75");
  CHECK(recorded(out, "model").find("\"drop_path_rate\":0.1") != std::string::npos);
  check_rerun(out);
}

TEST_CASE("--init: the recipe probe trains a new head on colour pictures of other classes, and leaves the rest of a grey model as it was") {
  const std::string out = scratch() + "/recipe_probed";
  const Outcome outcome = run("train --recipe probe --init " + pretrained() + " --data scenes --train-size 40 --test-size 10 --epochs 1 --out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says("with a new head: 20 classes there"), outcome.text);
  const SavedModel before = read_saved_model(pretrained()), after = read_saved_model(out);
  CHECK(after.card.preprocessing == before.card.preprocessing);
  for (size_t i = 0; i < before.weights.size(); ++i) {
    const std::string& key = before.weights[i].first;
    CAPTURE(key);
    if (key.starts_with("head.")) continue;
    CHECK(bit_equal(before.weights[i].second, after.weights[i].second));
  }
  check_rerun(out);
}

TEST_CASE("--overfit-one-batch: learnt is 0, not learnt is 6, and nothing is saved") {
  const std::string common = "train --overfit-one-batch --data glyphs --train-size 40 --test-size 10 --batch-size 16 --model vit_fashion_p7 --out " + scratch() + "/none";
  const Outcome learnt = run(common);
  CHECK_MESSAGE(learnt.code == 0, learnt.text);
  CHECK_MESSAGE(learnt.says("learnt: all 16 images after"), learnt.text);
  CHECK(learnt.says("update 0  loss "));
  CHECK(learnt.says("grad "));
  const Outcome not_learnt = run(common + " --lr 1e-12");
  CHECK(not_learnt.code == 6);
  CHECK_MESSAGE(not_learnt.says("16 images are not learnt by heart after 500 updates"), not_learnt.text);
  CHECK(!fs::exists(scratch() + "/none"));
}

TEST_CASE("--patience: a run that gets no better says so and ends, and a resumed one has nothing left to do") {
  const std::string out = scratch() + "/patient";
  const Outcome outcome = run("train --data glyphs" + kQuick + "--epochs 30 --patience 2 --lr 1e-30 --min-lr 0 --weight-decay 0 --out " + out);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says("stopped early after epoch 3: the best is top-1"), outcome.text);
  CHECK(outcome.says("of epoch 1, 2 epochs ago"));
  const Outcome resumed = run("train --resume --out " + out);
  CHECK(resumed.code == 0);
  CHECK_MESSAGE(resumed.says("is finished: 6 updates"), resumed.text);
}

TEST_CASE("--minutes: chooses epochs, writes them down; a run of the written configuration needs no clock") {
  const std::string out = scratch() + "/minute";
  const Outcome outcome = run_command("timeout -s INT 20 " + program() + " train --minutes 1 --data glyphs" + kQuick + "--out " + out);
  CHECK_MESSAGE(outcome.says("note: 1 minute: "), outcome.text);
  CHECK((outcome.code == 0 || outcome.code == 130 || outcome.code == 124));
  CHECK(recorded(out, "epochs") != "8");  // that of grey pictures
  CHECK(recorded(out, "max_steps") == "0");
}

TEST_CASE("info says what a recipe is") {
  for (const Recipe& recipe : recipes()) {
    const Outcome outcome = run("info " + recipe.name);
    CHECK(outcome.code == 0);
    CHECK(outcome.says(recipe.help));
    CHECK(outcome.says("\"label_smoothing\""));
  }
  CHECK(run("train --help").says("scratch-small, scratch-cct, scratch-muon, finetune, partial, lora, bitfit, probe, deit"));
}

TEST_CASE("a run says by which score its best model is chosen, and refuses one that does not exist with the nearest") {
  const std::string out = scratch() + "/by_f1";
  const Outcome trained =
      run("train --eval-metric macro-f1 --data glyphs --train-size 40 --test-size 20 --batch-size 20 --epochs 2 --out " + out);
  REQUIRE_MESSAGE(trained.code == 0, trained.text);
  CHECK(trained.says("test macro-F1 "));
  CHECK(recorded(out, "eval_metric") == "\"macro-f1\"");
  CHECK(read_text_file(out + "/metrics.csv").find("test_macro_f1,test_top1") != std::string::npos);
  const Outcome eval = run("eval --json --data glyphs --limit 20 --model " + out, "2>/dev/null");
  CHECK(eval.says("\"macro_f1\":"));
  CHECK(eval.says("\"balanced_accuracy\":"));
  refused("--eval-metric macr-f1" + kFew + "--out " + scratch() + "/wrong_metric", "did you mean macro-f1?");
  refused("--class-weights cat=2" + kFew + "--out " + scratch() + "/wrong_weights", "no class has the name \"cat\"");
  refused("--class-weights balance" + kFew + "--out " + scratch() + "/wrong_weights",
          "must be none, balanced, auto, or NAME=WEIGHT");
}

TEST_CASE("--max-train-samples draws by the seed, is said and written down, and excludes --limit") {
  const std::string out = scratch() + "/few_samples";
  const Outcome trained = run(
      "train --max-train-samples 30 --seed 5 --data glyphs --train-size 60 --test-size 20 --batch-size 10 --epochs 1 --out " +
      out);
  REQUIRE_MESSAGE(trained.code == 0, trained.text);
  CHECK(trained.says("note: 30 of 60 training images, drawn by seed 5 from each class in proportion"));
  CHECK(trained.says("30 training and 20 test images"));
  CHECK(recorded(out, "max_train_samples") == "30");
  check_rerun(out);
  CHECK(run("train --resume --quiet --max-train-samples 20 --out " + out).says("max_train_samples is 30, not 20"));
  refused("--max-train-samples 30 --limit 20" + kFew + "--out " + scratch() + "/both",
          "--limit and --max-train-samples both say how many");
}

TEST_CASE("--lr-scaling says what it makes of --lr, in a run and before one, and is written down") {
  const std::string out = scratch() + "/scaled", line = "learning rate 0.004 x 20 / 80 = 0.001 (linear scaling)";
  const std::string arguments =
      "train --lr-scaling linear --base-batch 80 --lr 0.004 --optimizer lamb --warmup-epochs 1 "
      "--data glyphs --train-size 40 --test-size 10 --batch-size 20 --epochs 2 ";
  const Outcome outcome = run(arguments + "--out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  CHECK_MESSAGE(outcome.says(line), outcome.text);
  CHECK(recorded(out, "lr_scaling") == "\"linear\"");
  CHECK(recorded(out, "warmup_epochs").starts_with("1"));
  CHECK(run(arguments + "--dry-run").says(line));
  CHECK(run(arguments + "--find-lr").says("for --lr divide by 0.25: --lr-scaling linear multiplies it"));
  check_rerun(out);
  refused("--lr-scaling root" + kFew + "--out " + out + "_root", "lr_scaling must be none or linear or sqrt: it is \"root\"");
  const Outcome unused = run("train --base-batch 64 --data glyphs --max-steps 1 --out " + scratch() + "/unused_base" + kQuick);
  CHECK_MESSAGE(unused.says("--base-batch has no effect in this run: it goes with --lr-scaling linear or sqrt"), unused.text);
}
