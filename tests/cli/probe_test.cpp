// probe, features and similar from outside.
#include <doctest/doctest.h>

#include "base/file.h"
#include "data/image/image.h"
#include "models/weights/save.h"
#include "tensor/ops.h"
#include "tensor/rng.h"
#include "tensor/safetensors.h"
#include "tests/support/model_test.h"
#include "tests/support/picture_folder.h"
#include "tests/support/run_program.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

Tensor stored(const std::string& path, const std::string& name) {
  for (const auto& [key, tensor] : load_safetensors(path).tensors)
    if (key == name) return tensor;
  return {};
}

// 12 red and 12 green pictures in train/, 4 of each in test/.
void put_two_colours(const PictureFolder& root) {
  for (int i = 0; i < 16; ++i) {
    const std::string part = i < 12 ? "train/" : "test/", name = std::to_string(i) + ".png";
    root.put(part + "red/" + name, coloured_picture(i, 200, 30, 28));
    root.put(part + "green/" + name, coloured_picture(100 + i, 30, 200, 28));
  }
}

// A model with the features of a random ViT, whose classes are others than those of any data here.
std::string random_model() {
  static const std::string folder = [] {
    const std::string path = scratch() + "/random";
    Rng rng(1);
    models::ViTConfig config = tiny_config();
    config.img_size = 28, config.patch_size = 7;
    models::ViT model(config, rng);
    ModelCard card;
    card.preprocessing = {.height = 28, .width = 28, .channels = 3, .mean = {0.5, 0.5, 0.5}, .std = {0.5, 0.5, 0.5}};
    card.class_names = {"a", "b", "c", "d", "e"};
    save_model(path, model, card);
    return path;
  }();
  return folder;
}

}  // namespace

TEST_CASE("probe fits three heads on frozen features and saves the better linear one as a model that eval and predict use") {
  PictureFolder root;
  put_two_colours(root);
  const std::string out = scratch() + "/probed";
  const Outcome probe = run("probe --from " + random_model() + " --data " + root.path() + " --out " + out, "2>/dev/null");
  REQUIRE_MESSAGE(probe.code == 0, probe.text);
  for (const char* part : {"16 features of 24 training and 8 test images", "ridge regression", "logistic regression",
                           "nearest neighbours", "saved with the head of "})
    CHECK_MESSAGE(probe.says(part), probe.text);
  const LoadedModel loaded = load_model(out);
  CHECK(loaded.card.class_names == std::vector<std::string>{"green", "red"});
  CHECK(loaded.card.preprocessing == load_model(random_model()).card.preprocessing);
  CHECK(loaded.card.training.find("\"probe\"") != std::string::npos);
  CHECK(run("eval --model " + out + " --data " + root.path() + " --json", "2>/dev/null").says("\"top1\":1.0"));
  CHECK(run("predict --model " + out + " --top 1 " + root.file("test/red/12.png"), "2>/dev/null").says(": red "));
  CHECK(run("verify " + out).code == 0);
  const Outcome again = run("probe --model " + random_model() + " --data " + root.path() + " --out " + out);
  CHECK(again.code == 2);
  CHECK(again.says("holds a model already"));
  const Outcome json = run(
      "probe --force --json --workers 2 --model " + random_model() + " --data " + root.path() + " --out " + out, "2>/dev/null");
  CHECK(json.code == 0);
  for (const char* part :
       {"\"train_images\": 24", "\"test_images\": 8", "\"method\": \"ridge\"", "\"method\": \"knn\"", "\"best_linear\": "})
    CHECK_MESSAGE(json.says(part), json.text);
}

TEST_CASE("features writes a row a picture with its name, of data the labels too, as safetensors and as npy") {
  PictureFolder root;
  put_two_colours(root);
  const std::string model = " --model " + random_model(), out = root.file(".f.safetensors"), npy = root.file(".f.npy");
  REQUIRE(run("features" + model + " --out " + out + " --data " + root.path(), "2>/dev/null").code == 0);
  const Tensor of_data = stored(out, "features");
  CHECK(of_data.shape() == Shape{8, 16});
  CHECK(to_vector<int64_t>(stored(out, "labels")) == std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1, 1});
  const std::string files = root.file("test/green/12.png") + " " + root.file("test/red");
  REQUIRE(run("features" + model + " --out " + out + " " + files, "2>/dev/null").code == 0);
  const Tensor of_files = stored(out, "features");
  CHECK(of_files.shape() == Shape{5, 16});
  CHECK(largest_difference(slice(of_files, 0, 0, 1), slice(of_data, 0, 0, 1)) < 1e-5);
  CHECK(largest_difference(slice(of_files, 0, 1, 5), slice(of_data, 0, 4, 8)) < 1e-5);
  const std::string header = read_text_file(out);
  CHECK(header.find("test/red/13.png") != std::string::npos);
  REQUIRE(run("features" + model + " --out " + npy + " " + files, "2>/dev/null").code == 0);
  CHECK(fs::file_size(npy) == 128 + 5 * 16 * 4);
}

TEST_CASE("features and predict take a tensor that is normalised already, in f32 or in f64") {
  const std::string in = scratch() + "/x.safetensors", out = scratch() + "/y.safetensors", model = " --model " + random_model();
  const Tensor x = rand_normal({35, 3, 28, 28}, 0, 1, Rng(4));
  const LoadedModel loaded = load_model(random_model());
  const NoGradGuard no_grad;
  const Tensor logits = (*loaded.model)(x).value(), features = loaded.model->pooled_features(x).value();
  for (const Dtype dtype : {Dtype::f32, Dtype::f64}) {
    save_safetensors(in, {{{"input", to(x, dtype)}}, {}});
    REQUIRE(run("predict" + model + " --tensor " + in + " --out " + out).code == 0);
    CHECK(stored(out, "logits").dtype() == dtype);
    CHECK(largest_difference(stored(out, "logits"), logits) < 1e-5);
    REQUIRE(run("features" + model + " --tensor " + in + " --out " + out).code == 0);
    CHECK(largest_difference(stored(out, "features"), features) < 1e-5);
  }
  const auto says = [&](const std::string& arguments, int code, const std::string& part) {
    const Outcome outcome = run(arguments);
    CHECK_MESSAGE(outcome.code == code, outcome.text);
    CHECK_MESSAGE(outcome.says(part), outcome.text);
  };
  says("predict" + model + " --tensor " + in, 2, "--tensor needs --out FILE.safetensors");
  says("predict" + model + " --out " + out + " a.png", 2, "--out is for --tensor alone");
  says("predict" + model + " --tensor " + in + " --out " + out + " a.png", 2, "goes with neither files");
  save_safetensors(in, {{{"other", x}}, {}});
  says("predict" + model + " --tensor " + in + " --out " + out, 3, "there is no tensor \"input\" among 1");
  save_safetensors(in, {{{"input", zeros({2, 1, 28, 28})}}, {}});
  says("features" + model + " --tensor " + in + " --out " + out, 3,
       "must be f32 or f64 [B, 3, H, W]: it is f32 [2, 1, 28, 28]");
  says("features" + model + " --out " + out, 2, "needs pictures, --data or --tensor, one of the three: 0 are given");
  says("features" + model + " --out x.csv a.png", 2, "--out must end in .safetensors or .npy");
}

TEST_CASE("features stops at a picture that cannot be read, or leaves it out by name") {
  PictureFolder root;
  root.put("a.png", noise_picture(1, 3, 28, 28));
  root.put_text("b.png", "no picture");
  root.put("c.png", noise_picture(2, 3, 28, 28));
  const std::string out = root.file(".f.safetensors"),
                    command = "features --model " + random_model() + " --out " + out + " " + root.path();
  const Outcome stopped = run(command);
  CHECK(stopped.code == 3);
  CHECK(stopped.says("b.png: not a picture"));
  CHECK_FALSE(fs::exists(out));
  const Outcome skipped = run(command + " --bad-image skip");
  CHECK(skipped.code == 0);
  CHECK(skipped.says("left out: "));
  CHECK(stored(out, "features").size(0) == 2);
  CHECK(read_text_file(out).find("b.png") == std::string::npos);
}

TEST_CASE("similar finds the picture's own kind, leaves the picture itself out, and computes again only what changed") {
  PictureFolder root;
  put_two_colours(root);
  const std::string index = scratch() + "/index.safetensors", query = root.file("train/red/0.png");
  const std::string command =
      "similar --model " + random_model() + " --in " + root.path() + " --top 3 --json --index " + index + " " + query;
  const Outcome first = run(command, "2>/dev/null");
  REQUIRE_MESSAGE(first.code == 0, first.text);
  CHECK(first.says("\"similarity\""));
  CHECK(first.says("/red/"));
  CHECK_FALSE(first.says("/green/"));
  CHECK_FALSE(first.says("\"file\": \"" + query + "\",\n        \"similarity\""));
  const auto when = fs::last_write_time(index);
  CHECK(run(command, "2>/dev/null").text == first.text);
  CHECK(fs::last_write_time(index) == when);  // nothing was new
  root.put("train/red/copy.png", read_image(query));
  const Outcome grown = run(command, "2>/dev/null");
  CHECK(grown.says("copy.png"));
  CHECK(stored(index, "features").size(0) == 33);
  fs::remove(root.file("train/red/copy.png"));
  CHECK_FALSE(run(command, "2>/dev/null").says("copy.png"));
  // Another model, or a file that is no index.
  const Outcome other = run("similar --model " + trained() + " --in " + root.path() + " --index " + index + " " + query);
  CHECK(other.says("was made with another model: it is made again"));
  save_safetensors(index, {{{"x", zeros({1})}}, {}});
  const Outcome refused = run(command);
  CHECK(refused.code == 3);
  CHECK(refused.says("this is no index of pictures"));
  CHECK(run("similar --model " + random_model() + " --in /nowhere " + query).says("--in is no folder"));
  CHECK(run("similar --model " + random_model() + " --in " + root.path() + " --index x.bin " + query)
            .says("must end in .safetensors"));
}
