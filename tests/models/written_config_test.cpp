// Weights without a description of their model, and a config.json that a person writes beside them.
#include <doctest/doctest.h>

#include "models/presets.h"
#include "models/weights/save.h"
#include "tensor/safetensors.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::put_content;
using vitrail::testing::refuses;
using vitrail::testing::ScratchFolder;

namespace {

// A folder with the weights of an MLP of three classes, as another program would save them.
struct Foreign : ScratchFolder {
  Foreign() {
    SafetensorsFile weights;
    Rng rng(1);
    weights.tensors = models::MlpClassifier({.img_size = 4, .num_classes = 3, .hidden = {5}}, rng).state_dict();
    save_safetensors(file("model.safetensors"), weights);
  }
};
const char* const kModel = R"("model": {"architecture": "mlp", "img_size": 4, "num_classes": 3, "hidden": [5]})";

}  // namespace

TEST_CASE("foreign weights are refused with what is missing and what to write") {
  Foreign folder;
  CHECK(refuses([&] { load_model(folder.path()); }, ErrorKind::kData, "not a ViT whose names are known: 4 tensors"));
  CHECK(refuses([&] { load_model(folder.file("model.safetensors")); }, ErrorKind::kData, "a config.json beside it describes others"));
  put_content(folder.file("config.json"), R"({"hidden_size": 5})");
  CHECK(refuses([&] { load_model(folder.path()); }, ErrorKind::kData, "the field \"model\" is missing"));
  put_content(folder.file("config.json"), std::string("{") + kModel + R"(, "class_name": []})");
  CHECK(refuses([&] { load_model(folder.path()); }, ErrorKind::kData, "class_name"));
}

TEST_CASE("a config.json by hand needs the model alone; the rest has defaults") {
  Foreign folder;
  put_content(folder.file("config.json"), std::string("{") + kModel + "}");
  for (const std::string& path : {folder.path(), folder.file("model.safetensors")}) {
    const LoadedModel loaded = load_model(path);
    CHECK(loaded.card.class_names == std::vector<std::string>{"class 0", "class 1", "class 2"});
    CHECK(loaded.card.preprocessing.height == 4);
    CHECK(loaded.card.preprocessing.mean == std::vector<double>{0.5});
  }
  put_content(folder.file("config.json"), std::string("{") + kModel + R"(, "class_names": ["a", "b", "c"]})");
  CHECK(load_model(folder.path()).card.class_names.at(2) == "c");
  put_content(folder.file("config.json"), std::string("{") + kModel + R"(, "class_names": ["a"]})");
  CHECK(refuses([&] { load_model(folder.path()); }, ErrorKind::kData, "1 names, the model has 3 classes"));
}
