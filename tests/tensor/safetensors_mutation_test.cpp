// Thousands of damaged safetensors files: each loads or is refused as data, whatever was done to it. Under the sanitizers this
// test also proves that no byte outside the file is touched.
#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>

#include "tensor/rng.h"
#include "tensor/safetensors.h"
#include "tests/support/scratch_folder.h"

using namespace vitrail;
using vitrail::testing::content_of;
using vitrail::testing::ScratchFolder;

namespace {

struct Verdicts {
  int loaded = 0, refused = 0;
};

// Loads the bytes; anything but a value or Error(kData) with a short line fails the test.
void judge(const std::string& bytes, Verdicts* verdicts) {
  try {
    const std::vector<uint8_t> copy(bytes.begin(), bytes.end());  // exact size, so that a sanitizer sees a read beyond
    const SafetensorsFile file = parse_safetensors(copy, "mutant");
    int64_t total = 0;
    for (const auto& [name, tensor] : file.tensors) total += tensor.numel();
    REQUIRE(total <= static_cast<int64_t>(bytes.size()));
    ++verdicts->loaded;
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::kData);
    REQUIRE(std::strlen(error.what()) <= 300);
    ++verdicts->refused;
  }
}

std::string valid_file() {
  ScratchFolder folder;
  SafetensorsFile file;
  file.metadata = {{"format", "pt"}};
  file.tensors = {{"blocks.0.w", rand_normal({3, 4}, 0, 1, Rng(1))},
                  {"bias", rand_normal({4}, 0, 1, Rng(2), Dtype::f64)},
                  {"mask", zeros({5}, Dtype::u8)},
                  {"step", scalar(3, Dtype::i64)}};
  save_safetensors(folder.file("valid"), file);
  return content_of(folder.file("valid"));
}

// The same data with another header text (and its length).
std::string with_header(const std::string& file, const std::string& header) {
  uint64_t old_length = 0;
  std::memcpy(&old_length, file.data(), 8);
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + file.substr(8 + old_length);
}

std::string header_of(const std::string& file) {
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  return file.substr(8, length);
}

}  // namespace

TEST_CASE("safetensors: a file cut anywhere, or with a byte too many, is refused") {
  const std::string file = valid_file();
  Verdicts verdicts;
  for (size_t length = 0; length < file.size(); ++length) judge(file.substr(0, length), &verdicts);
  judge(file + '\0', &verdicts);
  CHECK(verdicts.loaded == 0);
  judge(file, &verdicts);
  CHECK(verdicts.loaded == 1);
}

TEST_CASE("safetensors: every flipped bit of length and header loads or is refused") {
  const std::string file = valid_file();
  const size_t end = 8 + header_of(file).size();
  Verdicts verdicts;
  for (size_t i = 0; i < end; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string mutant = file;
      mutant[i] = static_cast<char>(mutant[i] ^ (1 << bit));
      judge(mutant, &verdicts);
    }
  }
  CHECK(verdicts.refused > 1000);
  CHECK(verdicts.loaded > 0);  // a changed letter of a name is still a name
}

TEST_CASE("safetensors: every number of the header replaced by a hostile one is refused") {
  const std::string file = valid_file(), header = header_of(file);
  const std::string hostile[] = {"-1",
                                 "1.5",
                                 "1e3",
                                 "1e999",
                                 "4294967296",
                                 "9223372036854775807",
                                 "9223372036854775808",
                                 "18446744073709551615",
                                 "18446744073709551616",
                                 "\"1\"",
                                 "null",
                                 "true",
                                 "[]",
                                 "{}",
                                 "",
                                 "01",
                                 "0x1",
                                 "NaN",
                                 "1,1",
                                 "4611686018427387904",
                                 "100000000000000000000000000000000"};
  Verdicts verdicts;
  for (size_t i = 0; i < header.size(); ++i) {
    const bool starts = header[i] >= '0' && header[i] <= '9' && (header[i - 1] == '[' || header[i - 1] == ',');
    if (!starts) continue;
    const size_t length = header.find_first_of(",]", i) - i;
    for (const std::string& text : hostile) {
      judge(with_header(file, header.substr(0, i) + text + header.substr(i + length)), &verdicts);
    }
  }
  CHECK(verdicts.refused > 200);
  CHECK(verdicts.loaded <= 1);  // "1,1" in a shape of 1 x ... may be the same size
}

TEST_CASE("safetensors: thousands of random damages load or are refused") {
  const std::string file = valid_file(), header = header_of(file);
  const Rng rng(20);
  const std::string tokens[] = {"{",   "}", "[", "]", ",", ":", "\"", "0", "\\u0000", "\"w\":", "[0,0]", "\xff", "__metadata__",
                                "F16", " "};
  Verdicts verdicts;
  for (uint64_t round = 0; round < 4000; ++round) {
    const Rng dice = rng.at(round);
    std::string text = header;
    for (uint64_t cut = 0, cuts = 1 + dice.below(0, 3); cut < cuts; ++cut) {
      const size_t at = dice.below(10 * cut + 1, text.size()), to = dice.below(10 * cut + 2, text.size());
      const size_t length = dice.below(10 * cut + 3, 24);
      switch (dice.below(10 * cut + 4, 4)) {
        case 0: text.erase(at, length); break;
        case 1: text.insert(at, text.substr(to, length)); break;
        case 2: text.insert(at, tokens[dice.below(10 * cut + 5, std::size(tokens))]); break;
        default: text[at] = static_cast<char>(dice.below(10 * cut + 6, 256));
      }
      if (text.empty()) text.push_back('{');
    }
    judge(with_header(file, text), &verdicts);
  }
  CHECK(verdicts.refused + verdicts.loaded == 4000);
  CHECK(verdicts.refused > 3000);
}

TEST_CASE("safetensors: the published fixtures load, and load again after saving") {
  const char* set = std::getenv("VITRAIL_VIT_FIXTURES");
  const std::filesystem::path folder = set ? set : "../shared/data/vit-fixtures";
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("skipped: no folder " << folder.string() << " (set VITRAIL_VIT_FIXTURES)");
    return;
  }
  ScratchFolder scratch;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafetensorsFile file = load_safetensors(entry.path().string());
    CHECK(!file.tensors.empty());
    save_safetensors(scratch.file("copy"), file);
    const SafetensorsFile back = load_safetensors(scratch.file("copy"));
    CHECK(back.metadata == file.metadata);
    REQUIRE(back.tensors.size() == file.tensors.size());
    for (size_t i = 0; i < file.tensors.size(); ++i) CHECK(bit_equal(back.tensors[i].second, file.tensors[i].second));
    ++files;
  }
  CHECK(files > 0);
}
