#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "base/byte_source.h"
#include "base/json_writer.h"
#include "tensor/machine/bf16.h"
#include "tensor/safetensors_header.h"

namespace vitrail {
namespace {

static_assert(std::endian::native == std::endian::little, "the data of a file is used as it is");

constexpr int64_t kMaxHeader = 100'000'000;
constexpr size_t kMaxName = 1024;

struct StoredType {
  const char* name;
  int64_t bytes;
};
constexpr StoredType kTypes[] = {{"F32", 4}, {"F64", 8}, {"I64", 8}, {"U8", 1},  {"BOOL", 1}, {"F16", 2}, {"BF16", 2},
                                 {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U16", 2}, {"U32", 4},  {"U64", 8}};

using Entry = SafetensorsEntry;

class Reader {
 public:
  explicit Reader(const ByteSource& source) : source_(source), size_(source.size) {}

  SafetensorsHeader info() {
    SafetensorsHeader header = read_header();
    for (const Entry& e : header.entries) check_span(e);
    check_tiling(header.entries);
    return header;
  }

  SafetensorsFile load() {
    SafetensorsHeader header = info();
    SafetensorsFile file;
    file.metadata = std::move(header.metadata);
    for (const Entry& e : header.entries) file.tensors.emplace_back(e.name, tensor(e));
    return file;
  }

 private:
  template <class... Parts>
  void require(bool rule, const Parts&... parts) const {
    if (rule) return;
    fail(ErrorKind::kData, "safetensors", source_.name, ": ", parts...);
  }

  SafetensorsHeader read_header() {
    require(size_ >= 8, "too short for a safetensors file: ", size_, " bytes");
    uint64_t length = 0;
    source_.read_at(0, &length, 8);
    refuse_other_formats(length);
    require(length <= static_cast<uint64_t>(kMaxHeader), "the header claims ", length, " bytes, at most ", kMaxHeader,
            " are allowed");
    require(static_cast<int64_t>(length) <= size_ - 8, "truncated: the header wants ", length, " bytes, the file has ",
            size_ - 8, " behind its length");
    std::string text(static_cast<size_t>(length), '\0');
    source_.read_at(8, text.data(), static_cast<int64_t>(length));
    require(!text.empty() && text.front() == '{', "the header must start with {");
    data_start_ = 8 + static_cast<int64_t>(length);
    SafetensorsHeader header = read_safetensors_header(text);
    header.data_start = data_start_;
    require(header.complaint.empty(), header.complaint);
    return header;
  }

  // Names common mistakes: a git-lfs pointer, or the HTML page that a failed download left.
  void refuse_other_formats(uint64_t first_bytes) const {
    char start[9] = {};
    std::memcpy(start, &first_bytes, 8);
    require(std::strncmp(start, "version ", 8) != 0, "this is a git-lfs pointer, not the file itself. Hint: git lfs pull.");
    require(start[0] != '<', "this is an HTML page, not a safetensors file. Hint: download it again.");
    require(start[0] != '\x80' || first_bytes <= static_cast<uint64_t>(kMaxHeader),
            "this looks like a Python pickle, not a safetensors file");
    require(std::strncmp(start, "PK\x03\x04", 4) != 0, "this is a ZIP archive (a torch or npz file?), not a safetensors file");
  }

  void check_span(const Entry& e) const {
    const std::string name = escaped(e.name);
    require(e.begin <= e.end && e.end <= size_ - data_start_, "tensor ", name, ": bytes ", e.begin, " to ", e.end, " of ",
            size_ - data_start_);
    check_size(e, name);
  }

  void check_size(const Entry& e, const std::string& name) const {
    const StoredType* type =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const StoredType& t) { return e.type == t.name; });
    require(type != std::end(kTypes), "tensor ", name, ": unknown dtype ", escaped(e.type, 20));
    int64_t bytes = 0;
    try {
      bytes = checked_bytes(e.shape, type->bytes);
    } catch (const Error&) {
      require(false, "tensor ", name, ": the product of ", e.shape, " is too large");
    }
    require(bytes == e.end - e.begin, "tensor ", name, ": shape ", e.shape, " as ", e.type, " is ", bytes,
            " bytes, data_offsets give ", e.end - e.begin);
  }

  // The spans, sorted, must cover the data from its start to the end of the file: no hole, no overlap, no bytes after them.
  void check_tiling(std::vector<Entry>& entries) const {
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
    int64_t place = 0;
    for (const Entry& e : entries) {
      require(e.begin == place, "tensor ", escaped(e.name), " starts at byte ", e.begin, ", the one before ends at ", place);
      place = e.end;
    }
    require(place == size_ - data_start_, "the tensors end at byte ", place, " of the data, the file at ", size_ - data_start_);
  }

  Tensor tensor(const Entry& e) const {
    if (e.type == "F32") return filled<float>(e);
    if (e.type == "F64") return filled<double>(e);
    if (e.type == "I64") return filled<int64_t>(e);
    if (e.type == "U8") return filled<uint8_t>(e);
    if (e.type == "BOOL") return converted<uint8_t, uint8_t>(e, [](uint8_t x) { return static_cast<uint8_t>(x != 0); });
    if (e.type == "I32") return converted<int32_t, int64_t>(e, [](int32_t x) { return int64_t{x}; });
    if (e.type == "I16") return converted<int16_t, int64_t>(e, [](int16_t x) { return int64_t{x}; });
    if (e.type == "I8") return converted<int8_t, int64_t>(e, [](int8_t x) { return int64_t{x}; });
    if (e.type == "U16") return converted<uint16_t, int64_t>(e, [](uint16_t x) { return int64_t{x}; });
    if (e.type == "U32") return converted<uint32_t, int64_t>(e, [](uint32_t x) { return int64_t{x}; });
    if (e.type == "U64") return unsigned_64(e);
    if (e.type == "BF16") return converted<Bf16, float>(e, detail::value_of);
    return converted<uint16_t, float>(e, half_to_float);
  }

  template <class T>
  Tensor filled(const Entry& e) const {
    Tensor x = empty(e.shape, dtype_of<T>(), "safetensors");
    if (x.numel() > 0) source_.read_at(data_start_ + e.begin, x.mutable_data<T>(), e.end - e.begin);
    return x;
  }

  template <class Stored, class T, class Fn>
  Tensor converted(const Entry& e, Fn convert) const {
    constexpr int64_t kPiece = int64_t{1} << 14;  // elements at a time, so that the stored form is never in memory as a whole
    Tensor x = empty(e.shape, dtype_of<T>(), "safetensors");
    std::vector<Stored> values(static_cast<size_t>(std::min(kPiece, x.numel())));
    T* out = x.numel() > 0 ? x.mutable_data<T>() : nullptr;
    for (int64_t i = 0; i < x.numel(); i += kPiece) {
      const int64_t count = std::min(kPiece, x.numel() - i), bytes = int64_t{sizeof(Stored)};
      source_.read_at(data_start_ + e.begin + i * bytes, values.data(), count * bytes);
      std::transform(values.begin(), values.begin() + count, out + i, convert);
    }
    return x;
  }

  Tensor unsigned_64(const Entry& e) const {
    const Tensor x = filled<int64_t>(e);
    const int64_t* value = x.data<int64_t>();
    for (int64_t i = 0; i < x.numel(); ++i)  // a highest bit that is set does not fit an i64
      require(value[i] >= 0, "tensor ", escaped(e.name), ": element ", i, " is ", static_cast<uint64_t>(value[i]),
              ", above 2^63 - 1");
    return x;
  }

  // IEEE 754 binary16: 1 sign, 5 exponent, 10 fraction bits.
  static float half_to_float(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 1023;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(fraction) * 0x1p-24f));
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  }

  const ByteSource& source_;
  int64_t size_, data_start_ = 0;
};

// Writes only text that the strict reader accepts.
void check_text(const std::string& text, size_t max_bytes) {
  check(text.size() <= max_bytes, ErrorKind::kValue, "safetensors", "a name may have at most ", max_bytes,
        " bytes: ", escaped(text));
  check(is_utf8(text), ErrorKind::kValue, "safetensors", "not UTF-8: ", escaped(text));
}

void write_metadata(JsonWriter& json, const SafetensorsFile& file) {
  std::set<std::string> keys;
  json.key("__metadata__").begin_object();
  for (const auto& [key, value] : file.metadata) {
    check(keys.insert(key).second, ErrorKind::kValue, "safetensors", "the metadata key ", escaped(key), " stands twice");
    check_text(key, kMaxName);
    check_text(value, value.size());
    json.field(key, value);
  }
  json.end_object();
}

std::string header_text(const SafetensorsFile& file) {
  JsonWriter json;
  json.begin_object();
  if (!file.metadata.empty()) write_metadata(json, file);
  std::set<std::string> names;
  int64_t place = 0;
  for (const auto& [name, tensor] : file.tensors) {
    check(!name.empty() && name != "__metadata__" && names.insert(name).second, ErrorKind::kValue, "safetensors",
          "tensor names must be unique and not empty: ", escaped(name));
    check_text(name, kMaxName);
    check(tensor.defined(), ErrorKind::kValue, "safetensors", escaped(name), " is undefined");
    const int64_t bytes = checked_bytes(tensor.shape(), size_of(tensor.dtype()));
    json.key(name).begin_object().field("dtype", stored_name(tensor.dtype()));
    json.field("shape", std::vector<int64_t>(tensor.shape().begin(), tensor.shape().end()));
    json.field("data_offsets", std::vector<int64_t>{place, place + bytes}).end_object();
    place += bytes;
  }
  std::string text = json.end_object().text();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data is aligned
  return text;
}

}  // namespace

SafetensorsFile load_safetensors(const std::string& path) {
  const InputFile file(path);
  const ByteSource source = source_of(file);
  return Reader(source).load();
}

SafetensorsFile parse_safetensors(std::span<const uint8_t> bytes, const std::string& name) {
  const ByteSource source = source_of(bytes, name);
  return Reader(source).load();
}

SafetensorsHeader read_safetensors_info(const std::string& path) {
  const InputFile file(path);
  return read_safetensors_info(source_of(file));
}

SafetensorsHeader read_safetensors_info(const ByteSource& source) { return Reader(source).info(); }

const char* stored_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "F32";
    case Dtype::f64: return "F64";
    case Dtype::i64: return "I64";
    case Dtype::u8: return "U8";
    case Dtype::bf16: return "BF16";
  }
  return "?";
}

void save_safetensors(const std::string& path, const SafetensorsFile& file) {
  const std::string header = header_text(file);
  const uint64_t length = header.size();
  std::vector<Tensor> held;  // contiguous copies live until they are written
  std::vector<std::span<const uint8_t>> pieces{{reinterpret_cast<const uint8_t*>(&length), 8},
                                               {reinterpret_cast<const uint8_t*>(header.data()), header.size()}};
  for (const auto& [name, tensor] : file.tensors) {
    held.push_back(contiguous(tensor));
    const Tensor& x = held.back();
    const auto* data = static_cast<const uint8_t*>(x.storage()->data()) + x.offset() * size_of(x.dtype());
    pieces.emplace_back(data, static_cast<size_t>(x.numel() * size_of(x.dtype())));
  }
  write_file_atomically(path, pieces);
}

}  // namespace vitrail
