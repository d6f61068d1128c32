#include "tensor/safetensors.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/byte_source.h"
#include "base/json_writer.h"
#include "tensor/safetensors_header.h"
#include "tensor/stored_type.h"

namespace vitrail {
namespace {

constexpr int64_t kMaxHeader = 100'000'000;
constexpr size_t kMaxName = 1024;

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
    require(e.end <= size_ - data_start_, "truncated: tensor ", name, " wants bytes ", e.begin, " to ", e.end, " of ",
            size_ - data_start_, ". Hint: the download was cut; repeat it.");
    require(e.begin <= e.end, "tensor ", name, ": bytes ", e.begin, " to ", e.end, " of ", size_ - data_start_);
    check_size(e, name);
  }

  void check_size(const Entry& e, const std::string& name) const {
    const StoredType* type = find_stored_type(e.type);
    require(type != nullptr, "tensor ", name, ": unknown dtype ", escaped(e.type, 20));
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
    const StoredType& type = *find_stored_type(e.type);
    const auto fetch = [&](int64_t first, void* to, int64_t count) {
      source_.read_at(data_start_ + e.begin + first * type.bytes, to, count * type.bytes);
    };
    return read_stored(type, e.shape, fetch, "safetensors", cat(source_.name, ": tensor ", escaped(e.name)));
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
  return load_safetensors(source_of(file));
}

SafetensorsFile load_safetensors(const ByteSource& source) { return Reader(source).load(); }

SafetensorsFile parse_safetensors(std::span<const uint8_t> bytes, const std::string& name) {
  return load_safetensors(source_of(bytes, name));
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
  save_safetensors(path, file, [&](size_t i) { return file.tensors[i].second; });
}

void save_safetensors(const std::string& path, const SafetensorsFile& file, const TensorOf& tensor) {
  const std::string header = header_text(file);
  const uint64_t length = header.size();
  Tensor held;  // until it has been written
  write_file_atomically(path, 2 + file.tensors.size(), [&](size_t i) -> std::span<const uint8_t> {
    if (i == 0) return {reinterpret_cast<const uint8_t*>(&length), 8};
    if (i == 1) return {reinterpret_cast<const uint8_t*>(header.data()), header.size()};
    const auto& [name, described] = file.tensors[i - 2];
    held = contiguous(tensor(i - 2));
    check(held.shape() == described.shape() && held.dtype() == described.dtype(), ErrorKind::kValue, "safetensors",
          escaped(name), " is ", name_of(held.dtype()), held.shape(), ", not ", name_of(described.dtype()), described.shape(),
          " as the header says.");
    const auto* data = static_cast<const uint8_t*>(held.storage()->data()) + held.offset() * size_of(held.dtype());
    return {data, static_cast<size_t>(held.numel() * size_of(held.dtype()))};
  });
}

}  // namespace vitrail
