// vitrail transfer: the whole ladder on a few drawn pictures.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/run_program.h"
#include "train/report/transfer_page.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// The accuracy of ridge regression in what `probe --json` printed.
double ridge_of(const std::string& text) {
  const JsonDocument json(text, "probe");
  JsonObject root(json.root(), "probe");
  for (JsonObject& result : root.objects("results"))
    if (result.text("method") == "ridge") return result.number("top1", 0, 1);
  FAIL("no ridge regression in ", text);
  return 0;
}

}  // namespace

TEST_CASE("transfer climbs the ladder at 10, 50 and 100 % and writes a table and a page") {
  const std::string base = scratch() + "/transfer_base", out = scratch() + "/transfer";
  REQUIRE(run("train --data glyphs --train-size 40 --test-size 10 --batch-size 20 --epochs 1 --quiet --model vit_fashion_p7 "
              "--out " +
              base)
              .code == 0);
  const Outcome outcome = run("transfer --from " + base + " --data glyphs --limit 40 --epochs 1 --out " + out);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  const std::string path = out + "/transfer.json";
  const JsonDocument json(R"({"rows": )" + read_text_file(path) + "}", path);
  JsonObject root(json.root(), path);
  std::vector<std::string> names;
  for (JsonObject& row : root.objects("rows")) {
    names.push_back(row.text("method"));
    CHECK(row.number("top1", 0, 1) >= 0);
    if (names.back() == "lora") CHECK(row.integer("trained_parameters", 1, 1'000'000) < 20'000);
  }
  CHECK(names.size() == 18);
  CHECK(std::count(names.begin(), names.end(), "scratch") == 3);
  CHECK(read_text_file(out + "/transfer.html").find("Accuracy against seconds") != std::string::npos);
  CHECK(read_text_file(out + "/full-100/report.html").size() > 1000);
  // What each run has recorded says where it started: from the base, or, from scratch, from nothing.
  for (const char* rung : {"full-100", "scratch-100"}) {
    const std::string config = out + "/" + rung + "/train-config.json";
    const JsonDocument recorded(read_text_file(config), config);
    CHECK(JsonObject(recorded.root(), config).text("init") == (std::string(rung) == "full-100" ? base : ""));
  }
  // The frozen features of a half are those of the pictures that trainings on a half have: the first 20 of a drawn set.
  const Outcome probe = run("probe --model " + base + " --data glyphs --limit 20 --json", "2>/dev/null");
  REQUIRE_MESSAGE(probe.code == 0, probe.text);
  for (const report::TransferRow& row : report::transfer_rows(read_text_file(path), path))
    if (row.method == "ridge" && row.share == 0.5) CHECK(row.accuracy == doctest::Approx(ridge_of(probe.text)));
  const Outcome again = run("transfer --from " + base + " --data glyphs --limit 40 --out " + out);
  CHECK(again.code == 2);
  CHECK(again.says("holds results already. Hint: --resume goes on"));
}

TEST_CASE("a ladder that was stopped goes on: finished rungs are kept, and the result is that of the undisturbed one") {
  const std::string base = scratch() + "/ladder_base", out = scratch() + "/ladder", part = scratch() + "/ladder_part";
  REQUIRE(run("train --data glyphs --train-size 40 --test-size 10 --batch-size 20 --epochs 1 --quiet --model vit_fashion_p7 "
              "--out " +
              base)
              .code == 0);
  const std::string ladder = "transfer --from " + base + " --data glyphs --limit 40 --epochs 1 ";
  REQUIRE(run(ladder + "--out " + out).code == 0);
  // As if it had been stopped: two rungs of the file are gone, one with its run, the other in the middle of it.
  std::filesystem::copy(out, part, std::filesystem::copy_options::recursive);
  std::vector<report::TransferRow> rows = report::transfer_rows(read_text_file(out + "/transfer.json"), "transfer.json");
  const std::vector<report::TransferRow> whole = rows;
  std::erase_if(rows,
                [](const auto& row) { return row.folder == "full-50" || row.folder == "lora-10" || row.method == "knn"; });
  write_file_atomically(part + "/transfer.json", report::transfer_json(rows));
  std::filesystem::remove_all(part + "/full-50");
  const auto before = std::filesystem::last_write_time(part + "/partial-100/model.safetensors");
  const Outcome resumed = run(ladder + "--resume --out " + part);
  REQUIRE_MESSAGE(resumed.code == 0, resumed.text);
  CHECK(resumed.says("going on: 13 rungs are there"));
  CHECK(!resumed.says("partial, 100 %"));
  CHECK(std::filesystem::last_write_time(part + "/partial-100/model.safetensors") == before);
  const auto now = report::transfer_rows(read_text_file(part + "/transfer.json"), "transfer.json");
  REQUIRE(now.size() == whole.size());
  for (const report::TransferRow& row : whole)
    CHECK(std::any_of(now.begin(), now.end(), [&](const auto& other) {
      return other.method == row.method && other.share == row.share && other.accuracy == row.accuracy &&
             other.trained == row.trained && other.images == row.images;
    }));
  const Outcome other = run(ladder + "--seed 3 --precision bf16 --resume --out " + part);
  CHECK(other.code == 2);
  CHECK_MESSAGE(other.says("seed is 0, not 3, precision is f32, not bf16. Hint: the same settings"), other.text);
  const Outcome model = run("transfer --from " + out + "/full-100 --data glyphs --limit 40 --epochs 1 --resume --out " + part);
  CHECK(model.code == 2);
  CHECK_MESSAGE(model.says("the model is another one"), model.text);
  const Outcome opened = run(ladder + "--no-exif --resume --out " + part);
  CHECK(opened.code == 2);
  CHECK_MESSAGE(opened.says("opened with another configuration or preprocessing"), opened.text);
  const Outcome foreign = run(ladder + "--preprocess timm --out " + scratch() + "/no_ladder");
  CHECK(foreign.code == 2);
  CHECK(foreign.says("--preprocess is for models of other programs"));
  const Outcome nothing = run(ladder + "--resume --out " + scratch() + "/no_ladder");
  CHECK(nothing.code == 4);
  CHECK(nothing.says("holds no ladder to go on with"));
  CHECK(run(ladder + "--resume --force --out " + part).says("--resume does not go with --force"));
}

TEST_CASE("transfer ends with 128 + signal and says how to go on") {
  const std::string base = scratch() + "/ladder_base2", out = scratch() + "/stopped_ladder";
  REQUIRE(run("train --data glyphs --train-size 40 --test-size 10 --batch-size 20 --epochs 1 --quiet --model vit_fashion_p7 "
              "--out " +
              base)
              .code == 0);
  const std::string ladder = " transfer --from " + base + " --data glyphs --limit 40 --epochs 3000 --out " + out;
  // Once the first training runs. (A shell starts its background jobs deaf to SIGINT.)
  const Outcome stopped =
      run_command("{ " + program() + ladder + " 2>&1 & p=$!; until test -e " + out +
                  "/lora-100/train-config.json; do sleep 0.1; done; sleep 0.5; kill -TERM $p; wait $p; echo "
                  "code $?; }");
  CHECK_MESSAGE(stopped.says("the same command with --resume goes on from here"), stopped.text);
  CHECK(stopped.says("code 143"));
  CHECK(std::filesystem::exists(out + "/lora-100/rung.json"));
  CHECK(std::filesystem::exists(out + "/lora-100/checkpoint.safetensors"));
  const Outcome again = run_command("timeout -s TERM 8 " + program() + ladder + " --resume");
  CHECK_MESSAGE(again.says("going on: 6 rungs are there"), again.text);
}

TEST_CASE("the table of a transfer has a line for each rung, and the page says what was left out") {
  const std::vector<report::TransferRow> rows{{"knn", 0.1, 5, 0.5, 1.25, 0, 0.01},
                                              {"full", 1, 50, 0.75, 10, 1000, 0.004, "full-100"}};
  const std::string table = report::transfer_table(rows);
  CHECK(table.find("full       100 %      50   75.00 %      10.0      1000   0.004") != std::string::npos);
  CHECK(report::transfer_page("<flowers>", rows, {"scratch-10"}).find("Left out for want of time: scratch-10") !=
        std::string::npos);
  CHECK(report::transfer_page("<flowers>", rows, {}).find("<h1>&lt;flowers&gt;</h1>") != std::string::npos);
}
