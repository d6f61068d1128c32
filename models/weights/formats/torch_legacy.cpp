// Files of torch before 1.6 (and of torch.save(..., _use_new_zipfile_serialization=False)): five pickles (a magic number, the
// protocol's version, facts about the machine, the object, the keys of the storages), then per storage its number of elements
// (i64) and its elements.
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "models/weights/formats/torch_file.h"
#include "models/weights/formats/torch_names.h"
#include "models/weights/formats/torch_parts.h"

namespace vitrail {
namespace {

using Kind = PickleNode::Kind;

constexpr const char* kOp = "torch";
constexpr int64_t kProtocol = 1001;
const std::string kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";  // 0x1950a86a20f9469cfc6c

class LegacyFile {
 public:
  explicit LegacyFile(const ByteSource& source) : source_(source) {}

  TensorFile read(const TensorFileOptions& options) {
    check_head();
    const Pickle object = next_pickle(), keys = next_pickle();
    find_storages(object, keys);
    const TorchPart part = choose_torch_part(object, source_.name, options.weights);
    const std::vector<TorchTensor> tensors = torch_tensors(object, *part.tensors, source_.name);
    for (const TorchTensor& tensor : tensors)
      require(places_.count(tensor.storage.key) == 1, "the storage ", quote(tensor.storage.key), " is missing");
    TensorFile file;
    file.format = "torch before 1.6", file.part = part.name, file.other_parts = part.others;
    const auto read_storage = [&](const TorchStorage& storage, int64_t offset, void* to, int64_t bytes) {
      source_.read_at(places_.at(storage.key) + offset, to, bytes);
    };
    build_torch_tensors(source_, tensors, read_storage, file);
    return file;
  }

 private:
  template <class... Parts>
  void require(bool rule, const Parts&... parts) const {
    check(rule, ErrorKind::kData, kOp, source_.name, ": ", parts...);
  }

  Pickle next_pickle() {
    return read_pickle(source_, position_, [&](const std::string& global) { check_torch_global(source_.name, global); });
  }

  void check_head() {
    const Pickle magic = next_pickle();
    require(magic[magic.root].kind == Kind::kInteger && magic[magic.root].text == kMagic,
            "a Python pickle that torch.save() did not write. Hint: torch.save(model.state_dict(), PATH).");
    const Pickle version = next_pickle(), system = next_pickle();
    require(version[version.root].kind == Kind::kInteger && version[version.root].integer == kProtocol,
            "torch's protocol is not ", kProtocol);
    const PickleNode* little = system.find(system[system.root], "little_endian");
    require(little != nullptr && little->kind == Kind::kBool, "it does not say in which order its bytes are");
    require(little->integer == 1, "its numbers are stored big-endian; only little-endian files are read");
  }

  // Where the storages are that the object refers to, in the order of their keys.
  void find_storages(const Pickle& object, const Pickle& keys) {
    std::map<std::string, TorchStorage> known;
    for (const PickleNode& node : object.nodes) {
      if (node.kind != Kind::kPersistent) continue;
      const TorchStorage storage = torch_storage(object, node, source_.name);
      const auto [entry, added] = known.emplace(storage.key, storage);
      require(added || entry->second.bytes == storage.bytes, "the storage ", quote(storage.key), " has two sizes");
    }
    const PickleNode& list = keys[keys.root];
    require(list.kind == Kind::kList || list.kind == Kind::kTuple, "the keys of the storages are no list");
    for (const uint32_t i : list.items) {
      const auto found = known.find(keys[i].text);
      require(keys[i].kind == Kind::kText && found != known.end(), "a storage that nothing refers to: ", quote(keys[i].text));
      pass_storage(found->second);
    }
    require(position_ == source_.size, source_.size - position_, " bytes follow the last storage");
  }

  void pass_storage(const TorchStorage& storage) {
    int64_t count = 0;
    require(source_.size - position_ >= 8, "truncated: the storage ", quote(storage.key), " is missing");
    source_.read_at(position_, &count, 8);
    position_ += 8;
    require(count == storage.bytes / storage.element_bytes, "the storage ", quote(storage.key), " has ", count,
            " elements, the pickle says ", storage.bytes / storage.element_bytes);
    require(storage.bytes <= source_.size - position_, "truncated: the storage ", quote(storage.key), " wants ", storage.bytes,
            " bytes, the file has ", source_.size - position_);
    require(places_.emplace(storage.key, position_).second, "the storage ", quote(storage.key), " stands twice");
    position_ += storage.bytes;
  }

  const ByteSource& source_;
  int64_t position_ = 0;
  std::map<std::string, int64_t> places_;
};

}  // namespace

TensorFile read_torch_legacy(const ByteSource& source, const TensorFileOptions& options) {
  return LegacyFile(source).read(options);
}

}  // namespace vitrail
