// The one door to files of weights: every format that libraries write, and everything else by its name.
#include "models/weights/formats/tensor_file.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <fstream>
#include <sstream>

#include "base/error.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/support/weight_files.h"

using namespace vitrail;
using namespace vitrail::testing;
namespace fs = std::filesystem;

namespace {

std::string golden(const std::string& name) { return kFormatFiles + name; }

const Tensor& tensor_of(const TensorFile& file, const std::string& name) {
  for (const auto& [key, tensor] : file.tensors)
    if (key == name) return tensor;
  FAIL("no tensor " << name);
  return file.tensors[0].second;
}

std::string type_of(const TensorFile& file, const std::string& name) {
  for (const StoredTensor& stored : file.stored)
    if (stored.name == name) return stored.type;
  return "?";
}

std::vector<double> values(const TensorFile& file, const std::string& name) {
  return to_vector<double>(tensor_of(file, name).dtype() == Dtype::f64 ? tensor_of(file, name)
                                                                       : to(tensor_of(file, name), Dtype::f64));
}

// count values: i * step - shift
std::vector<double> ramp(int count, double step, double shift) {
  std::vector<double> result;
  for (int i = 0; i < count; ++i) result.push_back(i * step - shift);
  return result;
}

// The tensors that golden/formats/make.py calls weights(shift).
void check_weights(const TensorFile& file, double shift) {
  CHECK(file.tensors.size() == 15);
  CHECK(tensor_of(file, "f32").shape() == Shape{3, 4});
  CHECK(values(file, "f32") == ramp(12, 0.5, shift));
  CHECK(values(file, "f16") == ramp(5, 0.5, shift));
  CHECK(values(file, "bf16") == ramp(6, 0.5, shift));
  CHECK(values(file, "f64") == ramp(1, 0.5, shift));
  CHECK(tensor_of(file, "f64").shape() == Shape{});
  CHECK(values(file, "i64") == ramp(4, 1, shift));
  CHECK(values(file, "i32") == ramp(4, 1, shift));
  CHECK(values(file, "i16") == ramp(3, 1, shift));
  CHECK(values(file, "i8") == ramp(3, 1, shift));
  CHECK(values(file, "u8") == ramp(3, 1, 0));
  CHECK(values(file, "bool") == std::vector<double>{1, 0, 1});
  const Tensor shared = reshape(to(tensor_of(file, "transposed"), Dtype::f64), {6, 4});
  CHECK(to_vector<double>(contiguous(transpose(shared))) == ramp(24, 0.5, shift));
  CHECK(values(file, "corner") == std::vector<double>{4 - shift, 4.5 - shift, 5 - shift, 7 - shift, 7.5 - shift, 8 - shift});
  CHECK(values(file, "expanded") == std::vector<double>{-shift, -shift, -shift, -shift, .5 - shift, .5 - shift, .5 - shift,
                                                        .5 - shift, 1 - shift, 1 - shift, 1 - shift, 1 - shift});
  CHECK(tensor_of(file, "none").shape() == Shape{0, 3});
  CHECK(values(file, "parameter") == ramp(4, 0.5, shift));
  const std::pair<const char*, const char*> types[] = {{"f32", "F32"}, {"f16", "F16"},  {"bf16", "BF16"}, {"f64", "F64"},
                                                       {"i64", "I64"}, {"i32", "I32"},  {"i16", "I16"},   {"i8", "I8"},
                                                       {"u8", "U8"},   {"bool", "BOOL"}};
  for (const auto& [name, type] : types) CHECK(type_of(file, name) == type);
  CHECK(tensor_of(file, "f16").dtype() == Dtype::f32);
  CHECK(tensor_of(file, "i8").dtype() == Dtype::i64);
  CHECK(tensor_of(file, "bool").dtype() == Dtype::u8);
}

bool says(const std::string& path, ErrorKind kind, const std::string& part, const TensorFileOptions& options = {}) {
  const auto error = error_of([&] { read_tensor_file(path, options); });
  const bool right = error && error->kind() == kind && std::string(error->what()).find(part) != std::string::npos;
  if (!right) MESSAGE("expected ", part, ", got: ", error ? std::string(error->what()) : "nothing");
  return right;
}

// The same sum over names, types, shapes and values as golden/formats/make.py forms.
uint32_t sum_of(const TensorFile& file) {
  uLong crc = crc32(0, nullptr, 0);
  const auto add = [&](const void* data, int64_t bytes) {
    if (bytes > 0) crc = crc32(crc, static_cast<const Bytef*>(data), static_cast<uInt>(bytes));
  };
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const Tensor& x = file.tensors[i].second;
    CHECK(file.tensors[i].first == file.stored[i].name);
    CHECK(x.shape() == file.stored[i].shape);
    const std::string head = cat(file.stored[i].name, " ", file.stored[i].type, " ", file.stored[i].shape);
    add(head.data(), static_cast<int64_t>(head.size()));
    add(static_cast<const uint8_t*>(x.storage()->data()) + x.offset() * size_of(x.dtype()), x.numel() * size_of(x.dtype()));
  }
  return static_cast<uint32_t>(crc);
}

}  // namespace

TEST_CASE("a training checkpoint of torch gives its model, whatever else it holds") {
  const TensorFile file = read_tensor_file(golden("training.pt"));
  CHECK(file.format == "torch zip");
  CHECK(file.file == golden("training.pt"));
  CHECK(file.part == "model");
  CHECK(file.other_parts == std::vector<std::string>{"model_ema"});
  check_weights(file, 1);
  const TensorFile ema = read_tensor_file(golden("training.pt"), {.weights = "ema"});
  CHECK(ema.part == "model_ema");
  check_weights(ema, 2);
  check_weights(read_tensor_file(golden("training.pt"), {.weights = "model_ema"}), 2);
}

TEST_CASE("a file of torch before 1.6, and one of pickle protocol 4, give the same tensors") {
  const TensorFile old = read_tensor_file(golden("training-legacy.pt"));
  CHECK(old.format == "torch before 1.6");
  CHECK(old.part == "model");
  check_weights(old, 1);
  check_weights(read_tensor_file(golden("training-legacy.pt"), {.weights = "ema"}), 2);
  const TensorFile plain = read_tensor_file(golden("protocol-4.pt"));
  CHECK(plain.part.empty());
  CHECK(plain.other_parts.empty());
  check_weights(plain, 1);
}

TEST_CASE("torch files without checksums, and with storages without a type, are read") {
  CHECK(values(read_tensor_file(golden("without-checksums.pt")), "w") == ramp(3, 1, 0));
  const TensorFile file = read_tensor_file(golden("unsigned.pt"));
  CHECK(type_of(file, "unsigned") == "U16");
  CHECK(values(file, "unsigned") == ramp(3, 1, 0));
}

TEST_CASE("an npz, packed or not, gives arrays of all types; Fortran order becomes row-major") {
  for (const char* name : {"arrays.npz", "packed.npz"}) {
    const TensorFile file = read_tensor_file(golden(name));
    CHECK(file.format == "npz");
    CHECK(file.tensors.size() == 9);
    CHECK(values(file, "f32") == ramp(12, 0.5, 0));
    CHECK(values(file, "f16") == ramp(5, 0.5, 0));
    CHECK(values(file, "f64") == std::vector<double>{1.5});
    CHECK(tensor_of(file, "deep/name/kernel").shape() == Shape{2, 3, 4});
    CHECK(values(file, "deep/name/kernel") == ramp(24, 1, 0));
    CHECK(values(file, "bf16") == ramp(6, 1, 0));
    CHECK(type_of(file, "bf16") == "BF16");
    CHECK(values(file, "i64") == ramp(3, 1, 0));
    CHECK(values(file, "i32") == ramp(3, 1, 0));
    CHECK(values(file, "u8") == ramp(3, 1, 0));
    CHECK(values(file, "b") == std::vector<double>{1, 0});
  }
}

TEST_CASE("shards are read through their index, by folder or by name") {
  for (const std::string& path : {golden("sharded"), golden("sharded/model.safetensors.index.json")}) {
    const TensorFile file = read_tensor_file(path);
    CHECK(file.format == "safetensors in 2 files");
    CHECK(file.file == golden("sharded/model.safetensors.index.json"));
    CHECK(file.metadata == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
    CHECK(values(file, "a") == ramp(3, 1, 0));
    CHECK(values(file, "b") == ramp(2, 1, 0));
  }
}

TEST_CASE("every checkpoint of the collection is read as its own library reads it") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  std::ifstream table(golden("checkpoints.txt"));
  int files = 0;
  for (std::string line; std::getline(table, line); ++files) {
    std::istringstream fields(line);
    std::string path, format, part, count, sum;
    for (std::string* field : {&path, &format, &part, &count, &sum}) std::getline(fields, *field, '\t');
    CAPTURE(path);
    const TensorFile file = read_tensor_file(folder + "/" + path);
    CHECK(file.format == format);
    CHECK(file.part == part);
    CHECK(std::to_string(file.tensors.size()) == count);
    CHECK(sum_of(file) == std::stoul(sum, nullptr, 16));
  }
  CHECK(files == 39);
}

TEST_CASE("the collection's broken files are refused by name") {
  const std::string folder = checkpoint_folder();
  if (folder.empty()) return;
  CHECK(says(folder + "/trouble/lfs-pointer.safetensors", ErrorKind::kData, "git-lfs pointer to 346"));
  CHECK(says(folder + "/trouble/html.safetensors", ErrorKind::kData, "HTML page"));
  CHECK(says(folder + "/trouble/truncated.safetensors", ErrorKind::kData, "truncated: "));
  CHECK(says(folder + "/trouble/empty.safetensors", ErrorKind::kData, "empty: 0 bytes"));
  CHECK(says(folder + "/trouble/print.pt", ErrorKind::kData, "names \"builtins.print\""));
  CHECK(says(folder + "/refuse-whole-model.pth", ErrorKind::kData, "VisionTransformer\""));
}

TEST_CASE("pickled programs and whole modules are refused by the name that they use") {
  CHECK(says(golden("print.pt"), ErrorKind::kData, "names \"builtins.print\""));
  for (const char* name : {"module.pt", "module-legacy.pt"}) {
    CHECK(says(golden(name), ErrorKind::kData, "a whole object of the class \"torch.nn.modules.linear.Linear\""));
    CHECK(says(golden(name), ErrorKind::kData, "torch.save(model.state_dict(), PATH)"));
  }
  CHECK(says(golden("big-endian.npz"), ErrorKind::kData, "big-endian, \">f4\""));
  CHECK(says(golden("objects.npz"), ErrorKind::kData, "Python objects"));
}

TEST_CASE("files of other kinds are called by name") {
  const ScratchFolder folder;
  const auto says_of = [&](const std::string& content, const std::string& part) {
    put_content(folder.file("weights.safetensors"), content);
    return says(folder.file("weights.safetensors"), ErrorKind::kData, part);
  };
  CHECK(says_of("", "is empty: 0 bytes"));
  CHECK(says_of("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 346321\n", "git-lfs pointer to 346321 bytes"));
  CHECK(says_of("\xef\xbb\xbf\n<!DOCTYPE html><html>not found</html>", "HTML page"));
  CHECK(says_of("{\"error\": \"no access\"}", "a JSON text"));
  CHECK(says_of(std::string(257, 'a') + "ustar" + std::string(300, '\0'), "a tar archive"));
  CHECK(says_of("\x1f\x8b\x08 and so on", "a gzip file"));
  CHECK(says_of("\x89HDF\r\n\x1a\n and so on", "an HDF5 file"));
  CHECK(says_of(std::string("\x08\x07\x12\x07pytorch and so on"), "an ONNX model"));
  CHECK(says_of(std::string("\x08\x01\x12\x07 saved model"), "a TensorFlow model"));
  CHECK(says_of(std::string("\x93NUMPY\x01\x00v\x00", 10), "a single NumPy array"));
  CHECK(says_of("GGUF and so on", "a GGUF file"));
  CHECK(says_of("words, words, words", "neither of the formats that are read: safetensors, torch .pt or .pth, NumPy .npz"));
  CHECK(says_of("few", "only 3 bytes"));
  CHECK(says_of(std::string("\0\0\0\0\1\0\0\0{}", 10), "the header claims 4294967296 bytes"));
  CHECK(says_of(zip_file({{"a.txt", "x"}}), "a ZIP archive of a.txt: neither a torch file nor an .npz"));
  CHECK(says_of(zip_file({}), "an empty ZIP archive"));
  CHECK(says_of(content_of(golden("arrays.npz")).substr(0, 2000), "truncated: a ZIP archive without its central directory"));
  CHECK(says_of(content_of(golden("training-legacy.pt")).substr(0, 5000), "truncated: the storage"));
}

TEST_CASE("of a folder the preferred file is read, and a choice between several is the user's") {
  const ScratchFolder folder;
  const auto put = [&](const char* name, const char* from) { fs::copy_file(golden(from), folder.file(name)); };
  CHECK(says(folder.path(), ErrorKind::kValue, "holds no weights"));
  put("b.npz", "arrays.npz");
  CHECK(read_tensor_file(folder.path()).format == "npz");
  put("a.pth", "protocol-4.pt");
  CHECK(says(folder.path(), ErrorKind::kValue, "holds 2 files of weights: a.pth, b.npz. Hint: name the file."));
  put("c.safetensors", "sharded/model-00001-of-00002.safetensors");
  CHECK(read_tensor_file(folder.path()).file == folder.file("c.safetensors"));
  put("d.safetensors", "sharded/model-00002-of-00002.safetensors");
  CHECK(says(folder.path(), ErrorKind::kValue, "holds 2 files of weights: c.safetensors, d.safetensors"));
  put("pytorch_model.bin", "training.pt");
  CHECK(read_tensor_file(folder.path()).file == folder.file("pytorch_model.bin"));
  put("open_clip_model.safetensors", "sharded/model-00002-of-00002.safetensors");
  CHECK(read_tensor_file(folder.path()).file == folder.file("open_clip_model.safetensors"));
  put("model.safetensors", "sharded/model-00001-of-00002.safetensors");
  CHECK(read_tensor_file(folder.path()).file == folder.file("model.safetensors"));
  CHECK(says(folder.file("absent"), ErrorKind::kIo, "cannot open"));
}

TEST_CASE("an index of shards is held to its folder and to what the shards hold") {
  const ScratchFolder folder;
  const std::string first = "model-00001-of-00002.safetensors";
  fs::copy_file(golden("sharded/" + first), folder.file(first));
  fs::copy_file(golden("sharded/" + first), folder.file("again.safetensors"));
  const auto says_of = [&](const std::string& map, ErrorKind kind, const std::string& part) {
    put_content(folder.file("model.safetensors.index.json"), "{\"metadata\": {}, \"weight_map\": " + map + "}");
    return says(folder.path(), kind, part);
  };
  CHECK(says_of(R"({"a": "../other.safetensors"})", ErrorKind::kData, "\"../other.safetensors\" is no plain file name"));
  CHECK(says_of(R"({"a": "/etc/passwd"})", ErrorKind::kData, "is no plain file name"));
  CHECK(says_of(R"({"a": ".."})", ErrorKind::kData, "is no plain file name"));
  CHECK(says_of(R"({"a": 3})", ErrorKind::kData, "weight_map.a"));
  CHECK(says_of("{}", ErrorKind::kData, "names no tensor"));
  CHECK(says_of("[]", ErrorKind::kData, "weight_map"));
  CHECK(says_of(R"({"a": "absent.safetensors"})", ErrorKind::kIo, "the shard absent.safetensors is missing"));
  CHECK(says_of("{\"a\": \"" + first + "\", \"z\": \"" + first + "\"}", ErrorKind::kData, "tensor z should be in"));
  CHECK(says_of("{\"a\": \"" + first + "\", \"b\": \"again.safetensors\"}", ErrorKind::kData, "tensor b should be in again"));
  CHECK(says_of(R"({"a": "model.safetensors.index.json"})", ErrorKind::kData, "not another index"));
  fs::copy_file(golden("sharded/model-00002-of-00002.safetensors"), folder.file("model-00002-of-00002.safetensors"));
  SafetensorsFile twice = load_safetensors(folder.file(first));
  twice.tensors.emplace_back("b", twice.tensors[0].second);
  save_safetensors(folder.file("again.safetensors"), twice);
  CHECK(says_of("{\"b\": \"model-00002-of-00002.safetensors\", \"a\": \"again.safetensors\"}", ErrorKind::kData,
                "tensor b stands in two shards"));
}

TEST_CASE("weights that a file does not have are refused with what it has") {
  CHECK(says(golden("training.pt"), ErrorKind::kValue, "has no weights \"teacher\", but model, model_ema",
             {.weights = "teacher"}));
  CHECK(says(golden("protocol-4.pt"), ErrorKind::kValue, "only one unnamed set", {.weights = "ema"}));
  CHECK(says(golden("arrays.npz"), ErrorKind::kValue, "holds one set of weights, not \"ema\"", {.weights = "ema"}));
  CHECK(says(golden("sharded"), ErrorKind::kValue, "holds one set of weights", {.weights = "ema"}));
}
