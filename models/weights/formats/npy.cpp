#include "models/weights/formats/npy.h"

#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "tensor/view.h"

namespace vitrail {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxHeader = 65535;  // of version 1; the longer ones of 2 and 3 are for tables

struct NpyType {
  const char* npy;  // behind the byte order
  const char* stored;
};
constexpr NpyType kTypes[] = {{"f4", "F32"}, {"f8", "F64"}, {"f2", "F16"}, {"V2", "BF16"}, {"i8", "I64"},
                              {"i4", "I32"}, {"i2", "I16"}, {"i1", "I8"},  {"u1", "U8"},   {"u2", "U16"},
                              {"u4", "U32"}, {"u8", "U64"}, {"b1", "BOOL"}};

// The text {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }: keys in any order, each once.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  NpyHeader parse() {
    NpyHeader header;
    bool typed = false, ordered = false, shaped = false;
    expect("{");
    while (!accept("}")) {
      const std::string key = quoted();
      expect(":");
      if (key == "descr" && !std::exchange(typed, true))
        header.type = type(quoted());
      else if (key == "fortran_order" && !std::exchange(ordered, true))
        header.fortran = boolean();
      else if (key == "shape" && !std::exchange(shaped, true))
        header.shape = shape();
      else
        refuse(cat("the header has the key ", quote(key), ", or has it twice"));
      if (!accept(",")) {
        expect("}");
        break;
      }
    }
    skip_spaces();
    require(rest_.empty(), "something follows the header's dictionary");
    require(typed && ordered && shaped, "the header wants descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { fail(ErrorKind::kData, "npy", where_, ": ", what); }
  void require(bool rule, const char* what) const {
    if (!rule) refuse(what);
  }
  void skip_spaces() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  void expect(const char* token) {
    if (!accept(token)) refuse(cat("the header is no dictionary of descr, fortran_order and shape: ", token, " is missing"));
  }
  std::string quoted() {
    skip_spaces();
    const bool opened = !rest_.empty() && (rest_[0] == '\'' || rest_[0] == '"');
    require(opened || !rest_.starts_with("["), "tables of several columns are not read");
    const size_t end = opened ? rest_.find(rest_[0], 1) : std::string_view::npos;
    require(end != std::string_view::npos, "the header has no text where one should be");
    const std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }
  bool boolean() {
    const bool yes = accept("True");
    if (!yes) expect("False");
    return yes;
  }
  Shape shape() {
    Shape shape;
    expect("(");
    while (!accept(")")) {
      require(shape.size() < kMaxDims, "more than 8 axes");
      shape.push_back(extent());
      if (!accept(",")) {
        require(shape.size() != 1, "a shape of one axis is written (n,)");
        expect(")");
        break;
      }
    }
    return shape;
  }
  int64_t extent() {
    skip_spaces();
    int64_t value = 0;
    size_t digits = 0;
    for (; digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits) {
      const bool fits =
          !__builtin_mul_overflow(value, int64_t{10}, &value) && !__builtin_add_overflow(value, rest_[digits] - '0', &value);
      require(fits, "an extent is too large");
    }
    require(digits > 0, "the shape is no tuple of whole numbers");
    rest_.remove_prefix(digits);
    accept("L");  // as Python 2 wrote long numbers
    return value;
  }
  const StoredType* type(const std::string& text) const {
    if (text.starts_with(">"))
      refuse(cat("the elements are big-endian, ", quote(text, 20), "; only little-endian arrays are read"));
    const std::string name = text.starts_with("<") || text.starts_with("|") ? text.substr(1) : text;
    for (const NpyType& known : kTypes)
      if (name == known.npy) return find_stored_type(known.stored);
    if (name.starts_with("O")) refuse("an array of Python objects, which is a pickle; it is not read");
    refuse(cat("the type ", quote(text, 20), " is not read"));
  }

  std::string_view rest_;
  const std::string& where_;
};

const char* npy_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "<f4";
    case Dtype::f64: return "<f8";
    case Dtype::i64: return "<i8";
    case Dtype::u8: return "|u1";
    default:
      fail(ErrorKind::kValue, "save_npy", "NumPy has no such type: dtype is ", name_of(dtype), ". Hint: to(x, Dtype::f32).");
  }
}

}  // namespace

NpyHeader read_npy_header(const std::function<void(void* to, int64_t bytes)>& read, int64_t left, const std::string& where) {
  const auto require = [&](bool rule, const auto&... parts) { check(rule, ErrorKind::kData, "npy", where, ": ", parts...); };
  char start[8];
  require(left >= 8, "too short for an array: ", left, " bytes");
  read(start, 8);
  require(std::string_view(start, 6) == kMagic, "not a NumPy array: it starts with ", quote(std::string(start, 6), 30));
  require(start[6] >= 1 && start[6] <= 3 && start[7] == 0, "version ", static_cast<int>(start[6]), ".",
          static_cast<int>(start[7]), " of the format is not read");
  const int64_t length_bytes = start[6] == 1 ? 2 : 4;
  require(left >= 8 + length_bytes, "too short for an array: ", left, " bytes");
  uint32_t length = 0;
  read(&length, length_bytes);
  const int64_t rest = left - 8 - length_bytes;
  require(int64_t{length} <= kMaxHeader && int64_t{length} <= rest, "the header claims ", length, " bytes of ", rest);
  std::string text(length, '\0');
  read(text.data(), length);
  NpyHeader header = HeaderText(text, where).parse();
  try {
    header.bytes = checked_bytes(header.shape, header.type->bytes);
  } catch (const Error&) {
    require(false, "the product of ", header.shape, " is too large");
  }
  require(header.bytes == rest - length, "shape ", header.shape, " as ", header.type->name, " is ", header.bytes,
          " bytes, the file has ", rest - length);
  return header;
}

void save_npy(const std::string& path, const Tensor& tensor) {
  const Tensor x = contiguous(tensor);
  std::string header = cat("{'descr': '", npy_type(x.dtype()), "', 'fortran_order': False, 'shape': (");
  for (int axis = 0; axis < x.shape().size(); ++axis) header += (axis > 0 ? ", " : "") + std::to_string(x.shape()[axis]);
  header += x.shape().size() == 1 ? ",), }" : "), }";
  const size_t front = kMagic.size() + 4;  // version and length
  header.append((64 - (front + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  std::string start(kMagic);
  start += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  start += header;
  const auto* data =
      x.numel() > 0 ? static_cast<const uint8_t*>(x.storage()->data()) + x.offset() * size_of(x.dtype()) : nullptr;
  const auto bytes = static_cast<size_t>(x.numel() * size_of(x.dtype()));
  write_file_atomically(path, {{reinterpret_cast<const uint8_t*>(start.data()), start.size()}, {data, bytes}});
}

}  // namespace vitrail
