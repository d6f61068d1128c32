#include "models/weights/formats/torch_names.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/error.h"
#include "base/text.h"

namespace vitrail {
namespace {

struct TypeName {
  std::string_view storage, dtype;  // behind "torch."; dtypes have a short name too
  const char* stored;
};
constexpr TypeName kTypes[] = {{"FloatStorage", "float32", "F32"},
                               {"DoubleStorage", "float64", "F64"},
                               {"HalfStorage", "float16", "F16"},
                               {"BFloat16Storage", "bfloat16", "BF16"},
                               {"LongStorage", "int64", "I64"},
                               {"IntStorage", "int32", "I32"},
                               {"ShortStorage", "int16", "I16"},
                               {"CharStorage", "int8", "I8"},
                               {"ByteStorage", "uint8", "U8"},
                               {"BoolStorage", "bool", "BOOL"},
                               {"", "uint16", "U16"},
                               {"", "uint32", "U32"},
                               {"", "uint64", "U64"}};

// Containers, plain values, and what the training scripts' dictionaries hold beside the tensors.
constexpr std::string_view kAllowed[] = {"collections.OrderedDict",
                                         "collections.defaultdict",
                                         "collections.Counter",
                                         "argparse.Namespace",
                                         "copyreg._reconstructor",
                                         "copy_reg._reconstructor",
                                         "_codecs.encode",
                                         "torch.Size",
                                         "torch.device",
                                         "torch.serialization._get_layout",
                                         "torch.storage.TypedStorage",
                                         "numpy.dtype",
                                         "numpy.ndarray",
                                         "numpy.core.multiarray.scalar",
                                         "numpy._core.multiarray.scalar",
                                         "numpy.core.multiarray._reconstruct",
                                         "numpy._core.multiarray._reconstruct"};
// Types of tensors that are not read: a checkpoint may hold some beside the weights.
constexpr std::string_view kOtherTypes[] = {"torch.ComplexFloatStorage", "torch.ComplexDoubleStorage", "torch.complex64",
                                            "torch.complex128",          "torch.float8_e4m3fn",        "torch.float8_e5m2"};
constexpr std::string_view kBuiltins[] = {"dict",  "list",  "tuple", "set",     "frozenset", "int",
                                          "float", "str",   "bool",  "complex", "bytearray", "object",
                                          "slice", "range", "long",  "bytes",   "unicode"};
constexpr std::string_view kRebuild[] = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
                                         "torch._utils._rebuild_tensor_v3"};
constexpr std::string_view kWrap[] = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"};

bool is_one_of(auto& list, std::string_view word) { return std::ranges::find(list, word) != std::end(list); }

// The name behind a prefix, "" if the text does not begin with it.
std::string_view behind(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : std::string_view();
}

bool is_builtin(std::string_view global) {
  const std::string_view name = behind(global, global.starts_with("__") ? "__builtin__." : "builtins.");
  return is_one_of(kBuiltins, name);
}

}  // namespace

void check_torch_global(const std::string& file, const std::string& global) {
  if (is_one_of(kAllowed, global) || is_one_of(kOtherTypes, global) || is_builtin(global) || rebuilds_tensor(global) ||
      wraps_tensor(global) || !torch_type(global).empty())
    return;
  // Python 2's name of the module, which is written up to protocol 2.
  const std::string_view old = behind(global, "__builtin__.");
  const std::string name = quote(old.empty() ? global : "builtins." + std::string(old), 120);
  const char first = global[global.rfind('.') + 1];
  if (std::isupper(static_cast<unsigned char>(first)))
    fail(ErrorKind::kData, "torch", file, ": holds a whole object of the class ", name,
         ", which only its program can read. Hint: in that program, torch.save(model.state_dict(), PATH).");
  fail(ErrorKind::kData, "torch", file, ": names ", name,
       ", and a file of weights has no use for it. Nothing was executed. Hint: ask for weights as safetensors.");
}

std::string torch_type(const std::string& global) {
  if (global == "torch.storage.UntypedStorage" || global == "torch.UntypedStorage") return "untyped";
  std::string_view name = behind(global, "torch.cuda.");
  if (name.empty()) name = behind(global, "torch.");
  if (name.empty()) return "";
  for (const TypeName& type : kTypes)
    if (name == type.storage || name == type.dtype) return type.stored;
  return "";
}

bool rebuilds_tensor(const std::string& global) { return is_one_of(kRebuild, global); }
bool wraps_tensor(const std::string& global) { return is_one_of(kWrap, global); }

}  // namespace vitrail
