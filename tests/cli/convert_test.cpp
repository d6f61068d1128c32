// vitrail convert, as a user runs it.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/run_program.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

TEST_CASE("a trained model is converted, opened again and converted back") {
  const ScratchFolder folder;
  const std::string timm = folder.file("timm"), back = folder.file("back"), again = folder.file("again");
  const Outcome first = run("convert " + trained() + " --to timm --out " + timm);
  CHECK_MESSAGE(first.code == 0, first.text);
  CHECK(first.says("open it: timm.create_model('local-dir:" + timm + "', pretrained=True)"));
  CHECK(first.says("note: timm does not "));
  CHECK(run("convert " + timm + " --to vitrail --out " + back).code == 0);
  CHECK(run("convert " + back + " --to timm --out " + again).code == 0);
  CHECK(content_of(timm + "/model.safetensors") == content_of(again + "/model.safetensors"));
  const Outcome info = run("info " + back);
  CHECK_MESSAGE(info.code == 0, info.text);
  CHECK(run("verify " + back).code == 0);
}

TEST_CASE("convert refuses wrong usage in words, and leaves nothing") {
  const ScratchFolder folder;
  const std::string out = " --out " + folder.file("x");
  const auto says = [&](const std::string& arguments, int code, const std::string& part) {
    const Outcome outcome = run("convert " + arguments, "2>&1 >/dev/null");
    CAPTURE(outcome.text);
    CHECK(outcome.code == code);
    CHECK(outcome.says(part));
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
  };
  says(trained() + " --to timm", 2, "--out is required");
  says(trained() + out, 2, "--to is required");
  says(trained() + " --to keras" + out, 2, "--to must be one of timm, hf, torchvision, vitrail, onnx: it is \"keras\"");
  says(trained() + " --to onnx" + out, 2, "writes a file whose name ends in .onnx");
  says(trained() + " --to onnx --opset 16 --out " + folder.file("x.onnx"), 2, "--opset must be");
  says(folder.file("none") + " --to timm" + out, 4, "none");
  CHECK(folder.entries() == 0);
}

TEST_CASE("convert to ONNX replaces a file only with --force") {
  const ScratchFolder folder;
  const std::string file = folder.file("m.onnx"), command = "convert " + trained() + " --to onnx --out " + file;
  const Outcome first = run(command);
  CHECK_MESSAGE(first.code == 0, first.text);
  const std::string content = content_of(file);
  const Outcome second = run(command);
  CHECK(second.code == 2);
  CHECK(second.says("Hint: --force replaces it"));
  put_content(file, "x");
  CHECK(run(command + " --force").code == 0);
  CHECK(content_of(file) == content);
}
