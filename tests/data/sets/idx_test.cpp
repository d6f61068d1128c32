#include "data/sets/idx.h"

#include "base/gzip.h"
#include "data/sets/mnist.h"
#include "tensor/view.h"
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

Bytes unpacked(const Bytes& packed, int64_t limit) {
  const ByteSource source = source_of(packed, "x");
  Bytes result(static_cast<size_t>(limit));
  UnpackedStream stream(source);
  result.resize(static_cast<size_t>(stream.read(result.data(), limit)));
  return result;
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
  CHECK_SAYS(idx_refusal(bytes), "elements must be unsigned bytes (type 8) or 32-bit integers (type 12): their type is 13");
  bytes[2] = 0x0A;
  CHECK_SAYS(idx_refusal(bytes), "unknown type of elements: 10");
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
  CHECK(unpacked(packed, 100) == Bytes{1, 2, 3, 4, 5});
  CHECK(unpacked(packed, 4) == Bytes{1, 2, 3, 4});
}

TEST_CASE("the header and the size of an IDX file are checked without keeping its content") {
  const Bytes plain = idx_bytes({5, 3, 4});
  const auto header = [](const Bytes& bytes) { return check_idx(source_of(bytes, "some/file")); };
  CHECK(header(plain).shape == Shape{5, 3, 4});
  CHECK(header(gzip_bytes(plain)).shape == Shape{5, 3, 4});
  CHECK(header({0, 0, 0x0c, 1, 0, 0, 0, 1, 0, 0, 0, 9}).type == IdxType::kI32);
  CHECK(std::string(name_of(IdxType::kF32)) == "f32");
  for (const int rank : {0, 9, 200}) {
    Bytes bytes = plain;
    bytes[3] = static_cast<uint8_t>(rank);
    CHECK_SAYS(refusal(ErrorKind::kData, [&] { header(bytes); }), cat("rank must be in [1, 8]: it is ", rank));
  }
  Bytes more = plain;
  more.push_back(0);
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { header(gzip_bytes(more)); }), "need 76 unpacked bytes, there are more");
}

TEST_CASE("a packed file that cannot hold what its header promises is refused by its size") {
  Bytes bytes = idx_bytes({1, 1, 1});
  bytes[5] = 1;  // 65537 pictures of one pixel; the packed file has about 30 bytes
  CHECK_SAYS(idx_refusal(gzip_bytes(bytes)), "packed bytes cannot hold so many");
  // 100 MiB of zeros, packed to a thousandth, and the header that fits them.
  Bytes packed = gzip_bytes({0, 0, 8, 1, 6, 0x40, 0, 0});
  const Bytes zeros = gzip_bytes(Bytes(size_t{1} << 20));
  for (int i = 0; i < 100; ++i) packed.insert(packed.end(), zeros.begin(), zeros.end());
  CHECK_SAYS(idx_refusal(packed, 1), "more than 200 times the file's");
}

TEST_CASE("one picture of an IDX file is the same as in the whole") {
  const Folder folder;
  const Bytes plain = idx_bytes({5, 3, 4}, 251);
  folder.write("plain", plain);
  folder.write("packed", gzip_bytes(plain));
  const Tensor whole = decode_idx(plain, "x", 3);
  for (const char* name : {"plain", "packed"}) {
    for (const int64_t index : {0, 3, 4})
      CHECK(bit_equal(read_idx_picture(folder.file(name), index), reshape(contiguous(select(whole, 0, index)), {1, 3, 4})));
    for (const int64_t index : {int64_t{-1}, int64_t{5}, int64_t{1} << 62})
      CHECK_SAYS(refusal(ErrorKind::kValue, [&] { read_idx_picture(folder.file(name), index); }),
                 cat("outside [0, 5): it is ", index));
  }
  folder.write("labels", idx_bytes({5}));
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { read_idx_picture(folder.file("labels"), 0); }), "no pictures");
  folder.write("packed", gzip_bytes(Bytes(plain.begin(), plain.end() - 1)));
  CHECK_SAYS(refusal(ErrorKind::kData, [&] { read_idx_picture(folder.file("packed"), 0); }), "cut off");
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
  CHECK_SAYS(message, "looked for train-images-idx3-ubyte, train-images.idx3-ubyte, plain or .gz. It is empty.");
  folder.write("some.txt", {1});
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { read_mnist_folder(folder.path(), "train", small_info()); }), "It holds some.txt.");
  CHECK_SAYS(refusal(ErrorKind::kIo, [&] { read_mnist_folder(folder.file("no"), "train", small_info()); }),
             "there is no such folder");
}

TEST_CASE("changed bytes of an IDX file never do worse than an Error") {
  const Bytes plain = idx_bytes({4, 3, 4}, 200);
  CHECK(refused_mutants(plain, 1500, [](const Bytes& b) { decode_idx(b, "x", 3); }) > 500);
  CHECK(refused_mutants(gzip_bytes(plain), 1500, [](const Bytes& b) { decode_idx(b, "x", 3); }) > 1000);
}
