// A trained model on disk: nothing is lost, nothing is mixed up.
#include "train/save.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "tensor/safetensors.h"
#include "tests/support/learn_helpers.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// A folder that is gone afterwards.
struct Folder {
  Folder() : path((fs::temp_directory_path() / cat("vitrail_save_", getpid())).string()) { fs::remove_all(path); }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return path + "/" + name; }
  std::string path;
};

ModelCard card(const DatasetPtr& data) { return {preprocessing_for(data->info()), data->class_names(), "{\"steps\": 3}"}; }

std::unique_ptr<models::Classifier> saved(const Folder& folder) {
  const DatasetPtr data = glyphs(4);
  auto model = tiny_vit(data->info(), 5);
  save_model(folder.path, *model, card(data));
  return model;
}

void replace(const std::string& path, const std::string& from, const std::string& by) {
  std::string text = read_text_file(path);
  REQUIRE(text.find(from) != std::string::npos);
  write_file_atomically(path, text.replace(text.find(from), from.size(), by));
}

}  // namespace

TEST_CASE("a saved model comes back with the same weights, names and preprocessing") {
  const Folder folder;
  const auto model = saved(folder);
  for (const std::string& path : {folder.path, folder / "model.safetensors"}) {
    LoadedModel loaded = load_model(path);
    const nn::StateDict a = model->state_dict(), b = loaded.model->state_dict();
    REQUIRE(a.size() == b.size());
    for (size_t i = 0; i < a.size(); ++i) CHECK((a[i].first == b[i].first && bit_equal(a[i].second, b[i].second)));
    CHECK(!loaded.model->training());
    CHECK(loaded.card.class_names == glyphs(4)->class_names());
    CHECK(loaded.card.preprocessing == preprocessing_for(glyphs(4)->info()));
    CHECK(loaded.card.training.find("3") != std::string::npos);
  }
}

TEST_CASE("load and save again gives the same bytes") {
  const Folder folder;
  saved(folder);
  const auto weights = read_file(folder / "model.safetensors"), config = read_file(folder / "config.json");
  LoadedModel loaded = load_model(folder.path);
  save_model(folder.path, *loaded.model, loaded.card);
  CHECK(read_file(folder / "model.safetensors") == weights);
  CHECK(read_file(folder / "config.json") == config);
}

TEST_CASE("a configuration of another model beside the weights is found out") {
  const Folder folder;
  saved(folder);
  replace(folder / "config.json", "\"depth\": 2", "\"depth\": 3");
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("does not belong to model.safetensors"), Error);
}

TEST_CASE("weights that do not fit are refused with all names") {
  const Folder folder;
  saved(folder);
  SafetensorsFile file = load_safetensors(folder / "model.safetensors");
  for (auto& [name, tensor] : file.tensors) {
    if (name == "cls_token") name = "class_token";
    if (name == "norm.bias") tensor = zeros({5});
  }
  save_safetensors(folder / "model.safetensors", file);
  try {
    load_model(folder.path);
    FAIL("accepted");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kData);
    for (const char* part : {"model.safetensors", "class_token", "cls_token", "norm.bias"})
      CHECK(std::string(e.what()).find(part) != std::string::npos);
  }
}

TEST_CASE("weights with a NaN are refused by name") {
  const Folder folder;
  const auto model = saved(folder);
  fill_(model->named_parameters()[0].parameter->value(), std::nan(""));
  save_model(folder.path, *model, card(glyphs(4)));
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("weight is not finite: cls_token"), Error);
}

TEST_CASE("missing and damaged files are told apart") {
  const Folder folder;
  const auto kind = [&](const std::string& path) {
    try {
      load_model(path);
    } catch (const Error& e) {
      return e.kind();
    }
    return ErrorKind::kNumeric;
  };
  CHECK(kind(folder.path) == ErrorKind::kIo);
  saved(folder);
  const std::string good = read_text_file(folder / "config.json");
  for (const char* bad : {"", "{", "[]", "{\"format\": 2}", "{\"format\": 1}"}) {
    write_file_atomically(folder / "config.json", std::string(bad));
    CHECK(kind(folder.path) == ErrorKind::kData);
  }
  write_file_atomically(folder / "config.json", good);
  fs::resize_file(folder / "model.safetensors", 1000);
  CHECK(kind(folder.path) == ErrorKind::kData);
}

TEST_CASE("a card that does not fit the model is not saved") {
  const Folder folder;
  const auto model = tiny_vit(glyphs(4)->info());
  ModelCard wrong = card(glyphs(4));
  wrong.class_names.pop_back();
  CHECK_THROWS_WITH_AS(save_model(folder.path, *model, wrong), doctest::Contains("19 names, the model has 20 classes"), Error);
}
