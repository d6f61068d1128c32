#include "models/weights/formats/torch_tensor.h"

#include <unordered_set>

#include "base/error.h"
#include "base/text.h"
#include "models/weights/formats/torch_names.h"
#include "models/weights/formats/torch_parts.h"

namespace vitrail {
namespace {

using Kind = PickleNode::Kind;

constexpr size_t kMaxName = 1024;
constexpr int64_t kMost = int64_t{1} << 62;

template <class... Parts>
void require(bool rule, const std::string& where, const Parts&... parts) {
  check(rule, ErrorKind::kData, "torch", where, ": ", parts...);
}

// Non-negative whole numbers of a tuple, or of torch.Size((...)).
Shape sizes_of(const Pickle& pickle, const PickleNode* node, const std::string& where) {
  if (node->kind == Kind::kCall && pickle[node->items[1]].items.size() == 1) node = &pickle[pickle[node->items[1]].items[0]];
  require(node->kind == Kind::kTuple || node->kind == Kind::kList, where, "sizes and strides are no tuples");
  require(node->items.size() <= static_cast<size_t>(kMaxDims), where, "has ", node->items.size(), " axes, at most ", kMaxDims,
          " are read");
  Shape sizes;
  for (const uint32_t i : node->items) {
    const PickleNode& size = pickle[i];
    const bool valid = size.kind == Kind::kInteger && size.text.empty() && size.integer >= 0 && size.integer <= kMost;
    require(valid, where, "sizes and strides are whole numbers from 0 to 2^62");
    sizes.push_back(size.integer);
  }
  return sizes;
}

// The element behind the last that the tensor touches, as far as it fits 2^62; 0 of an empty tensor.
int64_t end_of(const TorchTensor& tensor, const std::string& where) {
  if (tensor.numel == 0) return 0;
  int64_t last = tensor.offset;
  for (int axis = 0; axis < tensor.shape.size(); ++axis) {
    int64_t reach = 0;
    const bool fits = !__builtin_mul_overflow(tensor.shape[axis] - 1, tensor.strides[axis], &reach) &&
                      !__builtin_add_overflow(last, reach, &last) && last < kMost;
    require(fits, where, "reaches beyond its storage: shape ", tensor.shape, ", strides ", tensor.strides);
  }
  return last + 1;
}

class TensorReader {
 public:
  TensorReader(const Pickle& pickle, const std::string& file) : pickle_(pickle), file_(file) {}

  TorchTensor read(const PickleNode& node, const std::string& name) const {
    TorchTensor tensor;
    tensor.name = name;
    const std::string where = file_ + ": tensor " + escaped(name);
    const PickleNode* call = &node;
    for (int depth = 0; wraps_tensor(pickle_[call->items[0]].text); ++depth) {  // a parameter is a wrapped tensor
      const PickleNode& arguments = pickle_[call->items[1]];
      require(depth < 2 && !arguments.items.empty(), where, "is damaged");
      call = &pickle_[arguments.items[0]];
      require(is_torch_tensor(pickle_, *call), where, "is a parameter without a tensor");
    }
    const std::vector<uint32_t>& arguments = pickle_[call->items[1]].items;
    require(arguments.size() >= 4, where, "is damaged: storage, offset, sizes and strides are wanted");
    tensor.storage = torch_storage(pickle_, pickle_[arguments[0]], where);
    const bool typed_apart = pickle_[call->items[0]].text.ends_with("_v3");
    require(!typed_apart || arguments.size() >= 7, where, "is damaged: it has no type");
    tensor.type = find_stored_type(typed_apart ? torch_type(pickle_[arguments[6]].text) : tensor.storage.type);
    require(tensor.type != nullptr, where,
            "has a type that is not read: ", quote(typed_apart ? pickle_[arguments[6]].text : tensor.storage.type));
    const PickleNode& offset = pickle_[arguments[1]];
    require(offset.kind == Kind::kInteger && offset.text.empty() && offset.integer >= 0 && offset.integer <= kMost, where,
            "has an offset that is no whole number from 0 to 2^62");
    tensor.offset = offset.integer;
    tensor.shape = sizes_of(pickle_, &pickle_[arguments[2]], where);
    tensor.strides = sizes_of(pickle_, &pickle_[arguments[3]], where);
    check_extent(tensor, where);
    return tensor;
  }

 private:
  void check_extent(TorchTensor& tensor, const std::string& where) const {
    require(tensor.shape.size() == tensor.strides.size(), where, tensor.shape.size(), " sizes, but ", tensor.strides.size(),
            " strides");
    try {
      checked_bytes(tensor.shape, tensor.type->bytes);
      tensor.numel = checked_numel(tensor.shape);
    } catch (const Error&) {
      require(false, where, "the product of ", tensor.shape, " is too large");
    }
    const int64_t held = tensor.storage.bytes / tensor.type->bytes, end = end_of(tensor, where);
    require(end <= held, where, "reaches beyond its storage: element ", end - 1, " of ", held);
  }

  const Pickle& pickle_;
  const std::string& file_;
};

}  // namespace

TorchStorage torch_storage(const Pickle& pickle, const PickleNode& persistent, const std::string& where) {
  require(persistent.kind == Kind::kPersistent, where, "a tensor without a storage");
  const PickleNode& id = pickle[persistent.items[0]];
  const bool tuple = id.kind == Kind::kTuple && !id.items.empty() && pickle[id.items[0]].kind == Kind::kText;
  require(tuple, where, "refers to an object outside the file");
  if (pickle[id.items[0]].text == "module" && id.items.size() > 1)  // torch before 1.6 writes the class of a module so
    check_torch_global(where, pickle[id.items[1]].text);
  require(pickle[id.items[0]].text == "storage" && id.items.size() >= 5, where, "refers to an object outside the file");
  const PickleNode &type = pickle[id.items[1]], &key = pickle[id.items[2]], &count = pickle[id.items[4]];
  require(id.items.size() == 5 || pickle[id.items[5]].kind == Kind::kNone, where,
          "its storage is a part of another, as torch before 0.4 wrote it. Hint: save it again with a newer torch.");
  TorchStorage storage;
  storage.type = type.kind == Kind::kGlobal ? torch_type(type.text) : "";
  require(!storage.type.empty(), where, "has a storage of a type that is not read: ", quote(type.text));
  if (const StoredType* stored = find_stored_type(storage.type)) storage.element_bytes = stored->bytes;
  require(key.kind == Kind::kText && !key.cut && !key.text.empty(), where, "has a storage without a key");
  storage.key = key.text;
  const bool counted = count.kind == Kind::kInteger && count.text.empty() && count.integer >= 0 && count.integer <= kMost / 8;
  require(counted, where, "has a storage of an impossible size");
  storage.bytes = count.integer * storage.element_bytes;
  return storage;
}

std::vector<TorchTensor> torch_tensors(const Pickle& pickle, const PickleNode& dict, const std::string& file) {
  const TensorReader reader(pickle, file);
  std::vector<TorchTensor> tensors;
  std::unordered_set<std::string> names;
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleNode &key = pickle[dict.items[i]], &value = pickle[dict.items[i + 1]];
    if (!is_torch_tensor(pickle, value)) continue;
    const bool valid = key.kind == Kind::kText && !key.text.empty() && key.text.size() <= kMaxName && is_utf8(key.text) &&
                       key.text.find('\0') == std::string::npos;
    require(valid, file, "the name of a tensor must be a text of 1 to ", kMaxName, " bytes of UTF-8: ", quote(key.text));
    require(names.insert(key.text).second, file, "tensor ", escaped(key.text), " stands twice");
    tensors.push_back(reader.read(value, key.text));
  }
  return tensors;
}

}  // namespace vitrail
