// Torch files whose pickles lie: no tensor reaches beyond its storage, and nothing takes more memory than the file justifies.
#include "models/weights/formats/torch_file.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "models/weights/formats/torch_names.h"
#include "tensor/ops.h"
#include "tests/support/weight_files.h"

using namespace vitrail;
using namespace vitrail::testing;

namespace {

TensorFile read(const std::string& bytes, const TensorFileOptions& options = {}) {
  const ByteSource source = text_source(bytes);
  if (!bytes.starts_with("PK")) return read_torch_legacy(source, options);
  const ZipArchive archive(source);
  return read_torch_archive(archive, options);
}

bool refused(const std::string& bytes, const std::string& part, ErrorKind kind = ErrorKind::kData) {
  const auto error = error_of([&] { read(bytes); });
  if (!error || std::string(error->what()).find(part) == std::string::npos)
    MESSAGE("expected ", part, ", got: ", error ? std::string(error->what()) : "nothing");
  return refuses([&] { read(bytes); }, kind, part);
}

bool tensor_refused(const PickledTensor& tensor, const std::string& part) {
  return refused(torch_archive(pickled_weights(tensor.bytes())), part);
}

std::vector<double> values(const PickledTensor& tensor) {
  return to_vector<double>(to(read(torch_archive(pickled_weights(tensor.bytes()))).tensors[0].second, Dtype::f64));
}

// {name: {"w": tensor}, ...}
std::string parts_archive(const std::vector<std::string>& names) {
  std::string pickle = "\x80\x02}";
  for (const std::string& name : names)
    pickle += pickled_text(name) + "}" + pickled_text("w") + PickledTensor{{4}, {1}}.bytes() + "ss";
  return torch_archive(pickle + ".");
}

std::string part_of(const std::vector<std::string>& names, const std::string& weights = "") {
  return read(parts_archive(names), {.weights = weights}).part;
}

// The five pickles of a file of torch before 1.6 around `object`, and one storage of four floats.
std::string legacy_file(const std::string& object, int64_t count = 4, bool little = true) {
  std::string bytes("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.");
  bytes += "\x80\x02}" + pickled_text("little_endian") + (little ? "\x88" : "\x89") + "s.";
  bytes += object + "\x80\x02]" + pickled_text("0") + "a.";
  add_little_endian(bytes, static_cast<uint64_t>(count), 8);
  return bytes + std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40", 16);
}

}  // namespace

TEST_CASE("torch: offset, sizes and strides choose elements of the storage") {
  CHECK(values({{2, 2}, {2, 1}}) == std::vector<double>{1, 2, 3, 4});
  CHECK(values({{2, 2}, {1, 2}}) == std::vector<double>{1, 3, 2, 4});
  CHECK(values({{2}, {2}, 1}) == std::vector<double>{2, 4});
  CHECK(values({{2, 3}, {1, 0}, 2}) == std::vector<double>{3, 3, 3, 4, 4, 4});
  CHECK(values({{}, {}, 3}) == std::vector<double>{4});
  CHECK(values({{1, 4}, {999, 1}}) == std::vector<double>{1, 2, 3, 4});
  CHECK(values({{0, 7}, {1, 1}, 999}).empty());
  CHECK(values({.shape = {2}, .strides = {1}, .count = 2, .type = "DoubleStorage"}).size() == 2);
}

TEST_CASE("torch: a tensor that reaches beyond its storage, or overflows on the way, is refused") {
  CHECK(tensor_refused({{5}, {1}}, "tensor w: reaches beyond its storage: element 4 of 4"));
  CHECK(tensor_refused({{2}, {2}, 2}, "reaches beyond its storage: element 4 of 4"));
  CHECK(tensor_refused({{1}, {1}, 4}, "reaches beyond its storage"));
  CHECK(tensor_refused({{}, {}, 4}, "reaches beyond its storage"));
  const int64_t huge = int64_t{1} << 61;
  CHECK(tensor_refused({{3, 2}, {huge, 1}}, "reaches beyond its storage"));
  CHECK(tensor_refused({{3, 3}, {huge * 2, huge * 2}}, "reaches beyond its storage"));
  CHECK(tensor_refused({{huge, huge}, {0, 0}}, "the product of"));
  CHECK(tensor_refused({{-1}, {1}}, "whole numbers from 0 to 2^62"));
  CHECK(tensor_refused({{2}, {-1}, 1}, "whole numbers from 0 to 2^62"));
  CHECK(tensor_refused({{2}, {1}, -1}, "an offset that is no whole number"));
  CHECK(tensor_refused({{2, 2}, {1}}, "2 sizes, but 1 strides"));
  CHECK(tensor_refused({std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)}, "has 9 axes, at most 8"));
  CHECK(tensor_refused({{4}, {1}, 0, "0", -4}, "a storage of an impossible size"));
  CHECK(tensor_refused({{4}, {1}, 0, "0", int64_t{1} << 61}, "a storage of an impossible size"));
}

TEST_CASE("torch: strides of zero repeat elements only so far") {
  CHECK(tensor_refused({{100'000'000}, {0}}, "repeats what is stored"));
  std::string pickle = "\x80\x02}";
  for (int i = 0; i < 9; ++i) pickle += pickled_text("w" + std::to_string(i)) + PickledTensor{{2'000'000}, {0}}.bytes() + "s";
  CHECK(refused(torch_archive(pickle + "."), "tensor w8 [2000000] repeats what is stored"));
  CHECK(values({{1'000'000}, {0}}).size() == 1'000'000);
}

TEST_CASE("torch: storages must be there, whole, little-endian and of a known type") {
  const std::string good = pickled_weights(PickledTensor{{4}, {1}}.bytes());
  CHECK(tensor_refused({{4}, {1}, 0, "7"}, "the storage \"7\" is missing"));
  CHECK(tensor_refused({{4}, {1}, 0, "0", 5}, "the storage \"0\" has 16 bytes, the pickle says 20"));
  CHECK(tensor_refused({{4}, {1}, 0, "0", 4, "ComplexFloatStorage"}, "ComplexFloatStorage"));
  CHECK(refused(torch_archive(good, "big"), "stored \"big\"-endian; only little-endian"));
  std::string damaged = torch_archive(good);
  damaged[damaged.find(std::string("\0\0\x80\x3f", 4))] = 1;
  CHECK(refused(damaged, "entry \"x/data/0\" is damaged: its checksum differs"));
  const std::string storage = std::string("\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40", 16);
  const TensorFile packed = read(zip_file({{"data.pkl", good, true}, {"data/0", storage, true}}));
  CHECK(to_vector<float>(packed.tensors[0].second) == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("torch: only the names that weights need are let in") {
  for (const char* name : {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "torch.bfloat16",
                           "argparse.Namespace", "numpy._core.multiarray.scalar", "numpy.dtype", "_codecs.encode",
                           "builtins.set", "torch.storage.UntypedStorage", "torch.cuda.HalfStorage"})
    CHECK_NOTHROW(check_torch_global("file", name));
  for (const char* name :
       {"os.system", "posix.system", "builtins.eval", "builtins.getattr", "builtins.print", "__builtin__.exec", "torch.load",
        "torch.hub.load", "numpy.load", "torch.storage._load_from_bytes", "", ".", "builtins.", "torch."})
    CHECK(refuses([&] { check_torch_global("file", name); }, ErrorKind::kData, "Nothing was executed"));
  CHECK(refuses([&] { check_torch_global("file", "timm.models.vision_transformer.VisionTransformer"); }, ErrorKind::kData,
                "class \"timm.models.vision_transformer.VisionTransformer\", which only its program can read"));
}

TEST_CASE("torch: the dictionary of weights is found under the names that training scripts use") {
  CHECK(part_of({"optimizer", "model"}) == "model");
  CHECK(part_of({"state_dict_ema", "state_dict"}) == "state_dict");
  CHECK(part_of({"state_dict_ema", "state_dict"}, "ema") == "state_dict_ema");
  CHECK(part_of({"student", "teacher"}) == "teacher");
  CHECK(part_of({"student", "teacher"}, "student") == "student");
  CHECK(part_of({"ema"}) == "ema");
  CHECK(part_of({"anything"}) == "anything");
  CHECK(part_of({"one", "two"}, "two") == "two");
  CHECK(read(parts_archive({"one", "model"})).other_parts == std::vector<std::string>{"one"});
  CHECK(refused(parts_archive({"one", "two"}), "has no weights \"model\", but one, two", ErrorKind::kValue));
  const std::string inner = "}" + pickled_text("model") + "}" + pickled_text("w") + PickledTensor{{4}, {1}}.bytes() + "ss";
  CHECK(read(torch_archive("\x80\x02}" + pickled_text("checkpoint") + inner + "s.")).part == "checkpoint.model");
}

TEST_CASE("torch: what holds no named tensors is refused") {
  CHECK(refused(torch_archive("\x80\x02}."), "holds no dictionary of tensors"));
  CHECK(refused(torch_archive("\x80\x02K\x01."), "holds no dictionary of tensors"));
  CHECK(refused(torch_archive("\x80\x02" + PickledTensor{{4}, {1}}.bytes() + "."), "one tensor without a name"));
  CHECK(
      refused(torch_archive("\x80\x02}K\x01" + PickledTensor{{4}, {1}}.bytes() + "s."), "the name of a tensor must be a text"));
  const std::string one = pickled_text("w") + PickledTensor{{4}, {1}}.bytes() + "s";
  CHECK(refused(torch_archive("\x80\x02}" + one + one + "."), "tensor w stands twice"));
  CHECK(refused(torch_archive(pickled_weights(PickledTensor{{4}, {1}}.bytes()) + "x"), "1 bytes follow the pickle"));
  CHECK(refused(torch_archive(pickled_weights("ctorch._utils\n_rebuild_tensor_v2\n)R")), "is damaged"));
  CHECK(refused(torch_archive(pickled_weights("ctorch._utils\n_rebuild_parameter\nN\x85R")), "a parameter without a tensor"));
  CHECK(refused(zip_file({{"x/data.pkl", "\x80\x02}."}, {"x/constants.pkl", ""}}), "a TorchScript program"));
  const std::string loop = "\x80\x02}q\x01" + pickled_text("self") + "h\x01s.";
  CHECK(refused(torch_archive(loop), "holds no dictionary of tensors"));
}

TEST_CASE("torch before 1.6: pickles and storages one after another") {
  const std::string object = pickled_weights(PickledTensor{{2, 2}, {1, 2}}.bytes());
  const TensorFile file = read(legacy_file(object));
  CHECK(file.format == "torch before 1.6");
  CHECK(to_vector<float>(file.tensors[0].second) == std::vector<float>{1, 3, 2, 4});
  const std::string bytes = legacy_file(object);
  for (size_t length = 0; length < bytes.size(); ++length)
    CHECK(refuses([&] { read(bytes.substr(0, length)); }, ErrorKind::kData, ""));
  CHECK(refused(bytes + "x", "1 bytes follow the last storage"));
  CHECK(refused(legacy_file(object, 5), "has 5 elements, the pickle says 4"));
  CHECK(refused(legacy_file(object, 4, false), "stored big-endian"));
  CHECK(refused(legacy_file(pickled_weights(PickledTensor{{4}, {1}, 0, "1"}.bytes())),
                "a storage that nothing refers to: \"0\""));
  CHECK(refused("\x80\x02}.", "a Python pickle that torch.save() did not write"));
  const std::string module =
      "\x80\x02(" + pickled_text("module") + "cmodels\nMyNet\n" + pickled_text("x.py") + pickled_text("") + "tQ.";
  CHECK(refused(legacy_file(module), "class \"models.MyNet\""));
  CHECK(refused(legacy_file("\x80\x02K\x01Q."), "refers to an object outside the file"));
}
