#include "tensor/safetensors_checksums.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "base/byte_source.h"
#include "base/crc32c.h"
#include "base/json.h"
#include "base/json_writer.h"
#include "base/text.h"
#include "tensor/machine/parallel.h"

namespace vitrail {
namespace {

std::span<const uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string hexadecimal(uint32_t crc) {
  char digits[9];
  std::snprintf(digits, sizeof digits, "%08x", static_cast<unsigned>(crc));
  return digits;
}

// The data alone would not show that [2, 3] became [3, 2].
uint32_t crc_of_description(const SafetensorsEntry& e) {
  std::string text = e.type;  // no stream: those group digits as the locale wants
  for (const int64_t extent : e.shape) text += " " + std::to_string(extent);
  return crc32c(bytes_of(text));
}

uint32_t crc_of_data(const ByteSource& source, int64_t begin, int64_t end, uint32_t before) {
  constexpr int64_t kPiece = int64_t{1} << 18;  // stays in the processor's second-level cache
  std::vector<uint8_t> piece(static_cast<size_t>(std::min(kPiece, end - begin)));
  for (int64_t at = begin; at < end; at += kPiece) {
    const int64_t count = std::min(kPiece, end - at);
    source.read_at(at, piece.data(), count);
    before = crc32c({piece.data(), static_cast<size_t>(count)}, before);
  }
  return before;
}

[[noreturn]] void damaged(const std::string& file, const char* what, const std::string& name) {
  fail(ErrorKind::kData, "checksums", file, ": ", what, " ", escaped(name), " is not what was written: its checksum differs. ",
       "Hint: the file was damaged, or changed by another program.");
}

const std::string* text_of(const std::vector<std::pair<std::string, std::string>>& metadata, const char* key) {
  for (const auto& [name, text] : metadata)
    if (name == key) return &text;
  return nullptr;
}

uint32_t crc_of(const std::string& name, const Tensor& tensor) {
  const Tensor x = contiguous(tensor);
  const SafetensorsEntry entry{name, stored_name(x.dtype()), x.shape(), 0, 0};
  const auto* data = static_cast<const uint8_t*>(x.storage()->data()) + x.offset() * size_of(x.dtype());
  return crc32c({data, static_cast<size_t>(x.numel() * size_of(x.dtype()))}, crc_of_description(entry));
}

}  // namespace

void add_checksums(SafetensorsFile& file) {
  add_checksums(file, [&](size_t i) { return file.tensors[i].second; });
}

void add_checksums(SafetensorsFile& file, const TensorOf& tensor) {
  JsonWriter json;
  json.begin_object().key("metadata").begin_object();
  for (const auto& [key, text] : file.metadata) json.field(key, hexadecimal(crc32c(bytes_of(text))));
  json.end_object().key("tensors").begin_object();
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const std::string& name = file.tensors[i].first;
    json.field(name, hexadecimal(crc_of(name, tensor(i))));
  }
  file.metadata.emplace_back(kChecksums, json.end_object().end_object().text());
}

bool check_tensors(const SafetensorsFile& file, const std::string& source) {
  const std::string* text = text_of(file.metadata, kChecksums);
  if (!text) return false;
  const std::string where = escaped_path(source);
  const JsonDocument document(*text, where);
  JsonObject sums(document.root(), where, kChecksums, ErrorKind::kData);
  JsonObject tensors(sums.value("tensors"), where, "vitrail_checksums.tensors", ErrorKind::kData);
  std::vector<uint32_t> found(file.tensors.size());
  parallel_for(static_cast<int64_t>(found.size()), 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) found[i] = crc_of(file.tensors[i].first, file.tensors[i].second);
  });
  for (size_t i = 0; i < found.size(); ++i)
    if (tensors.text(file.tensors[i].first) != hexadecimal(found[i])) damaged(where, "tensor", file.tensors[i].first);
  tensors.finish();
  return true;
}

SafetensorsHeader verify_checksums(const std::string& path) {
  const InputFile file(path);
  const ByteSource source = source_of(file);
  SafetensorsHeader header = read_safetensors_info(source);
  const std::string* text = text_of(header.metadata, kChecksums);
  check(text != nullptr, ErrorKind::kData, "verify", source.name, ": the file has no checksums. ",
        "Hint: vitrail info looks into any safetensors file.");
  const JsonDocument document(*text, source.name);
  JsonObject sums(document.root(), source.name, kChecksums, ErrorKind::kData);
  JsonObject texts(sums.value("metadata"), source.name, "vitrail_checksums.metadata", ErrorKind::kData);
  JsonObject tensors(sums.value("tensors"), source.name, "vitrail_checksums.tensors", ErrorKind::kData);
  sums.finish();
  for (const auto& [key, content] : header.metadata)
    if (key != kChecksums && texts.text(key) != hexadecimal(crc32c(bytes_of(content)))) damaged(source.name, "the text", key);
  texts.finish();
  for (const SafetensorsEntry& e : header.entries) {
    const uint32_t crc = crc_of_data(source, header.data_start + e.begin, header.data_start + e.end, crc_of_description(e));
    if (tensors.text(e.name) != hexadecimal(crc)) damaged(source.name, "tensor", e.name);
  }
  tensors.finish();
  return header;
}

}  // namespace vitrail
