// What the program refuses: with which exit code, and in which words.
#include <doctest/doctest.h>

#include "tensor/io/file.h"
#include "tests/cli/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

TEST_CASE("wrong usage ends with 2 and says what was meant") {
  CHECK(run("").code == 2);
  CHECK(run("train").code == 2);
  CHECK(run("train --data glyphs --out x --epochs many").code == 2);
  CHECK(run("train --data glyphs --train-size 20").says("--out DIR"));
  const Outcome typo = run("trian --data glyphs");
  CHECK(typo.code == 2);
  CHECK(typo.says("did you mean train?"));
  const Outcome preset = run("train --data glyphs --out x --model vit_fashon");
  CHECK(preset.code == 2);
  CHECK(preset.says("vit_fashion"));
}

TEST_CASE("a configuration that cannot be built ends with 2 before anything is made") {
  const std::string out = scratch() + "/never", config = scratch() + "/bad.json";
  const auto refuses = [&](const std::string& json, const char* part) {
    write_file_atomically(config, json);
    const Outcome outcome = run("train --data glyphs --train-size 20 --test-size 10 --out " + out + " --model " + config);
    CHECK_MESSAGE(outcome.code == 2, outcome.text);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  const std::string small = "{\"img_size\": 28, \"patch_size\": 7, ";
  refuses(small + "\"embed_dim\": 65, \"num_heads\": 2}", "65");
  refuses("{\"img_size\": 28, \"patch_size\": 5}", "28");
  refuses(small + "\"embed_dims\": 64}", "embed_dims");
  refuses(small + "\"depth\": -1}", "depth");
  refuses(small + "\"embed_dim\": 4294967296}", "embed_dim");
  CHECK(!fs::exists(out));
}

TEST_CASE("numbers out of range end with 2") {
  const std::string train = "train --data glyphs --train-size 20 --out " + scratch() + "/never ";
  for (const std::string option :
       {"--batch-size -1", "--batch-size 0", "--lr nan", "--lr -1", "--threads -2", "--threads 5000", "--epochs 0",
        "--optimizer adamax", "--schedule cosin", "--clip-norm inf", "--seed -1", "--baseline forest"})
    CHECK_MESSAGE(run(train + option).code == 2, option);
  CHECK(!fs::exists(scratch() + "/never"));
}

TEST_CASE("missing files end with 4") {
  CHECK(run("train --data mnist:/nowhere --out x").code == 4);
  CHECK(run("eval --data glyphs --model /nowhere").code == 4);
  CHECK(run("info /nowhere/at/all").code == 4);
  CHECK(run("predict --model " + trained() + " /nowhere.png").code == 4);
}

TEST_CASE("a folder that cannot be written ends with 4") {
  const std::string file = scratch() + "/a_file";
  write_file_atomically(file, std::string("not a folder"));
  CHECK(run("train --data glyphs --out " + file + "/model" + kQuick).code == 4);
}

TEST_CASE("damaged data ends with 3 and names the file") {
  const std::string folder = scratch() + "/idx", images = folder + "/train-images-idx3-ubyte";
  fs::create_directories(folder);
  for (const char* split : {"train", "t10k"}) {
    const std::string head("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16), labels("\0\0\x08\x01\0\0\0\x02\1\2", 10);
    write_file_atomically(folder + "/" + split + "-images-idx3-ubyte", head + "short");
    write_file_atomically(folder + "/" + split + "-labels-idx1-ubyte", labels);
  }
  const Outcome outcome = run("train --data mnist:" + folder + " --out " + scratch() + "/x");
  CHECK_MESSAGE(outcome.code == 3, outcome.text);
  CHECK(outcome.says(images));
  CHECK(run("info " + images).code == 3);
  const Outcome labels = run("info " + folder + "/train-labels-idx1-ubyte");
  CHECK(labels.code == 0);
  CHECK(labels.says("[2]"));
}

TEST_CASE("info refuses what it does not know") {
  CHECK(run("info vit_tinny_patch16_224").code == 2);
  const std::string text = scratch() + "/readme.txt";
  write_file_atomically(text, std::string("hello, this is no model"));
  CHECK(run("info " + text).code == 3);
  write_file_atomically(text, std::string());
  CHECK(run("info " + text).code == 3);
}

TEST_CASE("a loss that is not a number ends with 6 and leaves no model") {
  const std::string out = scratch() + "/diverged";
  const Outcome outcome = run("train --data glyphs --optimizer sgd --lr 1e30 --warmup 0 --clip-norm 0 --max-steps 20 --out " +
                              out + " --train-size 200 --test-size 10 --batch-size 10 --model vit_fashion_p7");
  CHECK_MESSAGE(outcome.code == 6, outcome.text);
  CHECK(outcome.says("not finite at step"));
  CHECK(!fs::exists(out + "/model.safetensors"));
}
