// predict for many pictures and in other forms.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "tensor/ops.h"
#include "tests/support/picture_folder.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// Three grey pictures as the model takes them, a broken one, and a file that is none.
struct Pictures : PictureFolder {
  Pictures() {
    for (const int i : {1, 2, 10}) put("p" + std::to_string(i) + ".png", noise_picture(i, 1, 28, 28));
    put_text("broken.png", "no picture");
    put_text("notes.txt", "words");
  }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string predict(const std::string& arguments) { return "predict --model " + trained() + " " + arguments; }

}  // namespace

TEST_CASE("predict takes folders in natural order and names on standard input") {
  const Pictures root;
  const Outcome folder = run(predict(root.path()), "2>/dev/null");
  CHECK(folder.code == 3);  // of the broken one
  const auto lines = lines_of(folder.text);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].find("/p1.png: ") != std::string::npos);
  CHECK(lines[1].find("/p2.png: ") != std::string::npos);
  CHECK(lines[2].find("/p10.png: ") != std::string::npos);
  const Outcome named = run_command("printf '%s\\n\\n%s\\n' " + root.file("p2.png") + " " + root.file("p1.png") + " | " +
                                        program() + " " + predict("- ") + " 2>/dev/null; true",
                                    "");
  REQUIRE(lines_of(named.text).size() == 2);
  CHECK(lines_of(named.text)[0].find("/p2.png: ") != std::string::npos);
  CHECK(run(predict("")).says("no picture is named"));
  PictureFolder empty;
  const Outcome nothing = run(predict(empty.path()));
  CHECK(nothing.code == 3);
  CHECK(nothing.says("there is no picture in this folder"));
}

TEST_CASE("predict --csv is a table with a line for each picture, bad ones with their reason") {
  const Pictures root;
  const Outcome outcome = run(predict("--csv --top 2 " + root.file("p1.png") + " " + root.file("broken.png")), "2>/dev/null");
  CHECK(outcome.code == 3);
  const auto lines = lines_of(outcome.text);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == "file,class_1,probability_1,class_2,probability_2,error");
  CHECK(lines[1].starts_with(root.file("p1.png") + ","));
  CHECK(lines[1].ends_with(","));
  CHECK(std::count(lines[1].begin(), lines[1].end(), ',') == 5);
  CHECK(lines[2].starts_with(root.file("broken.png") + ",,,,,"));
  CHECK(lines[2].find("not a picture") != std::string::npos);
  const Outcome logits = run(predict("--csv --logits " + root.file("p1.png")), "2>/dev/null");
  CHECK(lines_of(logits.text).at(0).starts_with("file,"));
  CHECK(lines_of(logits.text).at(0).ends_with(",error"));
}

TEST_CASE("predict --logits --json gives the outputs whose softmax the probabilities are") {
  const Pictures root;
  const Outcome outcome =
      run(predict("--json --logits --top 1 " + root.file("p1.png") + " " + root.file("p2.png")), "2>/dev/null");
  REQUIRE(outcome.code == 0);
  const JsonDocument document(outcome.text, "predict");
  JsonObject object(document.root(), "predict");
  const size_t classes = object.texts_or("class_names", {}).size();
  auto pictures = object.objects("predictions");
  REQUIRE(pictures.size() == 2);
  for (JsonObject& picture : pictures) {
    const std::vector<double> logits = picture.numbers("logits", -1e9, 1e9);
    REQUIRE(logits.size() == classes);
    const Tensor probabilities = softmax(from_vector(logits, {1, static_cast<int64_t>(classes)}));
    const double best = picture.objects("predictions").at(0).number("probability", 0, 1);
    CHECK(max(probabilities).item() == doctest::Approx(best).epsilon(1e-5));
  }
  CHECK(run(predict("--logits " + root.file("p1.png"))).says("--logits needs a form that has room for them"));
  CHECK(run(predict("--json --csv " + root.file("p1.png"))).says("--json and --csv exclude each other"));
}

TEST_CASE("predict --tta averages views: probabilities add up, and mirroring can be asked for") {
  const Pictures root;
  const auto logits = [&](const std::string& options) {
    const Outcome outcome = run(predict("--json --logits " + options + " " + root.file("p1.png")), "2>/dev/null");
    REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
    const JsonDocument document(outcome.text, "predict");
    JsonObject object(document.root(), "predict");
    return object.objects("predictions").at(0).numbers("logits", -1e9, 1e9);
  };
  const auto plain = logits(""), crops = logits("--tta --tta-mirror false"), mirrored = logits("--tta --tta-mirror true");
  CHECK(plain != crops);
  CHECK(crops != mirrored);
  CHECK(logits("--tta") == crops);  // letters: the model was not trained on mirrored ones
  double sum = 0;
  for (const double x : mirrored) sum += std::exp(x);
  CHECK(sum == doctest::Approx(1).epsilon(1e-5));
  CHECK(run(predict("--tta-mirror true " + root.file("p1.png"))).says("--tta-mirror is for --tta alone"));
}
