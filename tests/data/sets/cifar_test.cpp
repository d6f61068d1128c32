#include "data/sets/cifar.h"

#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

DatasetInfo info_of(int classes) {
  return {.name = "cifar",
          .channels = 3,
          .height = 32,
          .width = 32,
          .class_names = std::vector<std::string>(classes, "?"),
          .mean = {0.5, 0.5, 0.5},
          .std = {0.2, 0.2, 0.2}};
}

// `count` records whose last label byte is their number modulo `classes` and whose pixels are their number.
Bytes records(int count, size_t label_bytes, int classes = 10) {
  Bytes bytes;
  for (int i = 0; i < count; ++i) {
    bytes.resize(bytes.size() + label_bytes);
    bytes.back() = static_cast<uint8_t>(i % classes);
    bytes.insert(bytes.end(), 3072, static_cast<uint8_t>(i));
  }
  return bytes;
}

void write_batches(const Folder& folder, int count) {
  for (int k = 1; k <= 5; ++k) folder.write(cat("data_batch_", k, ".bin"), records(count, 1));
}

}  // namespace

TEST_CASE("the five CIFAR-10 batches are one set, in order") {
  const Folder folder;
  write_batches(folder, 3);
  const DatasetPtr data = read_cifar_folder(folder.path(), CifarKind::k10, true, info_of(10));
  CHECK(data->size() == 15);
  CHECK(data->sample(4).label == 1);
  CHECK(data->sample(4).image.at({2, 31, 31}) == 1);
}

TEST_CASE("CIFAR-100 takes the fine label") {
  const Folder folder;
  folder.write("test.bin", records(60, 2, 100));
  const DatasetPtr data = read_cifar_folder(folder.path(), CifarKind::k100, false, info_of(100));
  CHECK(data->sample(57).label == 57);
}

TEST_CASE("CIFAR class names come from the names file, which must be complete") {
  const Folder folder;
  folder.write("test_batch.bin", records(2, 1));
  std::string names;
  for (int i = 0; i < 10; ++i) names += cat("kind", i, "\r\n");
  write_file_atomically(folder.file("batches.meta.txt"), names + "\n");
  CHECK(read_cifar_folder(folder.path(), CifarKind::k10, false, info_of(10))->class_names()[9] == "kind9");
  write_file_atomically(folder.file("batches.meta.txt"), std::string("only\n"));
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { read_cifar_folder(folder.path(), CifarKind::k10, false, info_of(10)); }),
             "it names 1 classes, there are 10");
}

TEST_CASE("other versions of CIFAR are called by their names") {
  const auto message = [](const std::string& name, CifarKind kind) {
    const Folder folder;
    folder.write(name, {1});
    return refusal(ErrorKind::kIo, [&] { read_cifar_folder(folder.path(), kind, true, info_of(10)); });
  };
  CHECK_SAYS(message("data_batch_1", CifarKind::k10), "Hint: this is the Python version of CIFAR");
  CHECK_SAYS(message("meta", CifarKind::k100), "this is the Python version");
  CHECK_SAYS(message("test_batch.mat", CifarKind::k10), "this is the Matlab version");
  CHECK_SAYS(message("cifar-10-binary.tar.gz", CifarKind::k10), "unpack the archive first");
}

TEST_CASE("a CIFAR file of a wrong size, or missing, or with a label out of range is named") {
  const Folder folder;
  write_batches(folder, 2);
  const auto message = [&](ErrorKind kind) {
    return refusal(kind, [&] { read_cifar_folder(folder.path(), CifarKind::k10, true, info_of(10)); });
  };
  Bytes bytes = records(2, 1);
  bytes[3073] = 10;
  folder.write("data_batch_3.bin", bytes);
  CHECK_SAYS(message(ErrorKind::kData), "data_batch_3.bin: label 10 of image 1 is out of range: there are 10 classes");
  bytes.pop_back();
  folder.write("data_batch_3.bin", bytes);
  CHECK_SAYS(message(ErrorKind::kData), "multiple of 3073 bytes (one record): it is 6145, 3072 too many");
  std::filesystem::remove(folder.file("data_batch_3.bin"));
  CHECK_SAYS(message(ErrorKind::kIo),
             "a file is missing: looked for data_batch_3.bin. It holds data_batch_1.bin, data_batch_2.bin and 2 more.");
}
