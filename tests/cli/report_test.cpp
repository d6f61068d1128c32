// report.html and `vitrail report`, by the program and in a real browser.
#include <doctest/doctest.h>

#include "base/file.h"
#include "tests/support/browser.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("train leaves a page, the log and the curve beside the model, and says where") {
  const std::string& out = trained();
  for (const char* name : {"report.html", "metrics.jsonl", "metrics.csv", "curve.csv", "run.json"})
    CHECK_MESSAGE(fs::exists(out + "/" + name), name);
  const std::string page = read_text_file(out + "/report.html");
  CHECK(has(page, "<h1>glyphs, vit_fashion_p7</h1>"));
  CHECK(has(page, "finished"));
  CHECK(has(page, "processor"));
  const Outcome again = run("train --quiet --data glyphs --max-steps 1 --out " + scratch() + "/said" + kQuick);
  CHECK(again.says("report: " + scratch() + "/said/report.html"));
}

TEST_CASE("report puts runs on one page, and refuses what is no run") {
  const std::string other = scratch() + "/second_run", page = scratch() + "/compared.html";
  REQUIRE(run("train --quiet --data glyphs --max-steps 2 --lr 0.01 --out " + other + kQuick).code == 0);
  const Outcome outcome = run("report " + trained() + " " + other + " --out " + page);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.says("written: " + page));
  const std::string text = read_text_file(page);
  CHECK(has(text, "2 runs compared"));
  CHECK(has(text, "<tr><th>lr</th><td>0.002</td><td>0.01</td></tr>"));
  const Outcome none = run("report " + scratch() + "/nothing");
  CHECK(none.code == 4);
  CHECK(none.says("holds no metrics.jsonl. Hint: name folders that vitrail train wrote."));
  CHECK(run("report").code == 2);
  std::string many = "report";
  for (int i = 0; i < 17; ++i) many += " " + other;
  const Outcome crowd = run(many);
  CHECK(crowd.code == 2);
  CHECK(crowd.says("a page compares at most 16 runs: there are 17"));
  CHECK(run("report " + other + " --out " + scratch() + "/missing/folder/page.html").code == 4);
  write_file_atomically(other + "/run.json", std::string("{\"config\":"));
  const Outcome damaged = run("report " + other + " --out " + page);
  CHECK(damaged.code == 3);
  CHECK(damaged.says("run.json"));
}

TEST_CASE("a run that ends by an error says so on its page") {
  const std::string out = scratch() + "/ended";
  const Outcome outcome =
      run("train --data glyphs --epochs 3 --warmup 0.9 --schedule constant --lr 1e39 --out " + out + kQuick);
  CHECK(outcome.code == 6);
  // Only a run with an epoch behind it has a page.
  if (fs::exists(out + "/report.html")) CHECK(has(read_text_file(out + "/report.html"), "ended by an error"));
  CHECK(!fs::exists(out + "/report.html.tmp"));
}

TEST_CASE("a real browser shows the pages without a complaint, with values under the pointer and by keys") {
  if (browser().empty()) {
    MESSAGE("skipped: no chromium is installed");
    return;
  }
  // The complaint that the other checks look for is seen where there is one.
  const std::string broken = scratch() + "/broken.html";
  write_file_atomically(broken, std::string("<html><body><script>nothing.at.all();</script></body></html>\n"));
  REQUIRE(has(load_page(broken).complaints, "nothing is not defined"));
  const std::string compared = scratch() + "/browsed.html";
  REQUIRE(run("report " + trained() + " " + trained() + " --out " + compared).code == 0);
  for (const std::string& page : {trained() + "/report.html", compared}) {
    CAPTURE(page);
    const Loaded plain = load_page(page);
    CHECK(plain.complaints == "");
    CHECK(has(plain.dom, "<div id=\"tip\" hidden"));
    CHECK(has(plain.dom, "<th><button>"));  // the script has made the headings of tables clickable
    const Loaded pointed =
        load_page(page,
                  "var s = document.querySelector('svg[data-chart]'), r = s.getBoundingClientRect();"
                  "s.dispatchEvent(new PointerEvent('pointermove', {clientX: r.right - 20, clientY: r.top + 20}));");
    CHECK(pointed.complaints == "");
    CHECK(has(pointed.dom, "class=\"cross\""));
    CHECK(has(pointed.dom, "<span>epoch "));
    const Loaded keyed = load_page(page,
                                   "var s = document.querySelector('svg[data-chart]');"
                                   "s.dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}));"
                                   "document.querySelector('table.sortable button').click();");
    CHECK(keyed.complaints == "");
    CHECK(has(keyed.dom, "<span>epoch 8</span>"));
    CHECK(has(keyed.dom, "aria-sort=\"ascending\""));
  }
}
