// NumPy's arrays: headers of every version, and none that says something else than the file holds.
#include "models/weights/formats/npy.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "models/weights/formats/npz.h"
#include "tensor/ops.h"
#include "tests/support/weight_files.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

std::string array(const std::string& header, const std::string& data, char version = 1) {
  std::string out = "\x93NUMPY";
  out += {version, '\0'};
  add_little_endian(out, header.size(), version == 1 ? 2 : 4);
  return out + header + data;
}

std::string described(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

TensorFile read(const std::string& npy, bool packed = false) {
  const std::string bytes = zip_file({{"w.npy", npy, packed}});
  const ByteSource source = text_source(bytes);
  const ZipArchive archive(source);
  CHECK(is_npz(archive));
  return read_npz(archive);
}

bool refused(const std::string& npy, const std::string& part) {
  const auto error = error_of([&] { read(npy); });
  if (!error || std::string(error->what()).find(part) == std::string::npos)
    MESSAGE("expected ", part, ", got: ", error ? std::string(error->what()) : "nothing");
  return refuses([&] { read(npy); }, ErrorKind::kData, part);
}

std::vector<double> values(const std::string& npy) { return to_vector<double>(to(read(npy).tensors[0].second, Dtype::f64)); }

}  // namespace

TEST_CASE("npy: versions 1 to 3, keys in any order, every shape") {
  const std::string six = {1, 2, 3, 4, 5, 6};
  for (const char version : {'\1', '\2', '\3'}) CHECK(values(array(described("|u1", "(6,)"), six, version)).back() == 6);
  CHECK(values(array("{\"shape\":(2,3),\"fortran_order\":True,\"descr\":\"|u1\"}   \n", six)) ==
        std::vector<double>{1, 3, 5, 2, 4, 6});
  CHECK(values(array(described("|i1", "(2L, 3L)"), six)) == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(values(array(described("|u1", "()"), "\x07")) == std::vector<double>{7});
  CHECK(values(array(described("|u1", "(0, 3)"), "")).empty());
  CHECK(values(array(described("|u1", "(3, 0)", "True"), "")).empty());
  CHECK(values(array(described("<u2", "(1,)"), "\x01\x02")) == std::vector<double>{513});
  CHECK(values(array(described("V2", "(1,)"), "\xc0\x3f")) == std::vector<double>{1.5});
  CHECK(values(array(described("|V2", "(1,)"), "\xc0\x3f")) == std::vector<double>{1.5});
  CHECK(values(array(described("<f4", "(1,)"), std::string("\x00\x00\x80\x3f", 4))) == std::vector<double>{1});
}

TEST_CASE("npy: a header of another form, type or size is refused") {
  const std::string good = described("|u1", "(3,)");
  CHECK(refused(array(good, "ab"), "shape [3] as U8 is 3 bytes, the file has 2"));
  CHECK(refused(array(good, "abcd"), "shape [3] as U8 is 3 bytes, the file has 4"));
  CHECK(refused("\x93NUMPY", "too short for an array"));
  CHECK(refused("PK\x03\x04 and more", "not a NumPy array"));
  CHECK(refused(array(good, "abc", 4), "version 4.0"));
  CHECK(refused(array(std::string(70'000, ' '), "", 2), "the header claims 70000 bytes"));
  CHECK(refused(array("", ""), "{ is missing"));
  CHECK(refused(array("{}", ""), "wants descr, fortran_order and shape"));
  CHECK(refused(array("{'descr': '|u1', 'descr': '|u1'}", ""), "the key \"descr\", or has it twice"));
  CHECK(refused(array("{'descr': '|u1', 'other': 1}", ""), "the key \"other\""));
  CHECK(refused(array(good + "x", "abc"), "something follows the header's dictionary"));
  CHECK(refused(array(described(">f4", "(1,)"), "abcd"), "big-endian, \">f4\""));
  CHECK(refused(array(described("|O", "(1,)"), "abcd"), "Python objects"));
  CHECK(refused(array(described("<c8", "(1,)"), "abcdefgh"), "the type \"<c8\" is not read"));
  CHECK(
      refused(array("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"), "tables of several columns"));
  CHECK(refused(array(described("|u1", "(3)"), "abc"), "a shape of one axis is written (n,)"));
  CHECK(refused(array(described("|u1", "(-3,)"), "abc"), "no tuple of whole numbers"));
  CHECK(refused(array(described("|u1", "(99999999999999999999,)"), "abc"), "an extent is too large"));
  CHECK(refused(array(described("<f8", "(4611686018427387904, 4)"), "abc"), "is too large"));
  CHECK(refused(array(described("|u1", "(1,1,1,1,1,1,1,1,1)"), "a"), "more than 8 axes"));
  CHECK(refused(array(described("|u1", "(3,)", "Maybe"), "abc"), "False is missing"));
}

TEST_CASE("npz: arrays need names") {
  const std::string bytes = zip_file({{".npy", array(described("|u1", "(1,)"), "a")}});
  const ByteSource source = text_source(bytes);
  const ZipArchive archive(source);
  CHECK(refuses([&] { read_npz(archive); }, ErrorKind::kData, "an array without a name"));
}

TEST_CASE("save_npy writes what NumPy writes, and it reads back") {
  const ScratchFolder folder;
  for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{2, 0, 4}, Shape{2, 3, 4}}) {
    for (const Dtype dtype : {Dtype::f32, Dtype::f64, Dtype::i64, Dtype::u8}) {
      const Tensor x = to(rand_int(shape, 0, 200, Rng(1)), dtype);
      save_npy(folder.file("x.npy"), x);
      const std::string bytes = content_of(folder.file("x.npy"));
      CHECK((bytes.size() - static_cast<size_t>(x.numel() * size_of(dtype))) % 64 == 0);
      const TensorFile file = read(bytes);
      CHECK(file.tensors[0].second.dtype() == dtype);
      CHECK(bit_equal(file.tensors[0].second, x));
    }
  }
  save_npy(folder.file("x.npy"), full({2, 3}, 1, Dtype::f32));
  const std::string start("\x93NUMPY\x01\x00v\x00", 10);
  const std::string header =
      cat(start, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", std::string(58, ' '), "\n");
  CHECK(content_of(folder.file("x.npy")).substr(0, 128) == header);
  CHECK(refuses([&] { save_npy(folder.file("b.npy"), empty({2}, Dtype::bf16, "test")); }, ErrorKind::kValue,
                "NumPy has no such type"));
}
