#include "data/sets/idx.h"

#include "base/gzip.h"
#include "tests/support/data_test.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

DatasetInfo small_info() {
  return {.name = "tiny", .channels = 1, .height = 3, .width = 4, .class_names = {"a", "b", "c"}, .mean = {0.5}, .std = {0.5}};
}

void write_pair(const Folder& folder, const Bytes& images, const Bytes& labels) {
  folder.write("train-images-idx3-ubyte", images);
  folder.write("train-labels-idx1-ubyte", labels);
}

std::string folder_refusal(const Bytes& images, const Bytes& labels) {
  const Folder folder;
  write_pair(folder, images, labels);
  return refusal(ErrorKind::kData, [&] { read_mnist_folder(folder.path(), "train", small_info()); });
}

std::string idx_refusal(const Bytes& bytes, int rank = 3) {
  return refusal(ErrorKind::kData, [&] { decode_idx(bytes, "some/file", rank); });
}

}  // namespace

TEST_CASE("an IDX file becomes a tensor of its extents, plain or packed") {
  const Bytes plain = idx_bytes({5, 3, 4}, 251);
  const Tensor x = decode_idx(plain, "x", 3);
  CHECK(x.shape() == Shape{5, 3, 4});
  CHECK(x.at({4, 2, 3}) == 59);
  CHECK(bit_equal(x, decode_idx(gzip_bytes(plain), "x", 3)));
}

TEST_CASE("an IDX file cut off at any byte is refused, plain or packed") {
  const Bytes plain = idx_bytes({2, 3, 4}), packed = gzip_bytes(plain);
  for (size_t n = 0; n < plain.size(); ++n) CHECK_SAYS(idx_refusal(Bytes(plain.begin(), plain.begin() + n)), "some/file");
  for (size_t n = 0; n < packed.size(); ++n) {
    const std::string message = idx_refusal(Bytes(packed.begin(), packed.begin() + n));
    CHECK_SAYS(message, n < 2 ? "too short" : "the gzip stream ends early");
  }
  CHECK_SAYS(idx_refusal(Bytes(plain.begin(), plain.end() - 1)), "cut off: extents [2, 3, 4] need 40 bytes, there are 39");
  CHECK_SAYS(idx_refusal(Bytes(plain.begin(), plain.begin() + 15)), "the header is cut off: it has 15 of 16 bytes");
}

TEST_CASE("an IDX file with bytes after its end is refused, plain or packed") {
  Bytes plain = idx_bytes({2, 3, 4});
  Bytes packed = gzip_bytes(plain);
  plain.push_back(0);
  CHECK_SAYS(idx_refusal(plain), "need 40 bytes, there are more (41)");
  CHECK_SAYS(idx_refusal(gzip_bytes(plain)), "need 40 unpacked bytes, there are more");
  packed.push_back(7);
  CHECK_SAYS(idx_refusal(packed), "1 bytes follow the end of the gzip stream");
}

TEST_CASE("a wrong magic number says which part is wrong") {
  Bytes bytes = idx_bytes({2, 3, 4});
  bytes[0] = 0x89;
  CHECK_SAYS(idx_refusal(bytes), "not an IDX file: it begins with bytes 137 0");
  bytes = idx_bytes({2, 3, 4});
  bytes[2] = 0x0D;
  CHECK_SAYS(idx_refusal(bytes), "elements must be unsigned bytes (type 8): their type is 13");
  CHECK_SAYS(idx_refusal(idx_bytes({4}), 3), "rank must be 3 (images): it is 1");
}

TEST_CASE("extents of zero or beyond all memory are refused before anything is allocated") {
  CHECK_SAYS(idx_refusal(idx_bytes({0, 3, 4})), "extent 0 must be positive");
  Bytes bytes = idx_bytes({1, 1, 1});
  std::fill(bytes.begin() + 4, bytes.begin() + 16, uint8_t{0xff});
  CHECK_SAYS(idx_refusal(bytes), "are too large");
  bytes[4] = bytes[8] = 0;  // [16777215, 16777215, 4294967295] still overflows; a petabyte does not
  std::fill(bytes.begin() + 12, bytes.begin() + 15, uint8_t{0});
  CHECK_SAYS(idx_refusal(bytes), "cut off");
  CHECK_SAYS(idx_refusal(gzip_bytes(bytes)), "cut off");
}

TEST_CASE("a gzip stream with a damaged byte or checksum is refused") {
  Bytes packed = gzip_bytes(idx_bytes({9, 3, 4}, 200));
  packed[packed.size() - 6] ^= 1;
  CHECK_SAYS(idx_refusal(packed), "the gzip stream is damaged after");
}

TEST_CASE("several gzip members are one file, and a limit stops unpacking") {
  Bytes packed = gzip_bytes({1, 2, 3});
  const Bytes second = gzip_bytes({4, 5});
  packed.insert(packed.end(), second.begin(), second.end());
  CHECK(gunzip(packed, "x", 100) == Bytes{1, 2, 3, 4, 5});
  CHECK(gunzip(packed, "x", 4) == Bytes{1, 2, 3, 4});
}

TEST_CASE("images and labels of a folder belong together") {
  CHECK_SAYS(folder_refusal(idx_bytes({6, 3, 4}), idx_bytes({5}, 3)), "5 labels for 6 images");
  CHECK_SAYS(folder_refusal(idx_bytes({6, 3, 4}), idx_bytes({6}, 4)), "label 3 of image 3 is out of range: tiny has 3 classes");
  CHECK_SAYS(folder_refusal(idx_bytes({6, 4, 3}), idx_bytes({6}, 3)), "images are 4 x 3: tiny has 3 x 4");
}

TEST_CASE("a folder is read under each of the usual names") {
  for (const char* middle : {"-", "."}) {
    for (const bool packed : {false, true}) {
      const Folder folder;
      const std::string end = packed ? ".gz" : "";
      const Bytes images = idx_bytes({6, 3, 4}, 200), labels = idx_bytes({6}, 3);
      folder.write(cat("t10k-images", middle, "idx3-ubyte", end), packed ? gzip_bytes(images) : images);
      folder.write(cat("t10k-labels", middle, "idx1-ubyte", end), packed ? gzip_bytes(labels) : labels);
      const DatasetPtr data = read_mnist_folder(folder.path(), "t10k", small_info());
      CHECK(data->size() == 6);
      CHECK(data->sample(5).target.label == 2);
      CHECK(data->sample(5).image.at({0, 0, 0}) == 60);
    }
  }
}

TEST_CASE("what is missing in a folder is named") {
  const Folder folder;
  const auto message = refusal(ErrorKind::kIo, [&] { read_mnist_folder(folder.path(), "train", small_info()); });
  CHECK_SAYS(message, "looked for train-images-idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte");
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { read_mnist_folder(folder.file("no"), "train", small_info()); }),
             "there is no such folder");
}

TEST_CASE("changed bytes of an IDX file never do worse than an Error") {
  const Bytes plain = idx_bytes({4, 3, 4}, 200);
  CHECK(refused_mutants(plain, 1500, [](const Bytes& b) { decode_idx(b, "x", 3); }) > 500);
  CHECK(refused_mutants(gzip_bytes(plain), 1500, [](const Bytes& b) { decode_idx(b, "x", 3); }) > 1000);
}
