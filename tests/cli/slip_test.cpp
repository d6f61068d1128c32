// Slips that must not cost anything: a page written over a picture, two names for one class, a set with nothing to test on.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "base/file.h"
#include "data/image/image.h"
#include "tensor/rng.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// A folder with two classes of `count` different pictures each.
std::string pictures(const std::string& name, uint64_t count) {
  const std::string folder = scratch() + "/" + name;
  for (uint64_t c = 0; c < 2; ++c) {
    const std::string inner = folder + "/" + (c == 0 ? "a" : "b");
    fs::create_directories(inner);
    for (uint64_t i = 0; i < count; ++i)
      write_png(inner + "/" + std::to_string(i) + ".png", to(rand_uniform({3, 8, 8}, 0, 255, Rng(i * 2 + c)), Dtype::u8));
  }
  return folder;
}

}  // namespace

TEST_CASE("a page or a sheet takes the place of no picture, model or other file") {
  const std::string folder = pictures("slip_page", 6), picture = folder + "/a/0.png", note = scratch() + "/note.txt";
  const std::vector<uint8_t> before = read_file(picture);
  const Outcome page = run("data-check " + folder + " --page " + picture);
  CHECK(page.code == 2);
  CHECK_MESSAGE(page.says("this file is there already and is no HTML page"), page.text);
  write_file_atomically(scratch() + "/augment.json", std::string("{\"mirror\": true}"));
  const Outcome sheet = run("data-check " + folder + " --augment " + scratch() + "/augment.json --sheet " + picture);
  CHECK(sheet.code == 2);
  CHECK_MESSAGE(sheet.says("this file is part of the data set"), sheet.text);
  CHECK(read_file(picture) == before);
  write_file_atomically(note, std::string("my notes"));
  CHECK(run("report " + scratch() + " --out " + note).says("is no HTML page"));
  CHECK(read_text_file(note) == "my notes");
  // A page may be written again.
  const std::string again = scratch() + "/again.html";
  CHECK(run("data-check " + folder + " --page " + again).code == 0);
  CHECK(run("data-check " + folder + " --page " + again).code == 0);
}

TEST_CASE("the place for a curve is tried before the updates") {
  write_file_atomically(scratch() + "/a_file", std::string("x"));
  const Outcome outcome = run("train --find-lr --data glyphs --train-size 20 --test-size 10 --model vit_fashion_p7 --out " +
                              scratch() + "/a_file/x");
  CHECK(outcome.code == 4);
  CHECK_MESSAGE(!outcome.says("updates, from"), outcome.text);
}

TEST_CASE("a flag that is given twice is called so") {
  const Outcome outcome = run("train --data glyphs --threads 1 --threads 1 --out " + scratch() + "/twice");
  CHECK(outcome.code == 2);
  CHECK_MESSAGE(outcome.says("--threads is given more than once"), outcome.text);
  CHECK(run("train --data glyphs --out " + scratch() + "/twice --threads").says("--threads needs a value"));
}

TEST_CASE("a list with two columns or two labels of one meaning is refused") {
  const std::string folder = pictures("slip_list", 3), list = folder + "/list.csv";
  write_file_atomically(list, std::string("path,label,class\na/0.png,x,y\n"));
  const Outcome columns = run("data-check " + list);
  CHECK(columns.code == 3);
  CHECK_MESSAGE(columns.says("two columns say the same: they are \"label\" and \"class\""), columns.text);
  write_file_atomically(folder + "/list.jsonl", std::string("{\"path\": \"a/0.png\", \"label\": \"x\", \"class\": \"y\"}\n"));
  CHECK(run("data-check " + folder + "/list.jsonl").code == 3);
  write_file_atomically(list, std::string("path,label\na/0.png,\xff\na/1.png,\xff\nb/0.png,\\xff\nb/1.png,\\xff\n"));
  const Outcome labels = run("data-check " + list);
  CHECK(labels.code == 3);
  CHECK_MESSAGE(labels.says("two labels have the same name"), labels.text);
}

TEST_CASE("a set of which nothing can be held out is refused by train and by data-check alike") {
  const std::string folder = pictures("slip_few", 1);
  const Outcome train = run("train --data " + folder + " --model linear --epochs 1 --out " + scratch() + "/few");
  CHECK(train.code == 3);
  CHECK_MESSAGE(train.says("no picture could be held out for validation: there are 2"), train.text);
  const Outcome check = run("data-check " + folder);
  CHECK(check.code == 3);
  CHECK_MESSAGE(check.says("no picture could be held out"), check.text);
}

TEST_CASE("info presets lists every name that --model takes") {
  const Outcome outcome = run("info presets");
  CHECK(outcome.code == 0);
  for (const char* name : {"vit_huge_patch14_224", "cct_2_3x2 ", "linear"}) CHECK_MESSAGE(outcome.says(name), outcome.text);
  CHECK(run("info presets --json").says("\"cct_2_3x2\": "));
}

TEST_CASE("a run whose last epoch is not its best says where the best model is") {
  const std::string out = scratch() + "/best_said";
  // The rate is so high that the last epochs undo what the first learnt.
  const Outcome outcome =
      run("train --quiet --data glyphs --train-size 200 --test-size 100 --batch-size 50 --epochs 8 --model linear --lr 0.01 "
          "--schedule "
          "constant --label-smoothing 0 --out " +
              out,
          "2>/dev/null");
  CHECK(outcome.code == 0);
  const bool last_is_best = read_file(out + "/best.safetensors") == read_file(out + "/model.safetensors");
  CHECK_MESSAGE(outcome.says("the best test result was after epoch ") == !last_is_best, outcome.text);
}
