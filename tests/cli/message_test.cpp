// What the program says: one line of at most 300 bytes, whatever bytes files and flags hold.
#include <doctest/doctest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "tensor/safetensors.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// The lines of standard error, without those that describe the machine (cli/machine_notice.cpp).
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
    if (lines.back().starts_with("container: ") || lines.back().starts_with("BLIS")) lines.pop_back();
  }
  return lines;
}

void check_one_line(const std::string& arguments, int code) {
  const Outcome outcome = run(arguments, "2>&1 >/dev/null");
  CAPTURE(arguments.substr(0, 200));
  CAPTURE(outcome.text);
  CHECK(outcome.code == code);
  const std::vector<std::string> lines = lines_of(outcome.text);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("vitrail: "));
  CHECK(lines[0].size() <= 299);                                              // 300 with the end of the line
  CHECK(one_line(lines[0], 400) == lines[0]);                                 // nothing left to escape
  CHECK(lines[0].find(std::string(kMaxWord + 1, 'A')) == std::string::npos);  // no word longer than 60 bytes
}

}  // namespace

TEST_CASE("a flag of any bytes and length gives one short line") {
  const std::string train = "train --data glyphs --train-size 20 --test-size 10 --out " + scratch() + "/never ";
  const std::string odd = "\"$(printf 'A\\nB\\033[2J\\177\\302\\233C')\"", huge(100000, 'A');
  for (const std::string& word : {odd, huge}) {
    for (const char* flag : {"--optimizer ", "--schedule ", "--precision ", "--baseline ", "--epochs ", "--lr ", "--seed "})
      check_one_line(train + flag + word, 2);
    check_one_line("train --out x --data " + word, 2);
    check_one_line("train --out x --data mnist:" + word, 4);
    check_one_line(train + "--model " + word, 2);
    check_one_line(train + "--model ./" + word, 4);
    check_one_line(train + "--config " + word, 4);
    check_one_line(train + "--" + word + " 3", 2);
    check_one_line(train + word, 2);
    check_one_line(word, 2);
    check_one_line("opcheck " + word, 2);
    check_one_line("eval --data glyphs --model " + word, 4);
    check_one_line("eval --data glyphs --split " + word + " --model " + trained(), 2);
    check_one_line("predict --model " + trained() + " " + word, 4);
    check_one_line("bench --mode " + word + " --model vit_fashion_p7", 2);
  }
  check_one_line("info ./" + huge, 4);
  check_one_line("info " + huge, 2);
}

TEST_CASE("links in a circle and a name that is too long end with 4") {
  const std::string loop = scratch() + "/loop", other = scratch() + "/other";
  REQUIRE(symlink(loop.c_str(), other.c_str()) == 0);
  REQUIRE(symlink(other.c_str(), loop.c_str()) == 0);
  for (const std::string& path : {loop, scratch() + "/" + std::string(300, 'n')}) {
    check_one_line("info " + path, 4);
    check_one_line("predict --model " + trained() + " " + path, 4);
    check_one_line("predict --model " + path + " x.png", 4);
    check_one_line("eval --data glyphs --model " + path, 4);
    check_one_line("train --data mnist:" + path + " --out x", 4);
    check_one_line("train --data cifar10:" + path + " --out x", 4);
    check_one_line("train --data glyphs --train-size 20 --test-size 10 --out " + path, 4);
    check_one_line("train --data glyphs --out x --config " + path, 4);
  }
}

TEST_CASE("class names of a stranger's model do not steer the terminal") {
  const std::string folder = scratch() + "/stranger", picture = scratch() + "/grey.pgm";
  std::filesystem::create_directories(folder);
  write_file_atomically(picture, "P5 28 28 255\n" + std::string(28 * 28, 'x'));
  SafetensorsFile file = load_safetensors(trained() + "/model.safetensors");
  for (auto& [key, card] : file.metadata) {
    if (key != "vitrail") continue;
    const size_t at = card.find('"', card.find('[', card.find("class_names")));
    card.replace(at, card.find('"', at + 1) - at + 1, "\"\\u001b[2J\\u007f\\u009b\\n\"");
  }
  save_safetensors(folder + "/model.safetensors", file);
  for (const std::string& arguments :
       {"predict --top 10 --model " + folder + " " + picture, "predict --json --top 10 --model " + folder + " " + picture,
        "info " + folder, "info --json " + folder, "eval --by-index --data glyphs --limit 10 --model " + folder}) {
    const Outcome outcome = run(arguments);
    CHECK_MESSAGE(outcome.code == 0, outcome.text);
    for (const char* bad : {"\x1b", "\x7f", "\xc2\x9b"}) CHECK_MESSAGE(outcome.text.find(bad) == std::string::npos, arguments);
  }
  CHECK(run("predict --top 10 --model " + folder + " " + picture).says("\\x1b[2J\\x7f\\xc2\\x9b\\x0a"));
}
