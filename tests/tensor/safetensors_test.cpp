#include "tensor/safetensors.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "tensor/rng.h"
#include "tensor/safetensors_checksums.h"
#include "tensor/view.h"
#include "tests/support/cases.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::case_path;
using vitrail::testing::put_content;
using vitrail::testing::content_of;
using vitrail::testing::refuses;
using vitrail::testing::ScratchFolder;

namespace {

// A file from a header and the bytes behind it.
std::string file_of(const std::string& header, const std::string& data = "") {
  uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

SafetensorsFile parse(const std::string& bytes) {
  return parse_safetensors({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "test.safetensors");
}

bool refused(const std::string& bytes, const std::string& part) {
  return refuses([&] { parse(bytes); }, ErrorKind::kData, part);
}

// The header of one tensor "w".
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::vector<double> values_of(const std::string& dtype, const std::string& data, int64_t count) {
  const std::string header = one(dtype, cat("[", count, "]"), cat("[0,", data.size(), "]"));
  return to_vector<double>(parse(file_of(header, data)).tensors.at(0).second);
}

SafetensorsFile sample_file() {
  SafetensorsFile file;
  file.metadata = {{"format", "pt"}, {"g", "quote \" and \n and \xc3\xa9"}, {"h", ""}};
  file.tensors = {{"z.weight", rand_normal({3, 5}, 0, 1, Rng(1))},
                  {"bytes", to(rand_int({7}, 0, 255, Rng(2)), Dtype::u8)},
                  {"labels", rand_int({2, 1, 2}, -9, 9, Rng(3))},
                  {"double", rand_normal({4}, 0, 1, Rng(4), Dtype::f64)},
                  {"scalar", scalar(2.5)},
                  {"none", zeros({0, 3})},
                  {"turned", transpose(rand_normal({3, 4}, 0, 1, Rng(5)))}};
  return file;
}

void check_equal(const SafetensorsFile& a, const SafetensorsFile& b) {
  CHECK(a.metadata == b.metadata);
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (size_t i = 0; i < a.tensors.size(); ++i) {
    CHECK(a.tensors[i].first == b.tensors[i].first);
    CHECK(bit_equal(a.tensors[i].second, b.tensors[i].second));
  }
}

}  // namespace

TEST_CASE("safetensors: what is saved is loaded, and saving it again gives the same bytes") {
  ScratchFolder folder;
  const SafetensorsFile file = sample_file();
  save_safetensors(folder.file("a"), file);
  const SafetensorsFile back = load_safetensors(folder.file("a"));
  check_equal(back, file);
  save_safetensors(folder.file("b"), back);
  CHECK(content_of(folder.file("a")) == content_of(folder.file("b")));
  save_safetensors(folder.file("a"), back);  // over the file it was loaded from
  CHECK(content_of(folder.file("a")) == content_of(folder.file("b")));
}

TEST_CASE("safetensors: tensors that come one by one give the same bytes; one of another shape leaves the old file") {
  const ScratchFolder folder;
  SafetensorsFile file;
  file.metadata = {{"format", "pt"}};
  file.tensors = {{"a", full({7, 3}, 0.25)}, {"b", full({5}, -3)}};
  SafetensorsFile outline = file;
  for (auto& [name, tensor] : outline.tensors) tensor = expand(zeros({}), tensor.shape());
  const auto entry = [&](size_t i) { return file.tensors[i].second; };
  add_checksums(file);
  add_checksums(outline, entry);
  save_safetensors(folder.file("whole"), file);
  save_safetensors(folder.file("parts"), outline, entry);
  CHECK(content_of(folder.file("parts")) == content_of(folder.file("whole")));
  CHECK_NOTHROW(verify_checksums(folder.file("parts")));
  CHECK(refuses([&] { save_safetensors(folder.file("parts"), outline, [&](size_t) { return file.tensors[0].second; }); },
                ErrorKind::kValue, "b is f32[7, 3], not f32[5] as the header says"));
  CHECK(content_of(folder.file("parts")) == content_of(folder.file("whole")));
}

TEST_CASE("safetensors: the written bytes are those of the published format") {
  ScratchFolder folder;
  SafetensorsFile file;
  file.tensors = {{"w", from_vector(std::vector<float>{1, -2}, {2})}};
  save_safetensors(folder.file("a"), file);
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  CHECK(content_of(folder.file("a")) == file_of(padded, raw<float>({1, -2})));
}

TEST_CASE("safetensors: narrow integers, booleans and half floats are widened") {
  CHECK(values_of("I8", raw<int8_t>({-128, 127}), 2) == std::vector<double>{-128, 127});
  CHECK(values_of("I16", raw<int16_t>({-32768, 5}), 2) == std::vector<double>{-32768, 5});
  CHECK(values_of("U16", raw<uint16_t>({65535}), 1) == std::vector<double>{65535});
  CHECK(values_of("I32", raw<int32_t>({INT32_MIN}), 1) == std::vector<double>{-2147483648.0});
  CHECK(values_of("U32", raw<uint32_t>({UINT32_MAX}), 1) == std::vector<double>{4294967295.0});
  CHECK(values_of("BOOL", raw<uint8_t>({0, 1, 7}), 3) == std::vector<double>{0, 1, 1});
  CHECK(values_of("BF16", raw<uint16_t>({0x3f80, 0xc049}), 2) == std::vector<double>{1, -3.140625});
  const std::vector<double> bool_u8 = values_of("U8", raw<uint8_t>({255}), 1);
  CHECK(bool_u8 == std::vector<double>{255});
  CHECK(parse(file_of(one("I16", "[0]", "[0,0]"))).tensors[0].second.dtype() == Dtype::i64);
}

TEST_CASE("safetensors: unsigned 64-bit integers are read as far as ours reach") {
  CHECK(values_of("U64", raw<uint64_t>({0, 5, uint64_t{1} << 52}), 3) == std::vector<double>{0, 5, 4503599627370496.0});
  const std::string most = raw<uint64_t>({3, INT64_MAX});
  CHECK(to_vector<int64_t>(parse(file_of(one("U64", "[2]", "[0,16]"), most)).tensors[0].second).back() == INT64_MAX);
  const std::string above = raw<uint64_t>({3, uint64_t{1} << 63});
  CHECK(refused(file_of(one("U64", "[2]", "[0,16]"), above), "tensor w: element 1 is 9223372036854775808, above 2^63 - 1"));
}

TEST_CASE("safetensors: widening piece by piece gives every element") {
  std::vector<int16_t> values(50'001);  // more than one piece, and a last one that is short
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int16_t>(i * 7919);
  const std::vector<double> read = values_of("I16", raw(values), 50'001);
  CHECK(std::equal(read.begin(), read.end(), values.begin(), values.end()));
}

TEST_CASE("safetensors: a file's own dtypes are told without reading its tensors") {
  ScratchFolder folder;
  for (const std::string dtype : {"BF16", "F16", "BOOL", "I32", "U64", "F32"}) {
    const int64_t size = dtype == "U64" ? 8 : dtype == "BOOL" ? 1 : dtype.ends_with("16") ? 2 : 4;
    put_content(folder.file("a"), file_of(one(dtype, "[2]", cat("[0,", 2 * size, "]")), std::string(2 * size, '\xff')));
    const SafetensorsHeader info = read_safetensors_info(folder.file("a"));
    REQUIRE(info.entries.size() == 1);
    CHECK(info.entries[0].type == dtype);
    CHECK(info.entries[0].shape == Shape{2});
  }
  put_content(folder.file("a"), file_of(one("F32", "[2]", "[0,8]"), "1234"));
  CHECK(refuses([&] { read_safetensors_info(folder.file("a")); }, ErrorKind::kData, "bytes 0 to 8 of 4"));
}

TEST_CASE("safetensors: metadata has an end") {
  const std::string text(9'000'000, 'x');
  CHECK(parse(file_of(R"({"__metadata__":{"a":")" + text + "\"}}")).metadata.size() == 1);
  CHECK(refused(file_of(R"({"__metadata__":{"a":")" + text + R"(","b":")" + text + "\"}}"), "__metadata__ has more than"));
  CHECK(refused(file_of(R"({"__metadata__":{"a":")" + text + text + "\"}}"), "a text of 18000000 bytes"));
}

TEST_CASE("safetensors: cases: the dtypes of others") {
  const std::pair<const char*, const char*> cases[] = {{"bf16", "BF16"}, {"bool", "BOOL"}, {"f16", "F16"}, {"i32", "I32"}};
  for (const auto& [name, dtype] : cases) {
    const auto path = case_path(cat("public/safetensors/v_", name, ".safetensors"));
    if (path.empty()) return;
    CHECK(read_safetensors_info(path.string()).entries.at(0).type == dtype);
    CHECK(load_safetensors(path.string()).tensors.at(0).second.numel() == 2);
  }
}

TEST_CASE("safetensors: every half float becomes the number that its bits mean") {
  std::vector<uint16_t> bits(65536);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  const std::vector<double> numbers = values_of("F16", raw(bits), 65536);
  int wrong = 0;
  for (int i = 0; i < 65536; ++i) {
    const int exponent = (i >> 10) & 31, fraction = i & 1023;
    double expected = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) expected = fraction ? NAN : std::numeric_limits<double>::infinity();
    if (i & 0x8000) expected = -expected;
    const bool same = std::isnan(expected) ? std::isnan(numbers[i])
                                           : numbers[i] == expected && std::signbit(numbers[i]) == std::signbit(expected);
    wrong += !same;
  }
  CHECK(wrong == 0);
}

TEST_CASE("safetensors: legal oddities are read: any order of keys and data, no tensors, spaces behind the header") {
  const std::string header =
      R"({"b":{"shape":[1],"data_offsets":[1,2],"dtype":"U8"},"a":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}   )";
  const SafetensorsFile file = parse(file_of(header, "\x05\x06"));
  CHECK(file.tensors[0].first == "a");  // the order of the data
  CHECK(file.tensors[0].second.item() == 5);
  CHECK(file.tensors[1].second.at({0}) == 6);
  CHECK(parse(file_of("{}")).tensors.empty());
  CHECK(parse(file_of(one("F32", "[0,4611686018427387904]", "[0,0]"))).tensors[0].second.numel() == 0);
}

TEST_CASE("safetensors: what is no safetensors file is named for what it is") {
  CHECK(refused("1234567", "too short for a safetensors file: 7 bytes"));
  CHECK(refused("version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
                "git-lfs pointer, not the file itself. Hint: git lfs pull"));
  CHECK(refused("<!DOCTYPE html><html><body>404</body></html>", "this is an HTML page"));
  CHECK(refused(std::string("PK\3\4\x14\0\0\0\0\0archive/data.pkl", 27), "this is a ZIP archive"));
  CHECK(refused("\x80\x02}q\x01(X\x05 and more bytes", "pickle"));
  CHECK(refused(file_of("{}").substr(0, 9), "truncated: the header wants 2 bytes, the file has 1"));
  std::string huge = file_of("{}");
  std::memset(huge.data(), 0xff, 8);
  CHECK(refused(huge, "the header claims 18446744073709551615 bytes"));
}

TEST_CASE("safetensors: wrong numbers are refused with the numbers") {
  const std::string four(4, '\0');
  CHECK(refused(file_of(one("F32", "[2]", "[0,4]"), four), "shape [2] as F32 is 8 bytes, data_offsets give 4"));
  CHECK(refused(file_of(one("F32", "[4611686018427387904,4]", "[0,0]")), "is too large"));
  CHECK(refused(file_of(one("F32", "[4294967296,4294967296]", "[0,0]")), "is too large"));
  CHECK(refused(file_of(one("F32", "[18446744073709551615]", "[0,4]"), four), "integers from 0 to 2^62"));
  CHECK(refused(file_of(one("F32", "[1]", "[4,0]"), four), "bytes 4 to 0 of 4"));
  CHECK(refused(file_of(one("F32", "[1]", "[4,8]"), four + four), "starts at byte 4, the one before ends at 0"));
  CHECK(refused(file_of(one("F32", "[1]", "[0,4]"), four + "x"), "end at byte 4 of the data, the file at 5"));
  CHECK(refused(file_of(one("F32", "[1]", "[0,4]"), "abc"), "bytes 0 to 4 of 3"));
  CHECK(refused(file_of(one("F32", "[-1]", "[0,4]"), four), "integers from 0 to 2^62"));
  CHECK(refused(file_of(one("F32", "[1.0]", "[0,4]"), four), "integers from 0 to 2^62"));
  CHECK(refused(file_of(one("F32", "[18446744073709551616]", "[0,4]"), four), "integers from 0 to 2^62"));
  CHECK(refused(file_of(one("F32", "[1e999]", "[0,4]"), four), "no valid JSON"));
  CHECK(refused(file_of(one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), four), "at most 8 sizes"));
  CHECK(refused(file_of(one("F32", "[1]", "[0,4,8]"), four), "data_offsets must be [begin, end]"));
  CHECK(refused(file_of(one("F32", "[1]", "[0]"), four), "data_offsets must be [begin, end]"));
  CHECK(refused(file_of(one("F8_E5M2", "[4]", "[0,4]"), four), "unknown dtype F8_E5M2"));
}

TEST_CASE("safetensors: overlapping and shared bytes are refused") {
  const std::string a = R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})",
                    b = R"("b":{"dtype":"U8","shape":[4],"data_offsets":)";
  CHECK(refused(file_of("{" + a + "," + b + "[2,6]}}", "123456"), "starts at byte 2, the one before ends at 4"));
  CHECK(refused(file_of("{" + a + "," + b + "[0,4]}}", "1234"), "starts at byte 0, the one before ends at 4"));
  CHECK(refused(file_of("{" + a + "," + b + "[5,9]}}", "123456789"), "starts at byte 5, the one before ends at 4"));
}

TEST_CASE("safetensors: a header that is not strict JSON of the right form is refused") {
  const std::string w = R"("w":{"dtype":"U8","shape":[],"data_offsets":[0,1]})";
  CHECK(refused(file_of("{" + w + "," + w + "}", "1"), "the key w stands twice"));
  CHECK(refused(file_of(R"({"w":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})", "1"),
                "the key dtype stands twice"));
  CHECK(refused(file_of(R"({"w":{"dtype":"U8","shape":[],"data_offsets":[0,1],"x":1}})", "1"), "and nothing else"));
  CHECK(refused(file_of(R"({"w":{"dtype":"U8","shape":[]}})", "1"), "must have dtype, shape and data_offsets"));
  CHECK(refused(file_of(R"({"__metadata__":{"a":1}})"), "__metadata__.a must be a text"));
  CHECK(refused(file_of(R"({"__metadata__":{"a":"1","a":"2"}})"), "the key a stands twice"));
  CHECK(refused(file_of(R"({"w":null})"), "must have dtype"));
  CHECK(refused(file_of(R"({"w":[]})"), "must have dtype"));
  CHECK(refused(file_of(R"({"w":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", "1"), "nested deeper than 3"));
  CHECK(refused(file_of(" {}"), "must start with {"));
  CHECK(refused(file_of("{} x"), "no valid JSON"));
  CHECK(refused(file_of(std::string("{}\0 ", 4)), "a NUL byte at byte 2"));
  CHECK(refused(file_of("{\"\xff\":1}"), "no valid JSON"));
  CHECK(refused(file_of(cat("{", std::string(100000, '['))), "no valid JSON"));
  CHECK(refused(file_of(cat("{\"a\":", std::string(1000000, '['))), "must have dtype"));
  CHECK(refused(file_of("{\"" + std::string(1025, 'n') + "\":1}"), "1 to 1024 bytes"));
}

TEST_CASE("safetensors: a large header of another form is refused where it starts to differ") {
  std::string many = "{\"w\":{\"dtype\":\"U8\",\"shape\":[1";
  for (int i = 0; i < 2000000; ++i) many += ",1";
  CHECK(refused(file_of(many), "at most 8 sizes"));  // though the text breaks off: what follows is never looked at
  std::string keys = "{\"__metadata__\":{\"k\":\"\"";
  for (int i = 0; i < 2000; ++i) keys += cat(",\"", i, "\":\"\"");
  CHECK(refused(file_of(keys), "more than 1000 keys"));
  std::string tensors = "{";
  for (int i = 0; i <= 200000; ++i)
    tensors += cat(i ? ",\"" : "\"", i, "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}");
  CHECK(refused(file_of(tensors + "}"), "more than 200000"));
  CHECK(refused(file_of("[1]"), "must start with {"));
  CHECK(refused(file_of(R"({"__metadata__":3})"), "__metadata__ must be an object of texts"));
  CHECK(refused(file_of(R"({"__metadata__":{"a":[1]}})"), "__metadata__.a must be a text"));
  CHECK(refused(file_of(R"({"__metadata__":{},"__metadata__":{}})"), "the key __metadata__ stands twice"));
  CHECK(refused(file_of(R"({"w":{"dtype":3,"shape":[],"data_offsets":[0,0]}})"), "dtype must be a text"));
  CHECK(refused(file_of(R"({"w":{"dtype":"U8","shape":"x","data_offsets":[0,0]}})"), "shape must be a list"));
}

TEST_CASE("safetensors: messages are one short line, whatever the file's names hold") {
  std::string name;
  for (int i = 0; i < 1000; ++i) name += "\\n\\u001b";
  for (const std::string& key : {name.substr(0, 1024), std::string(1000, 'x')}) {
    try {
      parse_safetensors({}, std::string(5000, '/') + "\n");
    } catch (const Error& e) {
      CHECK(std::string(e.what()).size() <= 300);
      CHECK(std::string(e.what()).find('\n') == std::string::npos);
    }
    try {
      parse(file_of("{\"" + key + "\":{\"dtype\":\"" + key + "\",\"shape\":[],\"data_offsets\":[0,1]}}", "1"));
      FAIL("the dtype should be refused");
    } catch (const Error& e) {
      CHECK(std::string(e.what()).size() <= 300);
      CHECK(std::string(e.what()).find_first_of("\n\x1b") == std::string::npos);
    }
  }
}

TEST_CASE("safetensors: only names that can be read back are written") {
  ScratchFolder folder;
  const auto write = [&](SafetensorsFile file) { return [&folder, file] { save_safetensors(folder.file("a"), file); }; };
  const Tensor x = scalar(1);
  CHECK(refuses(write({{{"a", x}, {"a", x}}, {}}), ErrorKind::kValue, "must be unique and not empty: a"));
  CHECK(refuses(write({{{"\xff", x}}, {}}), ErrorKind::kValue, "not UTF-8: \\xff"));
  CHECK(refuses(write({{{"", x}}, {}}), ErrorKind::kValue, "must be unique and not empty"));
  CHECK(refuses(write({{{"__metadata__", x}}, {}}), ErrorKind::kValue, "must be unique and not empty"));
  CHECK(refuses(write({{{std::string(1025, 'a'), x}}, {}}), ErrorKind::kValue, "at most 1024 bytes"));
  CHECK(refuses(write({{{"a", Tensor()}}, {}}), ErrorKind::kValue, "a is undefined"));
  CHECK(refuses(write({{}, {{"k", "1"}, {"k", "2"}}}), ErrorKind::kValue, "metadata key k stands twice"));
  CHECK(folder.entries() == 0);
}
