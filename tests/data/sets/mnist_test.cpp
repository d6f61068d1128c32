// The MNIST family: names and forms of its files, what is said where they are missing.
#include "data/sets/mnist.h"

#include <unistd.h>

#include "data/sets/registry.h"
#include "tests/support/cases.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

DatasetInfo info_of(int classes) {
  DatasetInfo info{.name = "tiny", .channels = 1, .height = 3, .width = 4, .class_names = {}, .mean = {0.5}, .std = {0.5}};
  for (int i = 0; i < classes; ++i) info.class_names.push_back(std::to_string(i));
  return info;
}

// QMNIST's labels: i32 [n, 8]; the class of image i is i % 10, the other columns hold other numbers.
Bytes qmnist_labels(uint32_t n) {
  Bytes bytes{0, 0, 12, 2, 0, 0, 0, static_cast<uint8_t>(n), 0, 0, 0, 8};
  for (uint32_t i = 0; i < n; ++i)
    for (uint32_t column = 0; column < 8; ++column)
      for (int shift = 24; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<uint8_t>((column == 0 ? i % 10 : 0xfffffff0u + column) >> shift));
  return bytes;
}

Bytes labels_from(uint32_t first, uint32_t n) {
  Bytes bytes = idx_bytes({n}, 250);
  for (size_t i = 8; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(bytes[i] + first);
  return bytes;
}

}  // namespace

TEST_CASE("only regular files are taken, and each may lie in a folder of its own name") {
  const Folder folder;
  std::filesystem::create_directories(folder.file("train-images-idx3-ubyte"));
  std::filesystem::create_directories(folder.file("train-labels-idx1-ubyte"));
  folder.write("train-images-idx3-ubyte/train-images-idx3-ubyte", idx_bytes({6, 3, 4}));
  folder.write("train-labels-idx1-ubyte/train-labels-idx1-ubyte", idx_bytes({6}, 3));
  CHECK(read_mnist_folder(folder.path(), "train", info_of(3))->size() == 6);
  // With plain files beside these folders, under the other spelling.
  std::filesystem::remove(folder.file("train-images-idx3-ubyte/train-images-idx3-ubyte"));
  folder.write("train-images.idx3-ubyte", idx_bytes({6, 3, 4}));
  CHECK(read_mnist_folder(folder.path(), "train", info_of(3))->size() == 6);
}

TEST_CASE("links in a circle where a file is looked for are no file") {
  const Folder folder;
  REQUIRE(symlink(folder.file("a").c_str(), folder.file("train-images-idx3-ubyte").c_str()) == 0);
  REQUIRE(symlink(folder.file("train-images-idx3-ubyte").c_str(), folder.file("a").c_str()) == 0);
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { read_mnist_folder(folder.path(), "train", info_of(3)); }), "a file is missing");
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { read_mnist_folder(folder.file("a"), "train", info_of(3)); }), "Too many levels");
}

TEST_CASE("pictures of EMNIST come out upright, letters count from zero") {
  const Folder folder;
  folder.write("emnist-letters-train-images-idx3-ubyte.gz", gzip_bytes(idx_bytes({26, 4, 3}, 200)));
  folder.write("emnist-letters-train-labels-idx1-ubyte.gz", gzip_bytes(labels_from(1, 26)));
  const DatasetPtr data = read_emnist_folder(folder.path(), "letters", true, info_of(26));
  CHECK(data->label(0) == 0);
  CHECK(data->label(25) == 25);
  // Row y, column x of the picture is row x, column y of the file.
  CHECK(data->sample(0).image.at({0, 2, 3}) == 3 * 3 + 2);
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { read_emnist_folder(folder.path(), "letters", true, info_of(25)); }),
             "label 26 of image 25 is out of range");
}

TEST_CASE("the classes of EMNIST are its characters") {
  CHECK(emnist_classes("digits").size() == 10);
  CHECK(emnist_classes("letters").size() == 26);
  CHECK(emnist_classes("byclass").size() == 62);
  CHECK(emnist_classes("balanced").size() == 47);
  CHECK(emnist_classes("bymerge").at(36) == "a");
  CHECK_SAYS(refusal(ErrorKind::kValue, [] { emnist_classes("all\n"); }), "unknown part of EMNIST: it is \"all\\x0a\"");
}

TEST_CASE("labels of QMNIST are integers whose first column is the class") {
  const Folder folder;
  folder.write("qmnist-train-images-idx3-ubyte", idx_bytes({12, 3, 4}));
  folder.write("qmnist-train-labels-idx2-int", qmnist_labels(12));
  const DatasetPtr data = read_qmnist_folder(folder.path(), true, info_of(10));
  CHECK(data->label(7) == 7);
  CHECK(data->label(11) == 1);
  folder.write("t10k-images-idx3-ubyte", idx_bytes({12, 3, 4}));
  folder.write("t10k-labels-idx1-ubyte", gzip_bytes(qmnist_labels(12)));
  CHECK(read_mnist_folder(folder.path(), "t10k", info_of(10))->label(11) == 1);
}

TEST_CASE("where MNIST is looked for and another set of the family lies, its name is said") {
  const Folder folder;
  folder.write("emnist-balanced-train-images-idx3-ubyte.gz", {1});
  const auto message = [&] { return refusal(ErrorKind::kIo, [&] { open_dataset("mnist:" + folder.path(), Split::kTrain); }); };
  CHECK_SAYS(message(), "It holds emnist-balanced-train-images-idx3-ubyte.gz.");
  CHECK_SAYS(message(), "Hint: these are files of EMNIST: emnist-balanced:DIR reads them.");
  std::filesystem::remove(folder.file("emnist-balanced-train-images-idx3-ubyte.gz"));
  folder.write("qmnist-train-images-idx3-ubyte.gz", {1});
  CHECK_SAYS(message(), "qmnist:DIR reads them");
}

TEST_CASE("cases: every folder of the MNIST family is read, or the message says how") {
  const auto open = [](const std::string& set, const std::string& name) {
    return open_dataset(set + ":" + case_path("public/idx/" + name).string(), Split::kTrain);
  };
  if (case_path("public/idx").empty()) return;
  CHECK(open("mnist", "kaggle_nested")->size() == 20);
  CHECK(open("mnist", "kaggle_both")->size() == 20);
  CHECK(open("mnist", "one_class")->label(19) == 3);
  const DatasetPtr qmnist = open("mnist", "qmnist_int32");
  CHECK(qmnist->size() == 20);
  CHECK(open("qmnist", "qmnist_int32")->size() == 20);
  const DatasetPtr balanced = open("emnist-balanced", "emnist_names");
  CHECK(balanced->label(19) == 19);
  CHECK(balanced->sample(0).image.at({0, 5, 0}) == 5);  // 0, 1, 2, ... down the first column
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { open("mnist", "emnist_names"); }), "emnist-balanced:DIR reads them");
  CHECK(open("emnist-letters", "emnist_renamed_letters")->label(0) == 0);
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { open("mnist", "emnist_renamed_letters"); }), "emnist-letters:DIR reads them");
}
