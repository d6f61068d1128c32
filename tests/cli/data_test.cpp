// Folders, lists and data-check through the program.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/picture_folder.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// Two colours to tell apart, 40 pictures each.
void put_colours(const PictureFolder& root, const std::string& below = "") {
  for (int i = 0; i < 40; ++i) {
    root.put(below + "red/" + std::to_string(i) + ".png", coloured_picture(i, 200, 30));
    root.put(below + "green/" + std::to_string(i) + ".png", coloured_picture(100 + i, 30, 200));
  }
}

std::string quoted(const std::string& path) { return "'" + path + "'"; }

const std::string kShort = " --epochs 3 --batch-size 8 --lr 0.003 --quiet ";

// The number of this name in the program's JSON.
std::string number_of(const Outcome& outcome, const std::string& key) {
  const size_t at = outcome.text.find("\"" + key + "\":");
  return at == std::string::npos
             ? ""
             : outcome.text.substr(at + key.size() + 3, outcome.text.find_first_of(",}", at) - at - key.size() - 3);
}

}  // namespace

TEST_CASE("a folder of class folders is trained on by its path alone, then tested, asked and described") {
  PictureFolder root;
  put_colours(root);
  const std::string model = root.file("../" + fs::path(root.path()).filename().string() + "-model");
  const Outcome trained_on = run("train --data " + root.path() + " --out " + model + kShort);
  REQUIRE_MESSAGE(trained_on.code == 0, trained_on.text);
  CHECK(trained_on.says("16 images"));
  const Outcome tested = run("eval --data " + root.path() + " --model " + model + " --json", "2>/dev/null");
  CHECK(tested.code == 0);
  CHECK(number_of(tested, "images") == "16");
  CHECK(number_of(tested, "top1") == "1.0");
  CHECK(run("eval --data " + root.path() + " --model " + model + " --split val --json", "2>/dev/null").text == tested.text);
  CHECK(run("eval --data " + root.path() + " --model " + model + " --split dev").says("--split must be test, val or train"));
  CHECK(run("predict --model " + model + " --index 0 --top 1 " + root.path()).says("green "));
  const Outcome info = run("info " + root.path());
  CHECK(info.code == 0);
  CHECK(info.says("64 training and 16 validation images"));
  fs::remove_all(model);
}

TEST_CASE("what was held out for validation is called so, and a test part a test") {
  PictureFolder root;
  put_colours(root);
  const std::string model = root.file(".model"), on = "eval --model " + model + " --data " + root.path();
  const Outcome run_of = run("train --data " + root.path() + " --out " + model + " --epochs 2 --batch-size 8");
  REQUIRE_MESSAGE(run_of.code == 0, run_of.text);
  for (const char* words : {"64 training and 16 validation images", "  validation top-1 ", "\nvalidation accuracy "})
    CHECK_MESSAGE(run_of.says(words), run_of.text);
  for (const char* word : {" test ", "\ntest ", "test images"}) CHECK_MESSAGE(!run_of.says(word), run_of.text);
  const std::string page = content_of(model + "/report.html");
  CHECK(page.find("Validation top-1 accuracy") != std::string::npos);
  CHECK(page.find("Test top-1") == std::string::npos);
  // Pictures are found by the names of their files.
  CHECK(page.find("<figure title=\"" + root.path() + "/") != std::string::npos);
  CHECK(page.find("<br>red/") != std::string::npos);
  CHECK(content_of(model + "/metrics.jsonl").find("\"test_top1\":") != std::string::npos);
  CHECK(run("report " + model + " --out " + root.file(".one.html")).code == 0);
  CHECK(content_of(root.file(".one.html")).find("validation top1") != std::string::npos);
  CHECK(run(on).says("\nvalidation accuracy "));
  CHECK(run(on + " --split validation").says("\nvalidation accuracy "));
  CHECK(run(on + " --split train").says("\ntraining accuracy "));
  // Beside val/, a part test/ is what eval takes unless told otherwise.
  PictureFolder parts;
  for (const char* part : {"train/", "val/", "test/"}) put_colours(parts, part);
  const std::string parted = "eval --model " + model + " --data " + parts.path();
  CHECK(run(parted).says("\ntest accuracy "));
  CHECK(run(parted + " --split val").says("\nvalidation accuracy "));
}

TEST_CASE("a small folder is trained in batches for its size, which is said; a flag wins") {
  PictureFolder root;
  put_colours(root);
  const std::string command = "train --dry-run --data " + root.path();
  const Outcome usual = run(command);
  CHECK_MESSAGE(usual.says("note: batches of 8 for 64 pictures, so that an epoch has 8 updates (--batch-size)."), usual.text);
  CHECK(usual.says("80 of 8 images"));
  const Outcome given = run(command + " --batch-size 32");
  CHECK(!given.says("note: batches"));
  CHECK(given.says("20 of 32 images"));
}

TEST_CASE("a list is trained on by its path alone") {
  PictureFolder root;
  put_colours(root);
  std::string list = "path,label,split\n";
  for (int i = 0; i < 40; ++i)
    for (const char* name : {"red", "green"})
      list += std::string(name) + "/" + std::to_string(i) + ".png," + name + (i < 30 ? ",train\n" : ",val\n");
  root.put_text("list.csv", list);
  const Outcome outcome = run("train --data " + root.file("list.csv") + " --out " + root.file("model") + kShort);
  CHECK_MESSAGE(outcome.code == 0, outcome.text);
  CHECK(outcome.says("20 images"));
  root.put_text("bad.csv", list + "red/1.png,blue,train\n");
  const Outcome refused = run("train --data " + root.file("bad.csv") + " --dry-run");
  CHECK(refused.code == 3);
  CHECK(refused.says("bad.csv line 82: a second label for \"red/1.png\""));
}

TEST_CASE("one picture in twenty is damaged: stop names one and exits 3; skip ends with the exact count") {
  PictureFolder root;
  put_colours(root);
  for (const char* name : {"red/3.png", "red/23.png", "green/11.png"})
    root.put_text(name, content_of(root.file(name)).substr(0, 60));
  root.put_text("green/30.png", "<html>not found</html>");
  const Outcome stopped = run("train --data " + root.path() + " --out " + root.file(".model") + kShort);
  CHECK(stopped.code == 3);
  CHECK(stopped.says(".png"));
  CHECK(stopped.says("--bad-image skip leaves such pictures out"));
  const Outcome skipped = run("train --data " + root.path() + " --bad-image skip --out " + root.file(".model") + kShort);
  CHECK_MESSAGE(skipped.code == 0, skipped.text);
  CHECK(skipped.says("left out 4 pictures that cannot be read: 11.png, 30.png, 23.png and 1 more"));
  const Outcome tested =
      run("eval --bad-image skip --data " + root.path() + " --model " + root.file(".model") + " --json", "2>/dev/null");
  CHECK(number_of(tested, "left_out") == "4");
  CHECK(run("eval --bad-image no --data " + root.path() + " --model " + root.file(".model"))
            .says("--bad-image must be stop or skip"));
}

TEST_CASE("eval goes by the names of the classes: another order is mapped, another name is refused with both sides") {
  PictureFolder root, other;
  put_colours(root);
  const Outcome outcome = run("train --data " + root.path() + " --out " + root.file(".model") + kShort);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  for (int i = 0; i < 8; ++i) other.put("red/" + std::to_string(i) + ".png", coloured_picture(500 + i, 200, 30));
  const Outcome mapped =
      run("eval --split train --data " + other.path() + " --model " + root.file(".model") + " --json", "2>/dev/null");
  CHECK(mapped.code == 0);
  CHECK(number_of(mapped, "top1") == "1.0");
  fs::rename(other.file("red"), other.file("crimson"));
  const Outcome refused = run("eval --data " + other.path() + " --model " + root.file(".model"));
  CHECK(refused.code == 2);
  CHECK(refused.says("does not know (crimson); the model knows green, red. Hint: --by-index"));
  const Outcome nothing = run("eval --ignore-missing --data " + other.path() + " --model " + root.file(".model"));
  CHECK(nothing.code == 2);
  CHECK(nothing.says("model and data have no class in common"));
  for (int i = 0; i < 8; ++i) other.put("red/" + std::to_string(i) + ".png", coloured_picture(600 + i, 200, 30));
  const Outcome part = run("eval --ignore-missing --split train --data " + other.path() + " --model " + root.file(".model"));
  CHECK(part.code == 0);
  CHECK_MESSAGE(part.says("images of 1 classes that the model does not know (crimson)"), part.text);
  const Outcome numbered = run("eval --by-index --split train --data " + other.path() + " --model " + root.file(".model"));
  CHECK(numbered.says("compared by number: 0 is \"crimson\" in the data and \"green\" in the model"));
  CHECK(run("eval --by-index --ignore-missing --data " + other.path() + " --model " + root.file(".model"))
            .says("exclude each other"));
}

TEST_CASE("data-check prints a table, JSON and a page, and its exit code says whether training would stop") {
  PictureFolder root;
  put_colours(root, "train/");
  put_colours(root, "val/");
  const Outcome clean = run("data-check " + root.path(), "2>/dev/null");
  CHECK(clean.code == 0);
  CHECK(clean.says("160 pictures, 2 classes"));
  CHECK(clean.says("80 groups of equal pictures are in more than one part: the test will be too good"));
  root.put_text("train/red/x.png", "x");
  const Outcome json = run("data-check " + root.path() + " --json --page " + quoted(root.file("a page.html")), "2>/dev/null");
  CHECK(json.code == 3);
  CHECK(json.says("\"reason\""));
  CHECK(json.says("train/red/x.png"));
  CHECK(content_of(root.file("a page.html")).find("data:image/png;base64,") != std::string::npos);
  CHECK(run("data-check " + root.path() + " --page /no/such/folder/p.html").code == 4);
  CHECK(run("data-check /no/such/place").code == 4);
  CHECK(run("data-check glyphs", "2>/dev/null").code == 0);
}

TEST_CASE("a picture of a list that is not there ends train and data-check alike; a link may lead out of the folder") {
  PictureFolder root, elsewhere;
  put_colours(elsewhere);
  for (const char* name : {"red", "green"}) fs::create_directory_symlink(elsewhere.file(name), root.file(name));
  std::string list = "path,label\n";
  for (int i = 0; i < 40; ++i)
    for (const char* name : {"red", "green"}) list += std::string(name) + "/" + std::to_string(i) + ".png," + name + "\n";
  root.put_text("list.csv", list);
  CHECK(run("data-check " + root.file("list.csv")).code == 0);
  root.put_text("list.csv", list + "red/gone.png,red\n");
  const Outcome looked = run("data-check " + root.file("list.csv")),
                trained_on = run("train --data " + root.file("list.csv") + " --dry-run");
  CHECK(looked.code == 4);
  CHECK(looked.says("gone.png"));
  CHECK_MESSAGE(trained_on.code == 4, trained_on.text);
  root.put_text("list.csv", list + "../red/0.png,red\n");
  for (const char* command : {"data-check ", "train --dry-run --data "}) {
    const Outcome outside = run(command + root.file("list.csv"));
    CHECK(outside.code == 3);
    CHECK(outside.says("a path must stay below the folder of the list"));
  }
  for (const char* command : {"data-check ", "train --dry-run --data "}) CHECK(run(command + root.file("none.csv")).code == 4);
}

TEST_CASE("data-check writes what training with a recipe sees, and names what is wrong with it") {
  PictureFolder root, place;
  put_colours(root);
  place.put_text("recipe.json", R"({"crop_scale": 0.3, "mirror": true, "augment": "trivial", "mixup": 0.8, "erase": 0.5})");
  place.put_text("wrong.json", R"({"augment": "auto"})");
  const std::string sheet = place.file("sheet.png"), check = "data-check " + root.path() + " --sheet " + sheet + " --augment ";
  const Outcome written = run(check + place.file("recipe.json"));
  REQUIRE_MESSAGE(written.code == 0, written.text);
  CHECK(written.says("training pictures written: "));
  const std::string first = content_of(sheet);
  CHECK(first.substr(1, 3) == "PNG");
  CHECK(run(check + place.file("recipe.json") + " --threads 1").code == 0);
  CHECK(content_of(sheet) == first);
  const Outcome wrong = run(check + place.file("wrong.json"));
  CHECK(wrong.code == 2);
  CHECK(wrong.says("one of none, randaugment, trivial, three"));
  CHECK(run(check + place.file("absent.json")).code == 4);
}

TEST_CASE("data-check overwrites no picture of its set, however the set is named") {
  PictureFolder root, place;
  put_colours(root);
  root.put_text("list.csv", "path,label\nred/1.png,red\nred/2.png,red\ngreen/1.png,green\ngreen/2.png,green\n");
  place.put_text("recipe.json", "{}");
  const std::string victim = root.file("red/1.png"), before = content_of(victim);
  for (const std::string& data :
       {root.path(), "folder:" + root.path(), root.file("list.csv"), "list:" + root.file("list.csv")}) {
    CAPTURE(data);
    const Outcome outcome = run("data-check " + data + " --augment " + place.file("recipe.json") + " --sheet " + victim);
    CHECK(outcome.code == 2);
    CHECK_MESSAGE(outcome.says("this file is part of the data set"), outcome.text);
    CHECK(content_of(victim) == before);
  }
}

TEST_CASE("a list that cannot be looked at, or a folder without one, is told as what it is") {
  PictureFolder root;
  fs::create_symlink("loop", root.file("loop"));
  for (const std::string& place : {root.file("loop"), root.file(std::string(300, 'x'))}) {
    const Outcome outcome = run("data-check list:" + place);
    CHECK_MESSAGE(outcome.code == 4, outcome.text);
  }
  const Outcome none = run("data-check list:" + root.path());
  CHECK(none.code == 2);
  CHECK_MESSAGE(none.says("Hint: name the file."), none.text);
}

TEST_CASE("flags that are for another kind of data get a warning, and folds with another mean and deviation are not mixed") {
  PictureFolder root, place;
  put_colours(root);
  const Outcome drawn = run("train --dry-run --data " + root.path() + " --train-size 5 --test-size 5");
  CHECK_MESSAGE(drawn.says("warning: --train-size has no effect: it is for drawn sets. Hint: --limit."), drawn.text);
  CHECK(drawn.says("warning: --test-size has no effect"));
  const Outcome files =
      run("train --dry-run --data glyphs --train-size 50 --test-size 20 --mean-std imagenet --bad-image skip");
  CHECK_MESSAGE(files.says("warning: --mean-std has no effect: it is for folders and lists of pictures."), files.text);
  CHECK(files.says("warning: --bad-image has no effect"));
  CHECK(!run("train --dry-run --data " + root.path() + " --mean-std imagenet").says("has no effect"));
  const std::string folds =
      "train --kfold 2 --epochs 1 --model linear --batch-size 8 --data " + root.path() + " --out " + place.file("folds");
  const Outcome first = run(folds + " --mean-std imagenet --patience 3");
  REQUIRE_MESSAGE(first.code == 0, first.text);
  CHECK_MESSAGE(first.says("warning: --patience has no effect with --kfold"), first.text);
  const Outcome other = run(folds);
  CHECK(other.code == 2);
  CHECK_MESSAGE(other.says("holds a cross-validation with other settings"), other.text);
}
