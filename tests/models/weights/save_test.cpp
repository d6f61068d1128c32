// A trained model on disk: nothing is lost, nothing is mixed up.
#include "models/weights/save.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "tensor/safetensors.h"
#include "tensor/safetensors_checksums.h"
#include "tests/support/learn_helpers.h"
#include "tests/support/scratch_folder.h"

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

// The same model as an older version wrote it: the card in the header and once more in config.json.
std::unique_ptr<models::Classifier> old_folder(const Folder& folder) {
  auto model = saved(folder);
  SafetensorsFile file = load_safetensors(folder / "model.safetensors");
  std::string& text = file.metadata[0].second;
  const std::string now = "\"format\": 2,\n  \"task\": \"classification\",";
  REQUIRE(text.find(now) != std::string::npos);
  text.replace(text.find(now), now.size(), "\"format\": 1,");
  save_safetensors(folder / "model.safetensors", file);
  write_file_atomically(folder / "config.json", text + "\n");
  return model;
}

// As another program writes it, which knows nothing of our checksums.
void save_without_checksums(const std::string& path, SafetensorsFile file) {
  std::erase_if(file.metadata, [](const auto& entry) { return entry.first == kChecksums; });
  save_safetensors(path, file);
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
  const auto weights = read_file(folder / "model.safetensors");
  LoadedModel loaded = load_model(folder.path);
  save_model(folder.path, *loaded.model, loaded.card);
  CHECK(read_file(folder / "model.safetensors") == weights);
}

TEST_CASE("a saved model is one file") {
  const Folder folder;
  saved(folder);
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()) == 1);
}

TEST_CASE("the folder of an older version, weights and config.json, loads; a new save leaves one file") {
  const Folder folder;
  const auto model = old_folder(folder);
  LoadedModel loaded = load_model(folder.path);
  const nn::StateDict a = model->state_dict(), b = loaded.model->state_dict();
  for (size_t i = 0; i < a.size(); ++i) CHECK(bit_equal(a[i].second, b[i].second));
  CHECK(loaded.card.class_names == glyphs(4)->class_names());
  CHECK(loaded.card.task == "classification");
  save_model(folder.path, *loaded.model, loaded.card);
  CHECK(!fs::exists(folder / "config.json"));
  CHECK(load_model(folder.path).card.preprocessing == loaded.card.preprocessing);
}

TEST_CASE("weights of a new save beside the config.json of an old model are one whole model: the new one") {
  const Folder folder;
  old_folder(folder);
  const std::string old_config = read_text_file(folder / "config.json");
  saved(folder);
  write_file_atomically(folder / "config.json", old_config);  // as if killed between the rename and the removal
  replace(folder / "config.json", "\"height\": 28", "\"height\": 14");
  CHECK(load_model(folder.path).card.preprocessing.height == 28);
}

TEST_CASE("old weights beside the config.json of another run, as a kill between two renames left them, are refused") {
  const Folder folder;
  old_folder(folder);
  replace(folder / "config.json", "\"steps\": 3", "\"steps\": 4");
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("does not belong to model.safetensors"), Error);
  CHECK(load_model(folder / "model.safetensors").card.class_names == glyphs(4)->class_names());
}

TEST_CASE("a config.json that is no model's card survives a save") {
  const Folder folder;
  fs::create_directories(folder.path);
  write_file_atomically(folder / "config.json", std::string("{\"mine\": true}"));
  saved(folder);
  CHECK(fs::exists(folder / "config.json"));
  CHECK(load_model(folder.path).model->num_classes() == 20);
}

TEST_CASE("a model of another task, or of a later format, is refused by name") {
  const Folder folder;
  const auto model = saved(folder);
  ModelCard other = card(glyphs(4));
  other.task = "detection";
  save_model(folder.path, *model, model->config_json(), other);
  CHECK(read_saved_model(folder.path).card.task == "detection");
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("task is detection"), Error);
  SafetensorsFile file = load_safetensors(folder / "model.safetensors");
  file.metadata[0].second.replace(file.metadata[0].second.find("\"format\": 2"), 11, "\"format\": 3");
  save_safetensors(folder / "model.safetensors", file);
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("format 3 is unknown"), Error);
}

TEST_CASE("a configuration of another model beside the weights is found out") {
  const Folder folder;
  old_folder(folder);
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
  save_without_checksums(folder / "model.safetensors", file);
  try {
    load_model(folder.path);
    FAIL("accepted");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::kData);
    for (const char* part : {"model.safetensors", "class_token", "cls_token", "norm.bias"})
      CHECK_MESSAGE(std::string(e.what()).find(part) != std::string::npos, e.what());
  }
}

TEST_CASE("a bit that flipped in a weight is noticed whenever the model is read; without checksums nothing is claimed") {
  const Folder folder;
  saved(folder);
  const std::string path = folder / "model.safetensors";
  const std::string before = read_text_file(path);
  const SafetensorsHeader header = read_safetensors_info(path);
  for (const SafetensorsEntry* e : {&header.entries.front(), &header.entries.back()}) {
    std::string bytes = before;
    bytes[static_cast<size_t>(header.data_start + e->begin)] ^= 1;  // the lowest bit of a float: finite as before
    write_file_atomically(path, bytes);
    CAPTURE(e->name);
    const auto error = error_of([&] { load_model(folder.path); });
    REQUIRE(error);
    CHECK(error->kind() == ErrorKind::kData);
    CHECK_MESSAGE(std::string(error->what()).find(cat("tensor ", e->name, " is not what was written: its checksum differs")) !=
                      std::string::npos,
                  error->what());
  }
  write_file_atomically(path, before);
  replace(path, "\\\"steps\\\": 3", "\\\"steps\\\": 4");  // the card is a text that people edit
  CHECK(load_model(folder.path).card.training.find('4') != std::string::npos);
  SafetensorsFile file = load_safetensors(path);
  file.tensors.front().second = file.tensors.front().second + 1;
  save_safetensors(path, file);
  CHECK(error_of([&] { load_model(folder.path); })->kind() == ErrorKind::kData);
  save_without_checksums(path, file);
  CHECK(load_model(folder.path).model != nullptr);
}

TEST_CASE("weights with a NaN are refused by name") {
  const Folder folder;
  const auto model = saved(folder);
  SafetensorsFile file = load_safetensors(folder / "model.safetensors");
  fill_(model->named_parameters()[0].parameter->value(), std::nan(""));
  file.tensors = model->state_dict();
  save_safetensors(folder / "model.safetensors", file);
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("weight is not finite: cls_token"), Error);
}

TEST_CASE("a model that is not finite is not saved, and the old one stays") {
  const Folder folder;
  const auto model = saved(folder);
  const auto before = read_file(folder / "model.safetensors");
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    fill_(model->named_parameters()[1].parameter->value(), bad);
    CHECK(error_of([&] { save_model(folder.path, *model, card(glyphs(4))); })->kind() == ErrorKind::kNumeric);
    CHECK(read_file(folder / "model.safetensors") == before);
  }
}

TEST_CASE("what a model of ours says itself cannot be said otherwise; its pictures may be taken as they are stored") {
  const Folder folder;
  saved(folder);
  CHECK(load_model(folder.path).card.preprocessing.apply_orientation);
  OpenOptions stored;
  stored.no_exif = true;
  CHECK_FALSE(load_model(folder.path, stored).card.preprocessing.apply_orientation);
  OpenOptions heads, size, weights, preprocess;
  heads.num_heads = 2, size.img_height = size.img_width = 8, weights.weights = "ema", preprocess.preprocess = "timm";
  const auto refuses = [&](const OpenOptions& options, const char* name) {
    CHECK_THROWS_WITH_AS(load_model(folder.path, options),
                         doctest::Contains(cat(name, " is for models of other programs").c_str()), Error);
  };
  refuses(heads, "--num-heads");
  refuses(size, "--img-size");
  refuses(weights, "--weights");
  refuses(preprocess, "--preprocess");
}

TEST_CASE("the only file of weights in a folder is a model of ours under any name; of two, one must be named") {
  const Folder folder;
  saved(folder);
  const LoadedModel usual = load_model(folder.path);
  fs::rename(folder / kModelFile, folder / "best.safetensors");
  const LoadedModel loaded = load_model(folder.path);
  CHECK(!loaded.origin);
  CHECK(loaded.card.class_names == usual.card.class_names);
  CHECK(loaded.card.preprocessing == usual.card.preprocessing);
  fs::copy_file(folder / "best.safetensors", folder / "worst.safetensors");
  CHECK_THROWS_WITH_AS(load_model(folder.path), doctest::Contains("holds 2 files of weights"), Error);
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
  old_folder(folder);
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
