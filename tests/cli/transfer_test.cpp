// vitrail transfer: the whole ladder on a few drawn pictures.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "tests/support/run_program.h"
#include "train/report/transfer_page.h"

using namespace vitrail;
using namespace vitrail::testing;

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
  const Outcome again = run("transfer --from " + base + " --data glyphs --limit 40 --out " + out);
  CHECK(again.code == 2);
  CHECK(again.says("holds results already"));
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
