// What the program refuses: with which exit code, and in which words.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/file.h"
#include "data/image/image.h"
#include "data/sets/registry.h"
#include "tensor/safetensors.h"
#include "tests/support/run_program.h"

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
  CHECK(run("").says("opcheck"));
  CHECK(run("help").code == 0);
  const Outcome option = run("train --data glyphs --out x --epoch 2");
  CHECK(option.code == 2);
  CHECK(option.says("train has no option --epoch. Hint: did you mean --epochs?"));
  CHECK(run("train --data glyphs --out x --sede=3").says("did you mean --seed?"));
  const Outcome op = run("opcheck relu sofmax");
  CHECK(op.code == 2);
  CHECK(op.says("did you mean softmax?"));
  CHECK(run("info vit_tiny").says("did you mean vit_tiny_patch16_224?"));
  const Outcome preset = run("train --data glyphs --out x --model vit_fashon");
  CHECK(preset.code == 2);
  CHECK(preset.says("vit_fashion"));
}

TEST_CASE("help names a command's help, wherever the word stands") {
  const Outcome train = run("train --help");
  CHECK(train.code == 0);
  CHECK(run("help train").text == train.text);
  CHECK(run("help trian").says("unknown command: trian. Hint: did you mean train?"));
  CHECK(run("help trian").code == 2);
  CHECK(run("help").text == run("--help").text);
  CHECK(run("train --helpp").says("train has no option --helpp. Hint: did you mean --help?"));
  CHECK(run("--helpp").says("vitrail has no option --helpp. Hint: did you mean --help?"));
  CHECK(run("--verison").says("did you mean --version?"));
}

TEST_CASE("train's help stands under headings, in the order in which a run is thought of") {
  const std::string help = run("train --help").text;
  size_t before = 0;
  for (const char* heading : {"\nData:", "\nModel:", "\nRecipe:", "\nAugmentation:", "\nWhat is trained:",
                              "\nSaving and resuming:", "\nMachine:", "\nInstead of training:"}) {
    const size_t at = help.find(heading);
    CHECK_MESSAGE((at != std::string::npos && at > before), heading);
    before = at;
  }
  const auto under = [&](const char* heading, const char* flag) {
    const size_t from = help.find(heading), at = help.find(cat("\n  ", flag, " "));
    return at != std::string::npos && at > from && at < help.find(":\n", from + std::string(heading).size());
  };
  CHECK(under("\nData:", "--bad-image"));
  CHECK(under("\nRecipe:", "--lr"));
  CHECK(under("\nAugmentation:", "--mixup"));
  CHECK(under("\nSaving and resuming:", "--save-every"));
  CHECK(under("\nMachine:", "--workers"));
}

TEST_CASE("a folder behind --resume is told to go behind --out") {
  const Outcome outcome = run("train --resume runs/photos");
  CHECK(outcome.code == 2);
  CHECK_MESSAGE(outcome.says("takes no folder: it is \"runs/photos\". Hint: --resume --out runs/photos."), outcome.text);
}

TEST_CASE("what the flag library finds is said in sentences, in one line") {
  for (const auto& [arguments, part] :
       {std::pair{"train", "[train] --data is required. Hint: vitrail train --help shows an example."},
        {"train --data glyphs --out", "--out needs a value."},
        {"eval --data glyphs --model x y", "not expected: y."},
        {"train --data glyphs --out x --mirror maybe", "maybe"}}) {
    const Outcome outcome = run(arguments);
    CAPTURE(outcome.text);
    CHECK(outcome.code == 2);
    CHECK(outcome.says(part));
    CHECK(outcome.text.starts_with("vitrail: "));
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
  }
}

TEST_CASE("numbers that do not fit are refused, never changed") {
  for (const std::string option :
       {"--train-size 1152921504606846976", "--test-size 9000000000000000000", "--seed 99999999999999999999999",
        "--limit 9223372036854775808", "--threads 4294967297", "--lr 1e999", "--epochs 1e3"}) {
    const Outcome outcome = run("train --data glyphs --out " + scratch() + "/never " + option);
    CHECK_MESSAGE(outcome.code == 2, option);
    CHECK_MESSAGE(outcome.says(option.substr(0, option.find(' ')) + " must be a"), outcome.text);
  }
  CHECK(run("eval --data glyphs --threads 4294967297 --model " + trained()).code == 2);
  CHECK(!fs::exists(scratch() + "/never"));
}

TEST_CASE("a reader that leaves early is no error") {
  CHECK(run_command("bash -c 'set -o pipefail; " + program() + " info vit_base_patch16_224 | head -n 1'").code == 0);
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

TEST_CASE("a folder that holds a model is refused with 2, unless --force is given, and nothing in it changes") {
  const std::string out = scratch() + "/mine";
  REQUIRE(run("train --data glyphs --max-steps 1 --out " + out + kQuick).code == 0);
  const auto model = read_file(out + "/model.safetensors"), log = read_file(out + "/metrics.jsonl");
  CHECK(!fs::exists(out + "/run.lock"));
  const Outcome again = run("train --data glyphs --max-steps 1 --out " + out + kQuick);
  CHECK(again.code == 2);
  CHECK_MESSAGE(again.says("holds a model already"), again.text);
  CHECK(again.says("--force to replace it"));
  CHECK(read_file(out + "/model.safetensors") == model);
  CHECK(read_file(out + "/metrics.jsonl") == log);
  CHECK(run("train --force --seed 3 --data glyphs --max-steps 1 --out " + out + kQuick).code == 0);
  CHECK(read_file(out + "/model.safetensors") != model);
  // The log is that of the new run.
  const std::string other = read_text_file(out + "/metrics.jsonl");
  CHECK(other != std::string(log.begin(), log.end()));
  CHECK(std::count(other.begin(), other.end(), '\n') == 1);
}

TEST_CASE("a log that is a link or a FIFO ends with 4 at once, and what the link leads to is untouched") {
  const std::string out = scratch() + "/linked", victim = scratch() + "/victim.txt";
  fs::create_directories(out);
  write_file_atomically(victim, std::string("mine"));
  fs::create_symlink(victim, out + "/metrics.jsonl");
  CHECK(run("train --data glyphs --max-steps 1 --out " + out + kQuick).code == 4);
  CHECK(read_text_file(victim) == "mine");
  fs::remove(out + "/metrics.jsonl");
  REQUIRE(run_command("mkfifo " + out + "/metrics.jsonl").code == 0);
  CHECK(run("train --data glyphs --max-steps 1 --out " + out + kQuick).code == 4);
}

TEST_CASE("with standard descriptors closed nothing that is printed lands in a file of the run") {
  const std::string out = scratch() + "/closed";
  CHECK(run_command("sh -c 'exec " + program() + " train --data glyphs --max-steps 1 --out " + out + kQuick + " <&- >&- 2>&-'")
            .code == 0);
  const std::string log = read_text_file(out + "/metrics.jsonl");
  CHECK(std::count(log.begin(), log.end(), '\n') == 1);
  CHECK(log.starts_with("{\"epoch\":1"));
  CHECK(run("info " + out).code == 0);
}

TEST_CASE("an update that is not a number ends with 6 and leaves the old model untouched, with every optimiser") {
  const std::string out = scratch() + "/good";
  REQUIRE(run("train --data glyphs --max-steps 1 --out " + out + kQuick).code == 0);
  const auto before = read_file(out + "/model.safetensors");
  for (const std::string name : {"adamw", "adam", "sgd", "lion", "rmsprop", "muon", "lamb", "lars"}) {
    const Outcome outcome =
        run("train --force --data glyphs --max-steps 1 --warmup 0 --lr 1e39 --optimizer " + name + " --out " + out + kQuick);
    CHECK_MESSAGE(outcome.code == 6, outcome.text);
    CHECK_MESSAGE(outcome.says("weights are not finite at step 0"), outcome.text);
    CHECK(!outcome.says("-nan"));
    CHECK(read_file(out + "/model.safetensors") == before);
  }
}

TEST_CASE("results that are not numbers end with 6, of eval and of predict") {
  const std::string folder = scratch() + "/mean", picture = scratch() + "/shape.png";
  fs::create_directories(folder);
  SafetensorsFile file = load_safetensors(trained() + "/model.safetensors");
  std::string& card = file.metadata.at(0).second;
  const size_t from = card.find("\"mean\""), open = card.find('[', from), close = card.find(']', from);
  card.replace(open, close - open + 1, "[1e300]");
  save_safetensors(folder + "/model.safetensors", file);
  const Outcome eval = run("eval --data glyphs --limit 10 --json --model " + folder);
  CHECK_MESSAGE(eval.code == 6, eval.text);
  CHECK_MESSAGE(eval.says("loss is not finite: it is nan"), eval.text);
  write_png(picture, open_dataset("glyphs", Split::kTest)->sample(0).image);
  CHECK(run("predict --model " + folder + " " + picture).code == 6);
}

TEST_CASE("too little memory ends with 5 and says what to do, before anything is saved") {
  const std::string out = scratch() + "/too_large";
  const std::string train =
      " train --data glyphs --train-size 4000 --test-size 10 --batch-size 4000 --model vit_cifar_d384L7h12m1 --out ";
  const Outcome outcome = run_command("VITRAIL_MEMORY_MB=600 " + program() + train + out);
  CHECK_MESSAGE(outcome.code == 5, outcome.text);
  CHECK(outcome.says("limit is 629145600"));
  CHECK_MESSAGE(outcome.says("training needs more memory than there is: about "), outcome.text);
  CHECK(!fs::exists(out));  // before the folder is made
  CHECK(outcome.says("Hint: a smaller batch"));
  CHECK(!fs::exists(out + "/model.safetensors"));
  CHECK(run_command("VITRAIL_MEMORY_MB=lots " + program() + " info linear").code == 2);
  CHECK(run_command("VITRAIL_MEMORY_MB=0 " + program() + " info linear").code == 0);
}

#ifndef __SANITIZE_ADDRESS__  // it needs the address space itself
TEST_CASE("an address space that is too small ends with 5") {
  const Outcome outcome = run_command("ulimit -v 400000; " + program() + " info vit_large_patch16_224");
  CHECK_MESSAGE(outcome.code == 5, outcome.text);
}
#endif

// A folder of an IDX data set with one thing wrong in it.
std::string damaged_folder(const std::string& name, const std::string& images, const std::string& labels) {
  const std::string folder = scratch() + "/" + name;
  fs::create_directories(folder);
  for (const char* split : {"train", "t10k"}) {
    write_file_atomically(folder + "/" + split + "-images-idx3-ubyte", images);
    write_file_atomically(folder + "/" + split + "-labels-idx1-ubyte", labels);
  }
  return folder;
}

TEST_CASE("each kind of damaged data ends with 3, in one line with file, rule and numbers") {
  const std::string head("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16), pixels(2 * 28 * 28, '\x40');
  const std::string labels("\0\0\x08\x01\0\0\0\x02\1\2", 10), images = head + pixels;
  std::string wrong_magic = images, no_label = labels, more_labels = labels + '\1';
  wrong_magic[2] = '\x0d', no_label[9] = '\x0a', more_labels[7] = '\3';
  struct Case {
    const char* name;
    std::string images, labels;
    const char *file, *part;
  };
  for (const Case& c : {Case{"cut", images.substr(0, 999), labels, "train-images", "need 1584 bytes, there are 999"},
                        Case{"magic", wrong_magic, labels, "train-images", "their type is 13"},
                        Case{"count", images, more_labels, "train-labels", "3 labels for 2 images"},
                        Case{"label", images, no_label, "train-labels", "label 10 of image 1 is out of range"}}) {
    CAPTURE(c.name);
    const std::string folder = damaged_folder(c.name, c.images, c.labels), out = scratch() + "/x";
    const Outcome outcome = run("train --data mnist:" + folder + " --out " + out);
    CHECK(outcome.code == 3);
    CHECK(outcome.says(folder + "/" + c.file));
    CHECK_MESSAGE(outcome.says(c.part), outcome.text);
    CHECK(std::count(outcome.text.begin(), outcome.text.end(), '\n') == 1);
    CHECK(!fs::exists(out));
  }
}

TEST_CASE("a gzip file that ends early ends with 3") {
  const std::string folder = scratch() + "/packed";
  fs::create_directories(folder);
  const std::string head("\0\0\x08\x03\0\0\0\x01\0\0\0\x1c\0\0\0\x1c", 16), plain = folder + "/plain";
  write_file_atomically(plain, head + std::string(28 * 28, '\x40'));
  REQUIRE(run_command("(gzip -nc " + plain + " | head -c 25 > " + folder + "/train-images-idx3-ubyte.gz)").code == 0);
  write_file_atomically(folder + "/train-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x01\1", 9));
  const Outcome outcome = run("train --data mnist:" + folder + " --out " + scratch() + "/x");
  CHECK_MESSAGE(outcome.code == 3, outcome.text);
  CHECK(outcome.says("train-images-idx3-ubyte.gz"));
  CHECK_MESSAGE(outcome.says("ends early"), outcome.text);
}
