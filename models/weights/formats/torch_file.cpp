#include "models/weights/formats/torch_file.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "models/weights/formats/strided.h"
#include "models/weights/formats/torch_names.h"
#include "models/weights/formats/torch_parts.h"

namespace vitrail {
namespace {

constexpr const char* kOp = "torch";
constexpr int64_t kMaxExtra = int64_t{64} << 20;         // of tensors that share their storage, beyond the size of the file
constexpr int64_t kMaxPackedPickle = int64_t{16} << 20;  // torch does not compress: only others do

// Whether elements lie one behind the other; where an axis has one index, its stride does not matter.
bool is_row_major(const TorchTensor& tensor) {
  const Shape wanted = contiguous_strides(tensor.shape);
  for (int axis = 0; axis < tensor.shape.size(); ++axis)
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != wanted[axis]) return false;
  return true;
}

Tensor build(const ByteSource& source, const TorchTensor& tensor, const ReadStorage& read) {
  const int64_t bytes = tensor.type->bytes, start = tensor.offset * bytes;
  const std::string where = source.name + ": tensor " + escaped(tensor.name);
  if (tensor.numel == 0 || is_row_major(tensor)) {
    const auto fetch = [&](int64_t first, void* to, int64_t count) {
      read(tensor.storage, start + first * bytes, to, count * bytes);
    };
    return read_stored(*tensor.type, tensor.shape, fetch, kOp, where);
  }
  int64_t last = 0;
  for (int axis = 0; axis < tensor.shape.size(); ++axis) last += (tensor.shape[axis] - 1) * tensor.strides[axis];
  std::vector<uint8_t> span(static_cast<size_t>((last + 1) * bytes));  // a part of its storage
  read(tensor.storage, start, span.data(), static_cast<int64_t>(span.size()));
  return read_stored(*tensor.type, tensor.shape, fetch_strided(span.data(), bytes, tensor.shape, tensor.strides), kOp, where);
}

// "NAME/" of NAME/data.pkl: the folder of the first entry, or none.
std::string folder_of(const ZipArchive& archive) {
  if (archive.entries().empty()) return "";
  const std::string& first = archive.entries()[0].name;
  const std::string folder = first.substr(0, first.find('/') + 1);
  return archive.find(folder + "data.pkl") != nullptr ? folder : "";
}

// The storages of an archive.
class Storages {
 public:
  Storages(const ZipArchive& archive, std::string folder)
      : archive_(archive),
        folder_(std::move(folder)),
        checksums_(std::ranges::any_of(archive.entries(), [](const ZipEntry& e) { return e.crc != 0; })) {}

  // Compares size and checksum, before memory is taken for any tensor.
  void check_storage(const TorchStorage& storage) {
    const ZipEntry* entry = archive_.find(folder_ + "data/" + storage.key);
    check(entry != nullptr, ErrorKind::kData, kOp, name(), ": the storage ", quote(storage.key), " is missing");
    check(entry->bytes == storage.bytes, ErrorKind::kData, kOp, name(), ": the storage ", quote(storage.key), " has ",
          entry->bytes, " bytes, the pickle says ", storage.bytes);
    if (checked_.insert(storage.key).second) verify(*entry);
  }
  void verify(const ZipEntry& entry) const { ZipStream(archive_.source(), entry, checksums_).finish(); }

  void read(const TorchStorage& storage, int64_t offset, void* to, int64_t bytes) {
    const ZipEntry& entry = *archive_.find(folder_ + "data/" + storage.key);
    if (!entry.packed) return archive_.source().read_at(entry.data + offset, to, bytes);
    if (unpacked_key_ != storage.key) unpack(entry, storage.key);
    std::copy_n(unpacked_.begin() + offset, bytes, static_cast<uint8_t*>(to));
  }

  // The pickle, in the archive or unpacked.
  ByteSource pickle() {
    const ZipEntry& entry = *archive_.find(folder_ + "data.pkl");
    verify(entry);
    if (!entry.packed) {
      const ByteSource& all = archive_.source();
      const int64_t start = entry.data;
      return {all.name, entry.bytes,
              [&all, start](int64_t at, void* to, int64_t count) { all.read_at(start + at, to, count); }};
    }
    check(entry.bytes <= kMaxPackedPickle, ErrorKind::kData, kOp, name(), ": its pickle unpacks to ", entry.bytes,
          " bytes, at most ", kMaxPackedPickle);
    unpack(entry, entry.name);
    ByteSource source = source_of(std::span<const uint8_t>(unpacked_), "");
    source.name = name();
    return source;
  }

  // A small entry as text, "" if it is not there.
  std::string text(const std::string& entry_name) const {
    const ZipEntry* entry = archive_.find(folder_ + entry_name);
    if (entry == nullptr || entry->bytes > 64) return "";
    std::string text(static_cast<size_t>(entry->bytes), '\0');
    ZipStream stream(archive_.source(), *entry, checksums_);
    stream.read(text.data(), entry->bytes);
    return text;
  }

 private:
  const std::string& name() const { return archive_.source().name; }
  void unpack(const ZipEntry& entry, const std::string& key) {
    unpacked_.resize(static_cast<size_t>(entry.bytes));
    ZipStream(archive_.source(), entry, checksums_).read(unpacked_.data(), entry.bytes);
    unpacked_key_ = key;
  }

  const ZipArchive& archive_;
  std::string folder_;
  bool checksums_;
  std::set<std::string> checked_;
  std::vector<uint8_t> unpacked_;
  std::string unpacked_key_;
};

void refuse_program(const ZipArchive& archive, const std::string& folder) {
  const bool program = archive.find(folder + "constants.pkl") != nullptr;
  check(!program, ErrorKind::kData, kOp, archive.source().name,
        ": a TorchScript program, not a file of weights. Hint: torch.save(torch.jit.load(FILE).state_dict(), PATH).");
}

}  // namespace

void build_torch_tensors(const ByteSource& source, const std::vector<TorchTensor>& tensors, const ReadStorage& read,
                         TensorFile& file) {
  const int64_t most = source.size + kMaxExtra;
  int64_t total = 0;
  for (const TorchTensor& tensor : tensors) {
    const int64_t bytes = tensor.numel * tensor.type->bytes;  // checked where it was read
    check(bytes <= most - total, ErrorKind::kData, kOp, source.name, ": tensor ", escaped(tensor.name), " ", tensor.shape,
          " repeats what is stored: tensors may have ", most, " bytes in all");
    total += bytes;
  }
  for (const TorchTensor& tensor : tensors) {
    file.stored.push_back({tensor.name, tensor.type->name, tensor.shape});
    file.tensors.emplace_back(tensor.name, build(source, tensor, read));
  }
}

bool is_torch_archive(const ZipArchive& archive) { return archive.find(folder_of(archive) + "data.pkl") != nullptr; }

TensorFile read_torch_archive(const ZipArchive& archive, const TensorFileOptions& options) {
  const std::string folder = folder_of(archive), &name = archive.source().name;
  refuse_program(archive, folder);
  Storages storages(archive, folder);
  const std::string order = storages.text("byteorder");
  check(order.empty() || order == "little", ErrorKind::kData, kOp, name, ": its numbers are stored ", quote(order),
        "-endian; only little-endian files are read");
  const ByteSource text = storages.pickle();
  int64_t position = 0;
  const Pickle pickle = read_pickle(text, position, [&](const std::string& global) { check_torch_global(name, global); });
  check(position == text.size, ErrorKind::kData, kOp, name, ": ", text.size - position, " bytes follow the pickle");
  const TorchPart part = choose_torch_part(pickle, name, options.weights);
  const std::vector<TorchTensor> tensors = torch_tensors(pickle, *part.tensors, name);
  for (const TorchTensor& tensor : tensors) storages.check_storage(tensor.storage);
  TensorFile file;
  file.format = "torch zip", file.part = part.name, file.other_parts = part.others;
  const auto read = [&](const TorchStorage& storage, int64_t offset, void* to, int64_t bytes) {
    storages.read(storage, offset, to, bytes);
  };
  build_torch_tensors(archive.source(), tensors, read, file);
  return file;
}

}  // namespace vitrail
