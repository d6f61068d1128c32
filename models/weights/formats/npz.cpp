#include "models/weights/formats/npz.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "models/weights/formats/npy.h"
#include "models/weights/formats/strided.h"

namespace vitrail {
namespace {

constexpr const char* kEnding = ".npy";

// Strides of an array whose first index runs fastest.
Shape fortran_strides(const Shape& shape) {
  Shape strides;
  int64_t stride = 1;
  for (const int64_t extent : shape) {
    strides.push_back(stride);
    stride *= extent;  // at most the number of elements, which is checked
  }
  return strides;
}

struct Array {
  const ZipEntry* entry;
  std::string name, where;
  NpyHeader header;
};

// Reads the header, and the rest of the entry for its checksum.
Array checked_array(const ByteSource& source, const ZipEntry& entry) {
  const std::string name = entry.name.substr(0, entry.name.size() - std::string(kEnding).size());
  check(!name.empty(), ErrorKind::kData, "npz", source.name, ": an array without a name");
  Array array{&entry, name, source.name + ": array " + escaped(name), {}};
  ZipStream stream(source, entry);
  array.header = read_npy_header([&](void* to, int64_t bytes) { stream.read(to, bytes); }, entry.bytes, array.where);
  stream.finish();
  return array;
}

Tensor read_array(const ByteSource& source, const Array& array) {
  const NpyHeader& header = array.header;
  const int64_t bytes = header.type->bytes;
  ZipStream stream(source, *array.entry);
  const int64_t front = array.entry->bytes - header.bytes;
  std::vector<uint8_t> data(static_cast<size_t>(front));
  stream.read(data.data(), front);
  if (!header.fortran || header.shape.size() < 2 || header.bytes == 0) {
    const auto fetch = [&](int64_t, void* to, int64_t count) { stream.read(to, count * bytes); };
    return read_stored(*header.type, header.shape, fetch, "npz", array.where);
  }
  data.resize(static_cast<size_t>(header.bytes));
  stream.read(data.data(), header.bytes);
  const FetchElements fetch = fetch_strided(data.data(), bytes, header.shape, fortran_strides(header.shape));
  return read_stored(*header.type, header.shape, fetch, "npz", array.where);
}

}  // namespace

bool is_npz(const ZipArchive& archive) {
  return !archive.entries().empty() &&
         std::ranges::all_of(archive.entries(), [](const ZipEntry& e) { return e.name.ends_with(kEnding); });
}

TensorFile read_npz(const ZipArchive& archive) {
  TensorFile file;
  file.format = "npz";
  std::vector<Array> arrays;
  for (const ZipEntry& entry : archive.entries()) arrays.push_back(checked_array(archive.source(), entry));
  for (const Array& array : arrays) {
    file.stored.push_back({array.name, array.header.type->name, array.header.shape});
    file.tensors.emplace_back(array.name, read_array(archive.source(), array));
  }
  return file;
}

}  // namespace vitrail
