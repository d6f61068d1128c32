// The program from outside: train, look, test, predict, stop.
#include <doctest/doctest.h>

#include "base/file.h"
#include "base/json.h"
#include "data/image/image.h"
#include "data/sets/registry.h"
#include "tensor/rng.h"
#include "tensor/safetensors.h"
#include "tensor/view.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

TEST_CASE("help, version and every command's help end well, with an example") {
  CHECK(run("--help").code == 0);
  CHECK(run("--version").says("vitrail 0."));
  for (const std::string command : {"train", "demo", "eval", "predict", "explain", "info", "verify", "opcheck", "bench"}) {
    const Outcome help = run(command + " --help");
    CHECK(help.code == 0);
    CHECK_MESSAGE(help.says("Example: vitrail " + command), command);
  }
}

TEST_CASE("runop is a program of its own: no command of this one") {
  CHECK(run("runop").code == 2);
  CHECK(run("runop").says("unknown command: runop"));
}

TEST_CASE("train, eval, info and predict work together") {
  const Outcome eval = run("eval --data glyphs --limit 10 --json --model " + trained(), "2>/dev/null");
  CHECK(eval.code == 0);
  const JsonDocument document(eval.text, "eval");
  JsonObject json(document.root(), "eval");
  CHECK(json.integer("images", 10, 10) == 10);
  CHECK(json.number("top5", json.number("top1", 0, 1), 1) <= 1);
  CHECK(json.number("loss", 1e-9, 1e9) > 0);
  for (const char* beside : {"macro_f1", "balanced_accuracy"}) CHECK(json.number(beside, 0, 1) >= 0);
  json.finish();
  CHECK(run("info " + trained()).says("head"));
  const std::string picture = scratch() + "/glyph.png";
  write_png(picture, open_dataset("glyphs", Split::kTest)->sample(0).image);
  const Outcome predict = run("predict --json --top 2 --model " + trained() + " " + picture, "2>/dev/null");
  CHECK_MESSAGE(predict.code == 0, predict.text);
  const JsonDocument list("{\"all\":" + predict.text + "}", "predict");
  const std::string text = JsonObject(list.root(), "predict").json_text("all");
  CHECK_MESSAGE(text.starts_with("[{\"file\":\"" + picture + "\",\"predictions\":[{\"class\":"), text);
  std::vector<double> probabilities;
  const std::string key = "\"probability\":";
  for (size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1))
    probabilities.push_back(std::stod(text.substr(at + key.size())));
  REQUIRE(probabilities.size() == 2);
  CHECK(probabilities[0] >= probabilities[1]);
  CHECK(run("predict --model " + trained() + " " + picture).says("glyph.png: "));
}

TEST_CASE("predict reads photographs, and says what is odd about a picture, in JSON too") {
  const std::string model = " --model " + trained() + " ", photo = "tests/fuzz/corpus/jpeg/restarts";
  const Outcome usual = run("predict --json" + model + photo, "2>&1");
  CHECK(usual.code == 0);
  CHECK_MESSAGE(usual.says("\"warnings\": []"), usual.text);
  const auto odd = [&](const Tensor& image) {
    write_png(scratch() + "/odd.png", image);
    const Outcome text = run("predict" + model + scratch() + "/odd.png");
    CHECK(text.code == 0);
    CHECK(text.says("odd.png: "));  // it is predicted all the same
    return text.text + run("predict --json" + model + scratch() + "/odd.png", "2>/dev/null").text;
  };
  const auto twice = [](const std::string& text, const std::string& part) {
    const size_t first = text.find(part);
    return first != std::string::npos && text.find(part, first + 1) != std::string::npos;
  };
  CHECK(twice(odd(full({1, 28, 28}, 9, Dtype::u8)), "the whole picture is one colour"));
  CHECK(twice(odd(to(rand_int({1, 28, 28}, 0, 9, Rng(1)), Dtype::u8)), "it is nearly black: no sample is above 8 of 255"));
  CHECK(twice(odd(to(rand_int({1, 28, 28}, 190, 256, Rng(1)), Dtype::u8)), "it may be inverted: its mean brightness is 0.87"));
  CHECK(twice(odd(to(rand_int({1, 4, 4}, 0, 90, Rng(1)), Dtype::u8)),
              "it has 4 x 4 pixels, the model takes 28 x 28: enlarged 7.00 times"));
}

TEST_CASE("predict takes one picture out of an IDX file") {
  const std::string path = scratch() + "/two.idx";
  write_file_atomically(path, std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16) + std::string(2 * 28 * 28, '\x40'));
  CHECK(run("predict --index 1 --model " + trained() + " " + path).code == 0);
  const Outcome outside = run("predict --index 2 --model " + trained() + " " + path);
  CHECK(outside.code == 2);
  CHECK(outside.says("[0, 2): it is 2"));
}

TEST_CASE("the same seed gives the same weights, whatever the threads; another seed others") {
  const auto weights = [](const std::string& options) {
    const std::string out = scratch() + "/again";
    REQUIRE(run("train --force --data glyphs --out " + out + kQuick + options).code == 0);
    return load_safetensors(out + "/model.safetensors").tensors;
  };
  const auto first = load_safetensors(trained() + "/model.safetensors").tensors, same = weights("--threads 3"),
             other = weights("--seed 1");
  // The whole file, header included: nothing in it describes the machine or the run.
  CHECK(run("train --data glyphs --threads 1 --out " + scratch() + "/again1" + kQuick).code == 0);
  CHECK(run("train --data glyphs --threads 4 --out " + scratch() + "/again4" + kQuick).code == 0);
  CHECK(read_file(scratch() + "/again1/model.safetensors") == read_file(trained() + "/model.safetensors"));
  CHECK(read_file(scratch() + "/again4/model.safetensors") == read_file(trained() + "/model.safetensors"));
  REQUIRE(first.size() == same.size());
  bool differs = false;
  for (size_t i = 0; i < first.size(); ++i) {
    CHECK_MESSAGE(bit_equal(first[i].second, same[i].second), first[i].first);
    differs = differs || !bit_equal(first[i].second, other[i].second);
  }
  CHECK(differs);
}

TEST_CASE("predict goes on after a bad file, names it, and says so with its exit code") {
  const std::string picture = scratch() + "/good.png", bad = scratch() + "/bad.png";
  write_png(picture, open_dataset("glyphs", Split::kTest)->sample(0).image);
  write_file_atomically(bad, std::string("no picture"));
  const Outcome text = run("predict --model " + trained() + " " + bad + " " + picture);
  CHECK(text.code == 3);
  CHECK(text.says("bad.png: not a picture"));
  CHECK(text.says("good.png: "));
  const Outcome json = run("predict --json --model " + trained() + " " + bad + " " + picture, "2>/dev/null");
  CHECK(json.code == 3);
  CHECK(json.says("\"error\": "));
  CHECK(json.says("\"predictions\": "));
  CHECK(run("predict --model " + trained() + " " + picture + " /nowhere.png").code == 4);
}

TEST_CASE("demo shows its own defaults, and ends with what to do next") {
  const Outcome help = run("demo --help");
  CHECK(help.says("Times that every image is seen (3)"));
  CHECK(help.says("Images per update (64)"));
  CHECK(help.says("Drawn digits to learn (20000)"));
  const std::string out = scratch() + "/demo";
  const std::string quick = "demo --out " + out + kQuick + "--epochs 1 --letters 1 --letter-epochs 1";
  const Outcome demo = run(quick, "2>/dev/null");
  CHECK_MESSAGE(demo.code == 0, demo.text);
  for (const char* method : {"knn", "ridge", "lora", "full", "scratch"}) CHECK(demo.says(cat("\n", method, " ")));
  CHECK(demo.says("xdg-open " + out + "/report.html"));
  // What it says to do next can be done.
  const size_t at = demo.text.find("vitrail predict --model ");
  REQUIRE(at != std::string::npos);
  const std::string next = demo.text.substr(at + 8, demo.text.find('\n', at) - at - 8);
  CHECK_MESSAGE(next.ends_with(out + "/picture.png"), next);
  CHECK(run(next).code == 0);
  const std::string page = read_text_file(out + "/report.html");
  size_t pictures = 0;
  for (size_t from = page.find("<img "); from != std::string::npos; from = page.find("<img ", from + 1)) ++pictures;
  CHECK(pictures == 8);  // two letters, each with three maps
  for (size_t from = page.find("<a href=\""); from != std::string::npos; from = page.find("<a href=\"", from + 1)) {
    const std::string target = page.substr(from + 9, page.find('"', from + 9) - from - 9);
    CHECK_MESSAGE(fs::exists(out + "/" + target), target);
  }
  const Outcome again = run(quick);
  CHECK(again.code == 2);
  CHECK_MESSAGE(again.says("--force"), again.text);
  CHECK(run(quick + " --force").code == 0);
  const Outcome blind = run("demo --model linear --out " + scratch() + "/blind");
  CHECK(blind.code == 2);
  CHECK_MESSAGE(blind.says("attention"), blind.text);
  CHECK(!fs::exists(scratch() + "/blind"));
}

TEST_CASE("info counts the parameters of a preset") {
  const Outcome preset = run("info --json vit_fashion", "2>/dev/null");
  CHECK(preset.code == 0);
  const JsonDocument json(preset.text, "info");
  CHECK(JsonObject(json.root(), "info").integer("parameters", 0, 1000000) > 200000);
  CHECK(run("info glyphs").says("20 classes"));
}

TEST_CASE("a run prints a short line for each group of weights, and --dry-run their names") {
  const std::string command = "train --data glyphs" + std::string(kQuick) + "--epochs 1 ";
  const Outcome trained_now = run(command + "--out " + scratch() + "/groups"), dry = run(command + "--dry-run");
  CHECK_MESSAGE(trained_now.says("numbers)\n"), trained_now.text);
  CHECK(!trained_now.says("blocks.*"));
  CHECK_MESSAGE(dry.says("numbers): "), dry.text);
  CHECK(dry.says("blocks.*"));
}

TEST_CASE("a flag that changes nothing is said to, unless a recipe or a file gave the value") {
  const std::string command = "train --dry-run --data glyphs" + std::string(kQuick);
  const Outcome outcome = run(command + "--magnitude 5 --optimizer sgd --beta1 0.8");
  CHECK(outcome.code == 0);
  CHECK_MESSAGE(outcome.says("warning: --magnitude has no effect in this run: it goes with --augment randaugment.\n"),
                outcome.text);
  CHECK(outcome.says("warning: --beta1 has no effect"));
  CHECK(!outcome.says("--beta2"));
  const std::string file = scratch() + "/unused.json";
  write_file_atomically(file, std::string("{\"power\": 2}"));
  CHECK(!run(command + "--config " + file).says("has no effect"));
}

TEST_CASE("settings that are known to fail are named before the first step") {
  const std::string command = "train --data glyphs --dry-run --lr 0.1" + std::string(kQuick);
  const Outcome outcome = run(command);
  CHECK(outcome.code == 0);
  CHECK_MESSAGE(outcome.text.find("warning: a learning rate of 0.1 is known to fail with adamw") != std::string::npos,
                outcome.text);
}

TEST_CASE("a dry run prints numbers and writes nothing") {
  const Outcome outcome = run("train --data glyphs --dry-run --out " + scratch() + "/dry" + kQuick);
  CHECK(outcome.code == 0);
  for (const char* part : {"parameters", "MACs", "updates", "memory", "time"}) CHECK(outcome.says(part));
  CHECK(!fs::exists(scratch() + "/dry"));
}

TEST_CASE("a full disk ends with 4") {
  if (!fs::exists("/dev/full")) return;
  CHECK(run("info glyphs", "2>/dev/null > /dev/full").code == 4);
}

TEST_CASE("--quiet: nothing on standard error, the result on standard output") {
  const Outcome errors =
      run("train --quiet --baseline linear --data glyphs --max-steps 1 --lr 0.02 --out " + scratch() + "/quiet" + kQuick,
          "2>&1 >/dev/null");
  CHECK(errors.code == 0);
  CHECK_MESSAGE(errors.text.empty(), errors.text);
  const Outcome result =
      run("train --quiet --force --data glyphs --max-steps 1 --out " + scratch() + "/quiet" + kQuick, "2>/dev/null");
  CHECK(result.says("test accuracy"));
}
