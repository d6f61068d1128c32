// vitrail explain, by the program and in a real browser.
#include <doctest/doctest.h>

#include "base/json.h"
#include "data/image/image.h"
#include "tensor/ops.h"
#include "tests/support/browser.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

const std::string kExplain = "explain --model ";

// 40 x 100: not of the model's proportions.
std::string photograph() {
  const std::string path = scratch() + "/wide.png";
  Tensor image = full({3, 40, 100}, 20, Dtype::u8);
  fill_(slice(slice(image, 1, 8, 30), 2, 40, 60), 230);
  write_png(path, image);
  return path;
}

const std::string& explained() {
  static const std::string folder = [] {
    const std::string path = scratch() + "/explained";
    const Outcome outcome = run(kExplain + trained() + " " + photograph() + " --heads --out " + path);
    check(outcome.code == 0, ErrorKind::kValue, "test", outcome.text);
    return path;
  }();
  return folder;
}

}  // namespace

TEST_CASE("explain writes a page and an overlay per method in the size of the picture, and prints the scores") {
  const std::string out = scratch() + "/said_explained";
  const Outcome outcome = run(kExplain + trained() + " " + photograph() + " --out " + out);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.says("wide.png: "));
  CHECK(outcome.says("explained: "));
  CHECK(outcome.says("deletion"));
  CHECK(outcome.says("mean of 4 orders"));
  CHECK(outcome.says("written: " + out + "/explain.html"));
  for (const char* name : {"rollout", "gradient", "attention"}) {
    CHECK(outcome.says(std::string(name) + " "));
    CHECK(read_image(out + "/" + name + ".png").shape() == Shape{3, 40, 100});
  }
  CHECK(!fs::exists(out + "/heads"));
}

TEST_CASE("--heads adds an overlay for each layer and head") {
  int64_t pictures = 0;
  for (const auto& entry : fs::directory_iterator(explained() + "/heads")) pictures += entry.path().extension() == ".png";
  CHECK(pictures > 1);
  CHECK(read_image(explained() + "/heads/layer-01-head-01.png").shape() == Shape{3, 40, 100});
}

TEST_CASE("--json has predictions, maps, curves and files; one method and no steps leave the rest out") {
  const std::string out = scratch() + "/json_explained";
  const Outcome outcome =
      run(kExplain + trained() + " --index 3 glyphs --json --method gradient --steps 0 --out " + out, "2>/dev/null");
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  const JsonDocument document(outcome.text, "explain");
  for (const char* part :
       {"\"predictions\": [", "\"explained\": ", "\"grid\": [", "\"method\": \"gradient\"", "\"attention_distance\": ["})
    CHECK_MESSAGE(outcome.says(part), part);
  CHECK(!outcome.says("deletion"));
  CHECK(!outcome.says("rollout"));
  CHECK(outcome.says(out + "/gradient.png"));
  CHECK(!fs::exists(out + "/rollout.png"));
  const Outcome scored = run(kExplain + trained() + " --index 3 glyphs --json --out " + out, "2>/dev/null");
  CHECK(scored.says("\"verdict\": "));
  CHECK(scored.says("\"deletion_areas\": ["));
}

TEST_CASE("another class is explained by its name; rollout's options are read") {
  const std::string out = " --out " + scratch() + "/class_explained ";
  const Outcome named = run(kExplain + trained() + " --class 7 --steps 2 --fusion max --discard 0.5 " + photograph() + out);
  CHECK_MESSAGE(named.code == 0, named.text);
  CHECK(named.says("explained: 7 "));
}

TEST_CASE("explain refuses what it cannot do, with the reason") {
  const std::string base = kExplain + trained() + " " + photograph() + " --out " + scratch() + "/refused_explained ";
  const auto refused = [&](const std::string& arguments, int code, const std::string& part) {
    const Outcome outcome = run(arguments);
    CHECK_MESSAGE(outcome.code == code, outcome.text);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  refused(base + "--class nothing-like-this", 2, "the model has no class \"nothing-like-this\": it has ");
  refused(base + "--class b", 2, "Hint: ");
  refused(base + "--method lime", 2, "there is no method lime. Hint: one of rollout, gradient, attention.");
  refused(base + "--fusion sum", 2, "--fusion must be mean, max or min: it is sum");
  refused(base + "--discard 1", 2, "--discard must be in [0, 1): it is 1");
  refused(base + "--layers 1,two", 2, "--layers");
  refused(base + "--layers 77", 2, "there is no layer 77");
  refused(base + "--steps 1001", 2, "--steps");
  refused(kExplain + trained() + " /nowhere.png", 4, "/nowhere.png");
  refused("explain " + photograph(), 2, "--model");
  refused(kExplain + scratch() + "/nothing " + photograph(), 4, "nothing");
  const std::string same = scratch() + "/same";
  fs::create_directories(same);
  fs::copy_file(photograph(), same + "/rollout.png");
  refused(kExplain + trained() + " " + same + "/rollout.png --steps 0 --out " + same, 2, "this is the picture itself");
  CHECK(read_image(same + "/rollout.png").at({0, 0, 0}) == 20);
  write_file_atomically(same + "/explain.html", std::string("my notes"));
  refused(kExplain + trained() + " " + photograph() + " --steps 0 --out " + same, 2, "is no HTML page");
  refused(kExplain + trained() + " " + photograph() + " --out " + photograph() + "/below", 4, "the folder cannot be made");
  const std::string mlp = scratch() + "/mlp";
  REQUIRE(run("train --data glyphs --out " + mlp + " --train-size 20 --test-size 10 --batch-size 10 --model mlp").code == 0);
  refused(kExplain + mlp + " " + photograph(), 2, "the model has no attention to show: its architecture is mlp");
}

TEST_CASE("a real browser shows the page without a complaint, and what a patch attends to under the pointer and by keys") {
  if (browser().empty()) {
    MESSAGE("skipped: no chromium is installed");
    return;
  }
  const std::string page = explained() + "/explain.html";
  const auto says = [](const Loaded& loaded) {
    const size_t at = loaded.dom.find("id=\"says\"");
    return at == std::string::npos ? "" : loaded.dom.substr(at, loaded.dom.find("</p>", at) - at);
  };
  const Loaded plain = load_page(page);
  CHECK(plain.complaints == "");
  CHECK(says(plain).find(" attends most to the patch in row ") != std::string::npos);
  const Loaded pointed =
      load_page(page,
                "var s = document.getElementById('stage'), r = s.getBoundingClientRect();"
                "s.dispatchEvent(new PointerEvent('pointermove', {clientX: r.right - 4, clientY: r.top + 4}));");
  CHECK(pointed.complaints == "");
  CHECK(says(pointed).find("the patch in row 1, column 4 attends most to") != std::string::npos);
  const Loaded keyed = load_page(page,
                                 "var s = document.getElementById('stage');"
                                 "['ArrowDown', 'ArrowDown', 'ArrowRight'].forEach(function (k) {"
                                 "  s.dispatchEvent(new KeyboardEvent('keydown', {key: k})); });");
  CHECK(keyed.complaints == "");
  CHECK(says(keyed).find("the patch in row ") != std::string::npos);
  const Loaded tapped = load_page(page,
                                  "var h = document.getElementById('heads'), r = h.getBoundingClientRect();"
                                  "h.dispatchEvent(new MouseEvent('click', {clientX: r.left + 3, clientY: r.top + 3}));");
  CHECK(tapped.complaints == "");
  CHECK(says(tapped).find("Layer 1, head 1: ") != std::string::npos);
}
