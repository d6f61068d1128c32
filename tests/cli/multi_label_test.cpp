// Several labels per picture as a user meets them.
#include <doctest/doctest.h>

#include <cstdio>

#include "base/file.h"
#include "models/weights/save.h"
#include "tests/support/picture_folder.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

// 48 pictures of two colours, a list of both kinds, and a ViT trained on them for an epoch.
struct Setup {
  PictureFolder folder;
  std::string list, columns, model, picture;

  Setup() {
    std::string text = "path,label\n", table = "path,red,green\n";
    for (int64_t i = 0; i < 48; ++i) {
      const bool red = i % 2 == 0, green = i % 3 == 0;
      const std::string name = std::to_string(i) + ".png";
      folder.put(name, coloured_picture(i, red ? 200 : 20, green ? 200 : 20, 16));
      text += name + "," + (red ? "red" : "") + (red && green ? ";" : "") + (green ? "green" : "") + "\n";
      table += name + "," + (red ? "1" : "0") + "," + (green ? "1" : "0") + "\n";
    }
    folder.put_text("list.csv", text);
    folder.put_text("columns.csv", table);
    list = folder.file("list.csv"), columns = folder.file("columns.csv"), model = scratch() + "/several",
    picture = folder.file("0.png");
    const std::string config = scratch() + "/several.json";
    write_file_atomically(
        config, R"({"architecture": "vit", "img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2})");
    const Outcome trained = run("train --data " + list + " --model " + config +
                                " --epochs 30 --batch-size 8 --mirror false --quiet --out " + model);
    REQUIRE_MESSAGE(trained.code == 0, trained.text);
  }
};

const Setup& setup() {
  static const Setup made;
  return made;
}

}  // namespace

TEST_CASE("a list of several labels trains a multi-label model, which eval, predict and info know as one") {
  const Setup& s = setup();
  CHECK(load_model(s.model).card.task == kMultiLabel);
  const Outcome eval = run("eval --data " + s.columns + " --model " + s.model);
  CHECK_MESSAGE(eval.says("validation mAP "), eval.text);
  CHECK(eval.says("told by a column of 0 and 1 for each class"));
  CHECK(eval.says("class   images        AP  precision    recall        F1\n"));
  const Outcome json = run("eval --json --data " + s.list + " --model " + s.model, "2>/dev/null");
  for (const char* key : {"{\"map\":", "\"micro_f1\":", "\"macro_f1\":", "\"exact_match\":", "\"loss\":",
                          "\"classes\":[{\"class\":\"green\",\"images\":", "\"average_precision\":"})
    CHECK_MESSAGE(json.says(key), json.text);
  const std::string ask = "predict --model " + s.model + " " + s.picture;  // red and green
  const Outcome text = run(ask);
  CHECK_MESSAGE((text.says("red ") && text.says("green ")), text.text);
  CHECK(run(ask + " --threshold 0.9999").says("none (most probable: "));
  CHECK(run(ask + " --threshold 2").says("threshold must lie between 0 and 1: it is 2"));
  CHECK(run(ask + " --json --top 1 --tta").says("\"probability\":"));
  const Outcome csv = run(ask + " --csv", "2>/dev/null");
  CHECK(csv.says("file,labels,green,red,error\n"));
  CHECK_MESSAGE(csv.says(",green;red,"), csv.text);
  CHECK(run(ask + " --csv --logits", "2>/dev/null").says("file,green,red,error\n"));
  CHECK(run("info " + s.model).says("labels: any number per picture"));
  CHECK(run("info --json " + s.model).says("\"task\": \"multi_label\""));
  CHECK(run("features --data " + s.list + " --model " + s.model + " --out " + scratch() + "/several.npy").code == 0);
  CHECK(run("explain --model " + s.model + " " + s.picture + " --steps 0 --out " + scratch() + "/several_explained").code == 0);
  CHECK(read_text_file(s.model + "/report.html").find("average precision") != std::string::npos);
}

TEST_CASE("where a library cannot say that labels are any number per picture, convert says so") {
  const Setup& s = setup();
  const Outcome to_timm = run("convert " + s.model + " --to timm --out " + scratch() + "/several_timm");
  REQUIRE_MESSAGE(to_timm.code == 0, to_timm.text);
  CHECK_MESSAGE(to_timm.says("note: its labels are any number per picture: a sigmoid for each class"), to_timm.text);
  const std::string path = scratch() + "/several.onnx";
  const Outcome to_onnx = run("convert " + s.model + " --to onnx --out " + path);
  CHECK_MESSAGE(to_onnx.says("which stands in the file's metadata as task"), to_onnx.text);
  CHECK(read_text_file(path).find("multi_label") != std::string::npos);
  CHECK(!run("convert " + s.model + " --to vitrail --out " + scratch() + "/several_ours").says("note:"));
}

TEST_CASE("transformers is told that a model is multi-label, and the folder is read back as one") {
  const Setup& s = setup();
  const std::string out = scratch() + "/several_hf";
  const Outcome converted = run("convert " + s.model + " --to hf --out " + out);
  REQUIRE_MESSAGE(converted.code == 0, converted.text);
  CHECK(read_text_file(out + "/config.json").find("\"problem_type\": \"multi_label_classification\"") != std::string::npos);
  CHECK(load_model(out).card.task == kMultiLabel);
  const std::string own = run("predict --csv --model " + s.model + " " + s.picture, "2>/dev/null").text;
  CHECK(run("predict --csv --model " + out + " " + s.picture, "2>/dev/null").text == own);
}

TEST_CASE("fine-tuning between the tasks starts with a new head, within one keeps it; the rest is refused with a way out") {
  const Setup& s = setup();
  const std::string few = " --epochs 1 --batch-size 16 --mirror false --out " + scratch() + "/";
  CHECK(!run("finetune --from " + s.model + " --data " + s.list + few + "several_again").says("a new head"));
  PictureFolder single;
  for (int64_t i = 0; i < 12; ++i) {
    single.put("red/" + std::to_string(i) + ".png", coloured_picture(i, 200, 20, 16));
    single.put("green/" + std::to_string(i) + ".png", coloured_picture(100 + i, 20, 200, 16));
  }
  const Outcome one = run("finetune --from " + s.model + " --data " + single.path() + few + "several_one");
  CHECK_MESSAGE(one.says("a new head of zeros for 2 classes"), one.text);
  CHECK(load_model(scratch() + "/several_one").card.task == kClassification);
  CHECK(run("eval --data " + single.path() + " --model " + s.model).says("mAP"));
  const Outcome back = run("eval --data " + s.list + " --model " + scratch() + "/several_one");
  CHECK(back.code == 2);
  CHECK(back.says("the model answers with one class per picture"));
  CHECK(run("predict --threshold 0.5 --model " + scratch() + "/several_one " + s.picture)
            .says("--threshold is for multi-label models"));
  const Outcome probe = run("probe --data " + s.list + " --model " + s.model);
  CHECK(probe.code == 2);
  CHECK(probe.says("any number of labels per picture, and this needs one"));
  CHECK(run("train --sampling balanced --data " + s.list + few + "several_x").says("Hint: --class-weights balanced"));
  CHECK(run("train --labels many --data " + s.list + few + "several_x")
            .says("--labels must be auto, one or several: it is \"many\""));
  CHECK(run("train --eval-metric top1 --data " + s.list + few + "several_x")
            .says("Hint: one of map, micro-f1, macro-f1, exact-match, loss"));
  CHECK(run("data-check " + s.list).says("any number of labels per picture"));
}

TEST_CASE("average judges models of several labels as what they are") {
  const Setup& s = setup();
  const std::string other = scratch() + "/several_other", out = scratch() + "/several_average";
  REQUIRE(run("finetune --from " + s.model + " --data " + s.list + " --epochs 1 --batch-size 16 --mirror false --quiet --out " +
              other)
              .code == 0);
  const Outcome average = run("average " + s.model + " " + other + " --greedy --data " + s.list + " --out " + out);
  CHECK_MESSAGE(average.code == 0, average.text);
  CHECK_MESSAGE(average.says("mAP "), average.text);
  CHECK(load_model(out).card.task == kMultiLabel);
}

TEST_CASE("labels that only the validation part has are said to be missing, not taken for wrong weights") {
  PictureFolder folder;
  std::string text = "path,label,split\n";
  for (int64_t i = 0; i < 12; ++i) {
    const std::string name = std::to_string(i) + ".png";
    folder.put(name, coloured_picture(i, 200, 20, 16));
    text += name + (i < 8 ? ",,train\n" : ",red;green,val\n");
  }
  folder.put_text("list.csv", text);
  const Outcome trained = run("train --labels several --data " + folder.file("list.csv") +
                              " --epochs 1 --batch-size 4 --mirror false --out " + scratch() + "/several_none");
  CHECK_MESSAGE(trained.says("no training image has a label"), trained.text);
  CHECK(!trained.says("class_weights"));
}

TEST_CASE("a multi-label run is resumed, and remembers how its labels were asked for") {
  const Setup& s = setup();
  const std::string out = scratch() + "/several_resumed";
  const Outcome first =
      run("train --labels several --data " + s.list + " --epochs 4 --batch-size 16 --threads 1 --quiet --out " + out);
  REQUIRE_MESSAGE(first.code == 0, first.text);
  const std::vector<uint8_t> whole = read_file(out + "/model.safetensors");
  REQUIRE(std::remove((out + "/checkpoint.safetensors").c_str()) == 0);  // then the one before it counts
  const Outcome resumed = run("train --resume --threads 1 --out " + out);
  CHECK_MESSAGE(resumed.says("going on after update "), resumed.text);
  CHECK(read_file(out + "/model.safetensors") == whole);
  CHECK(run("train --resume --quiet --labels one --out " + out).says("labels is several, not one"));
}
