#include "data/sets/recognise.h"

#include <filesystem>

#include "data/sets/registry.h"
#include "tests/support/cases.h"
#include "tests/support/picture_folder.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

// The two files of a split under the names of MNIST: `labels` over pictures of one brightness.
void put_mnist(const Folder& folder, const std::vector<uint8_t>& labels, uint8_t brightness = 0, const std::string& start = "train",
               const std::string& label_start = "") {
  const auto n = static_cast<uint32_t>(labels.size());
  Bytes label_file = idx_bytes({n}), image_file = idx_bytes({n, 28, 28}, 1);
  std::copy(labels.begin(), labels.end(), label_file.end() - n);
  std::fill(image_file.begin() + 16, image_file.end(), brightness);
  folder.write(start + "-images-idx3-ubyte", image_file);
  folder.write((label_start.empty() ? start : label_start) + "-labels-idx1-ubyte", label_file);
}

std::vector<uint8_t> repeated(const std::vector<uint8_t>& pattern, size_t count) {
  std::vector<uint8_t> labels;
  for (size_t i = 0; i < count; ++i) labels.push_back(pattern[i % pattern.size()]);
  return labels;
}

std::string refusal_of(const std::string& path, ErrorKind kind) {
  return refusal(kind, [&] { recognise(path); });
}

}  // namespace

TEST_CASE("files under the names of MNIST are told apart by their labels, else by their brightness") {
  const auto name_of = [](const std::vector<uint8_t>& labels, uint8_t brightness) {
    const Folder folder;
    put_mnist(folder, labels, brightness);
    return recognise(folder.path()).name;
  };
  CHECK(name_of({5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 3}, 0) == "mnist");
  CHECK(name_of({9, 0, 0, 3, 0, 2, 7, 2, 5, 5, 1}, 0) == "fashion-mnist");
  CHECK(name_of({1, 26, 3}, 0) == "emnist-letters");
  CHECK(name_of({0, 46, 3}, 0) == "emnist-balanced");
  CHECK(name_of({0, 61, 3}, 0) == "emnist-byclass");
  CHECK(name_of(repeated({3, 1, 2, 0}, 1000), 49) == "kmnist");         // 49 / 255 = 0.192
  CHECK(name_of(repeated({3, 1, 2, 0}, 1000), 73) == "fashion-mnist");  // 0.286
  CHECK(name_of(repeated({3, 1, 2, 0}, 1000), 33) == "mnist");          // 0.129
  CHECK(name_of(repeated({3, 1, 2, 0}, 1000), 44) == "emnist-mnist");   // 0.173
}

TEST_CASE("what was concluded without certainty is said, with how to say otherwise") {
  const Folder folder;
  put_mnist(folder, {3, 1, 2});
  const Recognised found = recognise(folder.path());
  CHECK(found.name == "mnist");
  CHECK_SAYS(found.note, "read as mnist, by the names of its files, since nothing else tells");
  CHECK_SAYS(found.note, "as in kmnist:");
  const DatasetSource source = open_source(folder.path());
  CHECK(source.notes.size() == 1);
  CHECK(source.open(Split::kTrain)->size() == 3);
  CHECK(open_dataset("kmnist:" + folder.path(), Split::kTrain)->class_names()[1] == "ki");
}

TEST_CASE("EMNIST, QMNIST and CIFAR are known by the names of their files") {
  const Folder emnist, qmnist, ten, hundred;
  put_mnist(emnist, {1, 2, 3}, 0, "emnist-letters-train");
  CHECK(recognise(emnist.path()).name == "emnist-letters");
  CHECK(open_dataset(emnist.path(), Split::kTrain)->num_classes() == 26);
  put_mnist(emnist, {1, 2, 3}, 0, "emnist-digits-train");
  CHECK_SAYS(refusal_of(emnist.path(), ErrorKind::kValue), "there are several parts of EMNIST: emnist-digits, emnist-letters. Hint: say which");
  qmnist.write("qmnist-train-images-idx3-ubyte", idx_bytes({1, 28, 28}));
  CHECK(recognise(qmnist.path()).name == "qmnist");
  ten.write("data_batch_1.bin", Bytes(3073));
  CHECK(recognise(ten.path()).name == "cifar10");
  hundred.write("train.bin", Bytes(3074));
  CHECK(recognise(hundred.path()).name == "cifar100");
  const Folder outer;
  fs::create_directories(outer.file("cifar-100-binary"));
  CHECK(recognise(outer.path()).name == "cifar100");
}

TEST_CASE("a folder of pictures, a list, a saved model, a picture and nothing at all") {
  PictureFolder root;
  root.put_class("a", 1, 1);
  CHECK(recognise(root.path()).name == "folder");
  root.put_text("list.csv", "path,label\na/0.png,x\n");
  CHECK(recognise(root.path()).name == "list");
  CHECK_SAYS(recognise(root.path()).note, "read by its list");
  CHECK(recognise(root.file("list.csv")).name == "list");
  root.put_class("b", 1, 2);  // class folders with a table beside them
  CHECK(recognise(root.path()).name == "folder");
  CHECK_SAYS(refusal_of(root.file("a/0.png"), ErrorKind::kValue), "this is no data set");
  CHECK_SAYS(refusal_of(root.file("none"), ErrorKind::kIo), "there is no such file or folder");
  root.put_text("model.safetensors", "x");
  CHECK_SAYS(refusal_of(root.path(), ErrorKind::kValue), "this is a saved model, not a data set");
}

TEST_CASE("a path wins over a name that takes a path, and may have a colon in it") {
  PictureFolder root;
  root.put_class("mnist/a", 2, 1);
  root.put_class("mnist/b", 2, 4);
  root.put_class("odd:name/a", 2, 1);
  CHECK(open_dataset(root.file("odd:name"), Split::kTrain)->num_classes() == 1);
  const fs::path before = fs::current_path();
  fs::current_path(root.path());
  const auto classes = [] { return open_dataset("mnist", Split::kTrain)->class_names(); };
  CHECK_NOTHROW(classes());
  fs::current_path(before);
  CHECK_SAYS(refusal(ErrorKind::kIo, [] { open_source("no/such/path"); }), "no/such/path: there is no such file or folder");
  CHECK(is_dataset_spec("glyphs"));
  CHECK(is_dataset_spec("mnist:x"));
  CHECK(is_dataset_spec(root.path()));
  CHECK_FALSE(is_dataset_spec("vit_tiny"));
}

TEST_CASE("the real sets are recognised by their path alone") {
  for (const char* name : {"mnist", "fashion-mnist"}) {
    const std::string folder = real_data(name);
    if (!fs::exists(folder)) {
      MESSAGE("skipped: " << folder << " is not there");
      continue;
    }
    const Recognised found = recognise(folder);
    CHECK(found.name == name);
    CHECK(found.note.empty());
  }
}

TEST_CASE("the odd folders of the MNIST family that users have are recognised by their path alone") {
  struct Case {
    const char *folder, *name;
  };
  for (const Case& c : {Case{"emnist_names", "emnist-balanced"}, Case{"emnist_renamed_letters", "emnist-letters"},
                        Case{"kaggle_nested", "mnist"}, Case{"kaggle_both", "mnist"}, Case{"qmnist_int32", "qmnist"}}) {
    const fs::path path = case_path(std::string("public/idx/") + c.folder);
    if (path.empty()) continue;
    CHECK(recognise(path.string()).name == c.name);
    CHECK(open_dataset(path.string(), Split::kTrain)->size() > 0);
  }
}
